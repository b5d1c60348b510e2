//go:build unix && !purego

package hostile

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
)

const (
	patience     = 10 * time.Second // for one command; a hang, on any machine
	longPatience = time.Minute      // for one that writes 200 MB, on a disk that others write to
	maxMemory    = 128 << 20        // resident, mapped pages included; bombs take gigabytes
	maxStderr    = 1500             // bytes
)

var keep = flag.String("keep", "", "write the corpus into this folder and leave it there")

// program is the binary under test.
var program string

func TestMain(m *testing.M) {
	if os.Getenv(launchEnv) != "" {
		launch()
		return
	}
	flag.Parse()
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "gomamba")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		if err := os.Chmod(dir, 0o755); err != nil { // for every user
			panic(err)
		}
		program = filepath.Join(dir, "gomamba")
		build := exec.Command("go", "build", "-o", program, "github.com/gomamba/gomamba/cmd/gomamba")
		if out, err := build.CombinedOutput(); err != nil {
			panic(fmt.Sprintf("%v\n%s", err, out))
		}
		return m.Run()
	}())
}

// survived checks what must hold however a command ends.
func (o outcome) survived(t *testing.T) {
	t.Helper()
	for _, word := range []string{"panic", "goroutine ", "fatal error", "runtime error", "SIGSEGV", "SIGBUS"} {
		if strings.Contains(o.Stderr, word) {
			t.Errorf("stderr holds %q:\n%.2000s", word, o.Stderr)
			return
		}
	}
}

// modest checks that a command on a small checkpoint survived in little memory.
func (o outcome) modest(t *testing.T) {
	t.Helper()
	o.survived(t)
	if o.Memory > maxMemory {
		t.Errorf("took %d MiB", o.Memory>>20)
	}
}

