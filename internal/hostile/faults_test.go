//go:build unix && !purego

package hostile

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// long makes the fault tests as many and their checkpoint as large as before a release.
var long = flag.Bool("long", false, "100 kills, 200 MB, every fault")

// rounds is how often something is tried.
func rounds(short, full int) int {
	if *long {
		return full
	}
	return short
}

// victim is a checkpoint to convert, and what comes of it undisturbed.
type victim struct {
	source string
	hash   string            // of source
	want   map[string]string // hash of the result by target
	took   map[string]time.Duration
	size   map[string]int64 // of the largest file
}

// targets are the layouts that it is converted to, with the name of the result.
var targets = []struct{ to, name string }{{"hf", "dst"}, {"original", "dst"}, {"gguf", "dst.gguf"}}

// newVictim makes a random checkpoint.
func newVictim(t *testing.T) *victim {
	t.Helper()
	dir := t.TempDir()
	// About 30 MB in float32, or 220 MB.
	config := `{"model_type": "mamba", "hidden_size": 384, "num_hidden_layers": 8, "vocab_size": 2048}`
	if *long {
		config = `{"model_type": "mamba", "hidden_size": 768, "num_hidden_layers": 12, "vocab_size": 8192}`
	}
	if err := (files{"c.json": []byte(config)}).write(dir); err != nil {
		t.Fatal(err)
	}
	v := &victim{source: filepath.Join(dir, "model"), want: map[string]string{}, took: map[string]time.Duration{}, size: map[string]int64{}}
	must(t, run(t, dir, "init", filepath.Join(dir, "c.json"), v.source, "--seed", "3"))
	v.hash = content(t, v.source)
	for _, to := range targets {
		dst := filepath.Join(dir, to.name)
		for range 3 { // the first run is the slowest
			if err := os.RemoveAll(dst); err != nil {
				t.Fatal(err)
			}
			o := run(t, dir, v.convert(to.to, dst)...)
			must(t, o)
			if took := v.took[to.to]; took == 0 || o.Took < took {
				v.took[to.to] = o.Took
			}
		}
		v.want[to.to], v.size[to.to] = content(t, dst), largest(t, dst)
	}
	return v
}

// convert is the command that makes dst; a change of dtype keeps it busy.
func (v *victim) convert(to, dst string) []string {
	return []string{"convert", v.source, dst, "--to", to, "--dtype", "bf16"}
}

// untouched checks that the source is as it was.
func (v *victim) untouched(t *testing.T) {
	t.Helper()
	if content(t, v.source) != v.hash {
		t.Fatal("the source changed")
	}
}

// whole checks that dst is absent or what it must be, and reports which.
func (v *victim) whole(t *testing.T, to, dst string) bool {
	t.Helper()
	if _, err := os.Lstat(dst); errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if content(t, dst) != v.want[to] {
		t.Fatalf("%s is neither absent nor complete", dst)
	}
	return true
}

func must(t *testing.T, o outcome) {
	t.Helper()
	if o.Code != 0 {
		t.Fatalf("exit %d: %s", o.Code, o.Stderr)
	}
}

// failed checks that a command failed with a message that holds one of the words.
func failed(t *testing.T, o outcome, words ...string) {
	t.Helper()
	o.survived(t)
	text := o.complaint()
	if o.Code != 1 || strings.Count(text, "\n") != 1 || !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) }) {
		t.Errorf("exit %d: %swant 1 and one line with one of %q", o.Code, o.Stderr, words)
	}
}

// empty checks that nothing lies in a folder but what is listed.
func empty(t *testing.T, dir string, but ...string) {
	t.Helper()
	if left := names(t, dir); !slices.Equal(left, but) {
		t.Errorf("%s holds %q, want %q", dir, left, but)
	}
}

// content hashes names and contents of a file or folder.
func content(t *testing.T, root string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(root, path) // of a path below root
		fmt.Fprintf(h, "%s\x00", name)
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(h, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// largest is the size of the largest file.
func largest(t *testing.T, root string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && !d.IsDir() {
			n = max(n, info.Size())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// draws are the same in every run.
func draws(t *testing.T) *rand.Rand {
	return rand.New(rand.NewPCG(1, uint64(len(t.Name()))))
}

// signalled runs a command and sends it a signal at a random moment of the time that it takes.
func signalled(t *testing.T, rng *rand.Rand, took time.Duration, signal syscall.Signal, dir string, args []string) outcome {
	t.Helper()
	after := time.Duration(rng.Float64() * 0.8 * float64(took))
	return start(t, command{Program: program, Dir: dir, Args: args, Signal: signal, Kill: after})
}

// TestKilled kills conversions at random moments: the destination is absent or complete, and the next one succeeds and
// clears away what was left.
func TestKilled(t *testing.T) {
	v, rng := newVictim(t), draws(t)
	killed, n := 0, rounds(12, 100)
	for i := range n {
		to := targets[i%len(targets)]
		dir := t.TempDir()
		dst := filepath.Join(dir, to.name)
		o := signalled(t, rng, v.took[to.to], syscall.SIGKILL, dir, v.convert(to.to, dst))
		if o.Code == -1 {
			killed++
		}
		args := v.convert(to.to, dst)
		if v.whole(t, to.to, dst) {
			args = append(args, "--force")
		}
		must(t, run(t, dir, args...))
		if !v.whole(t, to.to, dst) {
			t.Error("the second conversion left nothing")
		}
		empty(t, dir, to.name)
		v.untouched(t)
		os.RemoveAll(dir)
	}
	t.Logf("%d of %d conversions were killed at work, the others had ended", killed, n)
}

// TestInterrupted stops conversions as Ctrl-C, kill and a lost connection do: nothing is left.
func TestInterrupted(t *testing.T) {
	v, rng := newVictim(t), draws(t)
	stopped, slowest := 0, time.Duration(0)
	for i := range rounds(8, 40) {
		to := targets[i%len(targets)]
		signal := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}[i%3]
		dir := t.TempDir()
		dst := filepath.Join(dir, to.name)
		o := signalled(t, rng, v.took[to.to], signal, dir, v.convert(to.to, dst))
		o.survived(t)
		switch there := v.whole(t, to.to, dst); {
		case o.Code == 128+int(signal) && !there:
			empty(t, dir)
			stopped++
			slowest = max(slowest, o.Late)
		case o.Code == -1 && !there:
			empty(t, dir) // before the program could ask to be told of signals
		case o.Code != 0 || !there:
			t.Errorf("exit %d after %v, %t: %s", o.Code, signal, there, o.Stderr)
		}
		v.untouched(t)
		os.RemoveAll(dir)
	}
	t.Logf("%d stopped at work, at most %v after the signal", stopped, slowest.Round(time.Millisecond))
}

// TestDiskFull limits the size of files: writing fails as on a full disk.
func TestDiskFull(t *testing.T) {
	v := newVictim(t)
	points := rounds(4, 20)
	for _, to := range targets {
		for k := range points {
			dir := t.TempDir()
			dst := filepath.Join(dir, to.name)
			limit := uint64(v.size[to.to]) * uint64(k) / uint64(points)
			o := start(t, command{Program: program, Dir: dir, Args: v.convert(to.to, dst), Limit: max(limit/512, 1)})
			failed(t, o, "file too large")
			empty(t, dir)
		}
	}
	if *long {
		fullFileSystems(t, v)
	}
	v.untouched(t)
}

// TestTwoAtOnce starts two conversions to one place: one wins, the other says so.
func TestTwoAtOnce(t *testing.T) {
	v := newVictim(t)
	for i := range rounds(3, 12) {
		to := targets[i%len(targets)]
		dir := t.TempDir()
		dst := filepath.Join(dir, to.name)
		var both [2]outcome
		var group sync.WaitGroup
		for j := range both {
			group.Go(func() { both[j] = run(t, dir, v.convert(to.to, dst)...) })
		}
		group.Wait()
		if both[0].Code != 0 {
			both[0], both[1] = both[1], both[0]
		}
		must(t, both[0])
		failed(t, both[1], "already exists")
		if !v.whole(t, to.to, dst) {
			t.Error("nothing is there")
		}
		empty(t, dir, to.name)
	}
	v.untouched(t)
}

// TestSourceChanges truncates or rewrites the source at random moments while it is mapped: that is noticed, and nothing
// is left, unless it comes too late or so early that the new bytes are what was opened.
func TestSourceChanges(t *testing.T) {
	v, rng := newVictim(t), draws(t)
	dir := t.TempDir()
	ids := strings.TrimSuffix(strings.Repeat("1,", 300), ",")
	commands := map[string]func(model, dst string) []string{
		"convert": func(model, dst string) []string {
			return []string{"convert", model, dst, "--to", "hf", "--dtype", "bf16"}
		},
		"forward": func(model, dst string) []string {
			return []string{"forward", model, "--ids", ids, "--logits", "last", "--out", dst}
		},
	}
	changes := map[string]func(path string, size int64) error{
		"emptied":      func(path string, _ int64) error { return os.Truncate(path, 0) },
		"cut in half":  func(path string, size int64) error { return os.Truncate(path, size/2) },
		"cut by one":   func(path string, size int64) error { return os.Truncate(path, size-1) },
		"rewritten":    overwrite,
		"replaced":     replace,
		"grown by one": func(path string, size int64) error { return os.Truncate(path, size+1) },
	}
	model, out := filepath.Join(dir, "model"), filepath.Join(dir, "out")
	weights, dst := filepath.Join(model, "model.safetensors"), filepath.Join(out, "dst")
	fresh := func() {
		if err := errors.Join(os.RemoveAll(model), os.RemoveAll(out), os.CopyFS(model, os.DirFS(v.source)), os.Mkdir(out, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	fresh()
	size := largest(t, weights)
	noticed, n := 0, 0
	for what, args := range commands {
		fresh()
		first := run(t, dir, args(model, dst)...)
		must(t, first)
		right := []string{content(t, dst)}
		fresh()
		if err := overwrite(weights, size); err != nil {
			t.Fatal(err)
		}
		must(t, run(t, dir, args(model, dst)...))
		right = append(right, content(t, dst))
		for name, change := range changes {
			for range rounds(1, 10) {
				n++
				fresh()
				done := make(chan error, 1)
				time.AfterFunc(time.Duration(rng.Float64()*float64(first.Took)), func() { done <- change(weights, size) })
				o := run(t, dir, args(model, dst)...)
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				if o.Code == 0 {
					if !slices.Contains(right, content(t, dst)) {
						t.Errorf("%s, %s: exit 0 with wrong results", what, name)
					}
					continue
				}
				noticed++
				failed(t, o, "truncated", "changed while in use", "is empty", "after the last tensor")
				if left := names(t, out); len(left) > 0 {
					t.Errorf("%s, %s: left %q after %s", what, name, left, o.Stderr)
				}
			}
		}
	}
	t.Logf("%d of %d changes were noticed, the others came too early or too late to matter", noticed, n)
}

// overwrite changes a file's bytes in place.
func overwrite(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	// In pieces: the system notes the time of each.
	for at := size / 4; at < size*3/4 && err == nil; at += 1 << 16 {
		_, err = f.WriteAt(make([]byte, min(1<<16, size*3/4-at)), at)
	}
	return errors.Join(err, f.Close())
}

// replace puts another file of the same bytes in a file's place.
func replace(path string, _ int64) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(path+".new", data, 0o644), os.Rename(path+".new", path))
}

// TestSameBytes converts twice, on one thread and on two.
func TestSameBytes(t *testing.T) {
	v := newVictim(t)
	for _, to := range targets {
		for _, procs := range []string{"1", "2"} {
			dir := t.TempDir()
			dst := filepath.Join(dir, to.name)
			must(t, start(t, command{Program: program, Dir: dir, Args: v.convert(to.to, dst), Env: []string{"GOMAXPROCS=" + procs}}))
			if !v.whole(t, to.to, dst) {
				t.Error("nothing is there")
			}
		}
	}
	v.untouched(t)
}