// complaint is what stderr says beside warnings and notes.
func (o outcome) complaint() string {
	var b strings.Builder
	for line := range strings.Lines(o.Stderr) {
		if !strings.HasPrefix(line, "gomamba: warning: ") && !strings.HasPrefix(line, "gomamba: note: ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// refusal checks that a command said what is wrong in one line.
func (o outcome) refusal(t *testing.T, dir string, e Entry) {
	t.Helper()
	o.modest(t)
	switch text := o.complaint(); {
	case o.Code != 1:
		t.Errorf("exit %d\nstdout %.500s\nstderr %.500s", o.Code, o.Stdout, o.Stderr)
	case strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "gomamba: ") || len(o.Stderr) > maxStderr:
		t.Errorf("not one line of at most %d bytes: %.3000q", maxStderr, o.Stderr)
	case strings.ContainsFunc(strings.TrimSuffix(text, "\n"), unicode.IsControl):
		t.Errorf("control characters: %.500q", text)
	case !strings.Contains(text, dir):
		t.Errorf("does not say which file: %s", text)
	case !strings.Contains(text, e.Want):
		t.Errorf("got  %swant %s", text, e.Want)
	}
}

// TestCorpus gives every entry to inspect and convert.
func TestCorpus(t *testing.T) {
	root := t.TempDir()
	if *keep != "" {
		root = *keep
	}
	corpus := Corpus()
	slices.SortFunc(corpus, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	var stats statistics
	t.Run("entries", func(t *testing.T) {
		for i, e := range corpus {
			if i > 0 && corpus[i-1].Name == e.Name {
				t.Errorf("two entries are called %s", e.Name)
			}
			t.Run(e.Name, func(t *testing.T) {
				t.Parallel()
				home := filepath.Join(root, fmt.Sprintf("%04d", i))
				try(t, e, home, &stats)
				if *keep == "" {
					os.RemoveAll(home) // else a large corpus stays until the end; t.TempDir removes what is left
				}
			})
		}
	})
	stats.report(t, len(corpus))
}

// try builds an entry below home and runs both commands on it.
func try(t *testing.T, e Entry, home string, stats *statistics) {
	source, cwd, out := filepath.Join(home, "source"), filepath.Join(home, "cwd"), filepath.Join(home, "out")
	for _, dir := range []string{source, cwd, out} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Build(source); err != nil {
		t.Fatal(err)
	}
	before := tree(t, source)
	model, dst := filepath.Join(source, e.Path), filepath.Join(out, "dst")
	inspected := run(t, cwd, "inspect", model)
	converted := run(t, cwd, "convert", model, dst, "--to", "hf", "--dtype", "f32")
	stats.add(e.Name, inspected, converted)
	if after := tree(t, source); after != before {
		t.Errorf("the source changed:\n%s\nbecame\n%s", before, after)
	}
	if litter := names(t, cwd); len(litter) > 0 {
		t.Errorf("left in the working directory: %q", litter)
	}
	left := names(t, out)
	if !e.Valid {
		switch inspected.modest(t); {
		case inspected.Code == 0 && e.Deep:
		case inspected.Code == 0 && strings.Contains(inspected.Stdout, "problem") && strings.Contains(inspected.Stdout, "error: "):
			// Sound and beyond this program: it is listed, with the reason.
		default:
			inspected.refusal(t, source, e)
		}
		converted.refusal(t, source, e)
		if len(left) > 0 {
			t.Errorf("left beside the destination: %q", left)
		}
		return
	}
	for _, o := range []outcome{inspected, converted} {
		if o.modest(t); o.Code != 0 {
			t.Fatalf("exit %d: %s", o.Code, o.Stderr)
		}
	}
	if !slices.Equal(left, []string{"dst"}) {
		t.Errorf("left beside the destination: %q", left)
	}
	family := e.Family
	if family == "" {
		family = "mamba"
	}
	compare(t, filepath.Join(dst, "model.safetensors"), Tensors(family))
}

// compare reads a file of float32 tensors by the letter of the format and compares them with what they must be.
func compare(t *testing.T, path string, want []Tensor) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(content)
	var found map[string]struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal(bytes.Replace(content[8:8+n], []byte(`"__metadata__":{"format":"pt"},`), nil, 1), &found); err != nil {
		t.Fatal(err)
	}
	for _, w := range want {
		got, ok := found[w.Name]
		if !ok || got.DType != "F32" || !slices.Equal(got.Shape, w.Shape) {
			t.Errorf("%s: found %+v", w.Name, got)
			continue
		}
		data := content[8+int(n)+got.Offsets[0] : 8+int(n)+got.Offsets[1]]
		for i, v := range w.Values {
			if g := math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:])); g != v {
				t.Errorf("%s: element %d is %v, want %v", w.Name, i, g, v)
				break
			}
		}
		delete(found, w.Name)
	}
	for name := range found {
		if name != "lm_head.weight" && !strings.HasPrefix(name, "mtp.") {
			t.Errorf("%s came from nowhere", name)
		}
	}
}

// tree describes everything in a folder: kinds, times and contents.
func tree(t *testing.T, root string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %v %d %v", path, info.Mode(), info.Size(), info.ModTime().UnixNano())
		if info.Mode().IsRegular() && info.Size() < 1<<30 {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %x", sha256.Sum256(content))
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// names lists a folder.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// statistics are the figures of a run.
type statistics struct {
	sync.Mutex
	took    []time.Duration
	memory  int64
	largest string
}

func (s *statistics) add(name string, outcomes ...outcome) {
	s.Lock()
	defer s.Unlock()
	for _, o := range outcomes {
		s.took = append(s.took, o.Took)
		if o.Memory > s.memory {
			s.memory, s.largest = o.Memory, name
		}
	}
}

func (s *statistics) report(t *testing.T, entries int) {
	if len(s.took) == 0 {
		return
	}
	slices.Sort(s.took)
	t.Logf("%d entries, %d commands: half within %v, 99 %% within %v, all within %v; at most %d MiB (%s)", entries, len(s.took),
		s.took[len(s.took)/2].Round(time.Millisecond), s.took[len(s.took)*99/100].Round(time.Millisecond), s.took[len(s.took)-1].Round(time.Millisecond),
		s.memory>>20, s.largest)
}
