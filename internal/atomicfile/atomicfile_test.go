package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree lists what is under dir: directories as "", files by content, links by "->" and their text.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	m := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		name = filepath.ToSlash(name)
		switch {
		case e.IsDir():
			m[name] = ""
		case e.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			m[name] = "->" + to
			return err
		default:
			data, err := os.ReadFile(path)
			m[name] = string(data)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func wantTree(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Errorf("tree differs (-want +got):\n%s", diff)
	}
}

// put makes a tree as tree lists it.
func put(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, data := range files {
		path := filepath.Join(dir, name)
		if data == "" {
			must(t, os.MkdirAll(path, 0o777))
			continue
		}
		must(t, os.MkdirAll(filepath.Dir(path), 0o777))
		if err := os.WriteFile(path, []byte(data), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// output is what File and Dir have in common.
type output interface {
	Path() string
	Commit() error
	Abort() error
}

// kinds makes both sorts of output, each holding text.
var kinds = []struct {
	name   string
	create func(path string, opts Options, text string) (output, error)
	holds  func(text string) map[string]string // the tree below the folder of an output called "out"
}{
	{"file", func(path string, opts Options, text string) (output, error) {
		f, err := CreateFile(path, opts)
		if err != nil {
			return nil, err
		}
		_, err = f.Write([]byte(text))
		return f, err
	}, func(text string) map[string]string { return map[string]string{"out": text} }},
	{"dir", func(path string, opts Options, text string) (output, error) {
		d, err := CreateDir(path, opts)
		if err != nil {
			return nil, err
		}
		f, err := d.Create("a")
		if err != nil {
			return nil, err
		}
		if _, err := f.WriteString(text); err != nil {
			return nil, err
		}
		return d, f.Close()
	}, func(text string) map[string]string { return map[string]string{"out": "", "out/a": text} }},
}

func TestCommitAndAbort(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			dir := t.TempDir()
			out := filepath.Join(dir, "out")
			aborted, err := k.create(out, Options{}, "never")
			must(t, err)
			if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("something is at the destination before Commit: %v", err)
			}
			must(t, aborted.Abort())
			must(t, aborted.Abort())
			if err := aborted.Commit(); !errors.Is(err, errDone) {
				t.Errorf("Commit after Abort: %v", err)
			}
			wantTree(t, dir, map[string]string{})

			o, err := k.create(out, Options{Need: 10}, "text")
			must(t, err)
			if o.Path() != out {
				t.Error(o.Path())
			}
			must(t, o.Commit())
			must(t, o.Abort())
			if err := o.Commit(); !errors.Is(err, errDone) {
				t.Errorf("second Commit: %v", err)
			}
			wantTree(t, dir, k.holds("text"))
		})
	}
}

// anything may be replaced.
func anything(string) error { return nil }

// TestJudge checks that what the judge refuses stays, when it turns up during the work too, and that what is empty needs no judge.
func TestJudge(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			dir := t.TempDir()
			out := filepath.Join(dir, "out")
			var judged []string
			opts := Options{Replace: func(path string) error {
				judged = append(judged, path)
				return errors.New(path + ": in the way")
			}}
			o, err := k.create(out, opts, "new")
			must(t, err)
			put(t, dir, k.holds("old"))
			if err := o.Commit(); err == nil || err.Error() != out+": in the way" {
				t.Errorf("taken meanwhile: %v", err)
			}
			if _, err := k.create(out, opts, "new"); err == nil || err.Error() != out+": in the way" {
				t.Errorf("taken before: %v", err)
			}
			wantTree(t, dir, k.holds("old"))
			if !cmp.Equal(judged, []string{out, out}) {
				t.Errorf("judged %q", judged)
			}

			if k.name == "dir" {
				must(t, os.Remove(filepath.Join(out, "a")))
			} else {
				must(t, os.Truncate(out, 0))
			}
			o, err = k.create(out, opts, "new")
			must(t, err)
			must(t, o.Commit())
			wantTree(t, dir, k.holds("new"))
		})
	}
}

// TestExisting checks that what is there stays untouched unless forced, and then until Commit.
func TestExisting(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			dir := t.TempDir()
			out := filepath.Join(dir, "out")
			put(t, dir, k.holds("old"))
			if k.name == "dir" {
				put(t, out, map[string]string{"sub/b": "old too"})
			}
			before := tree(t, dir)

			_, err := k.create(out, Options{}, "new")
			if !errors.Is(err, fs.ErrExist) || !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), out+": already exists") {
				t.Errorf("without force: %v", err)
			}
			wantTree(t, dir, before)

			o, err := k.create(out, Options{Replace: anything}, "new")
			must(t, err)
			for name, data := range before {
				if got := tree(t, dir)[name]; got != data {
					t.Errorf("%s changed before Commit: %q", name, got)
				}
			}
			must(t, o.Abort())
			wantTree(t, dir, before)

			o, err = k.create(out, Options{Replace: anything}, "new")
			must(t, err)
			must(t, o.Commit())
			wantTree(t, dir, k.holds("new"))
		})
	}
}

// TestRefused is the table of destinations that can be refused at once.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, map[string]string{"file": "x", "full/a": "x"})
	must(t, os.Mkdir(filepath.Join(dir, "empty"), 0o777))
	before := tree(t, dir)
	file := func(path string, opts Options) error { _, err := CreateFile(path, opts); return err }
	folder := func(path string, opts Options) error { _, err := CreateDir(path, opts); return err }
	cwd, err := os.Getwd()
	must(t, err)
	for _, c := range []struct {
		name   string
		create func(string, Options) error
		path   string
		opts   Options
		want   string
	}{
		{"empty folder", folder, filepath.Join(dir, "empty"), Options{}, "already exists"},
		{"full folder", folder, filepath.Join(dir, "full"), Options{}, "already exists"},
		{"trailing slash", folder, filepath.Join(dir, "full") + "/", Options{}, "already exists"},
		{"folder for a file", file, filepath.Join(dir, "empty"), Options{Replace: anything}, "is a folder, and the output is a file"},
		{"file for a folder", folder, filepath.Join(dir, "file"), Options{Replace: anything}, "is a file, and the output is a folder"},
		{"missing parent", file, filepath.Join(dir, "no", "out"), Options{}, "does not exist; create it first"},
		{"missing parent of a folder", folder, filepath.Join(dir, "no", "out"), Options{Replace: anything}, "does not exist; create it first"},
		{"parent is a file", file, filepath.Join(dir, "file", "out"), Options{}, "file is not a folder"},
		{"current folder", folder, ".", Options{Replace: anything}, "is the current folder or holds it"},
		{"above the current folder", folder, filepath.Dir(cwd), Options{Replace: anything}, "is the current folder or holds it"},
		{"root", folder, "/", Options{Replace: anything}, "is the current folder or holds it"},
		{"device", file, os.DevNull, Options{Replace: anything}, "not a regular file"},
		{"no space", file, filepath.Join(dir, "out"), Options{Need: math.MaxInt64}, "needs 9223372036854775807 bytes, the disk has"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.create(c.path, c.opts)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), ".gomamba") || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	wantTree(t, dir, before)
}

// TestRace commits two outputs to one destination at the same time: one wins, the other says so.
func TestRace(t *testing.T) {
	for _, k := range kinds {
		for round := range 20 {
			dir := t.TempDir()
			out := filepath.Join(dir, "out")
			errs := make([]error, 2)
			outputs := make([]output, 2)
			for i := range outputs {
				var err error
				outputs[i], err = k.create(out, Options{}, fmt.Sprint("by ", i))
				must(t, err)
			}
			var group sync.WaitGroup
			start := make(chan struct{})
			for i, o := range outputs {
				group.Go(func() {
					<-start
					errs[i] = o.Commit()
				})
			}
			close(start)
			group.Wait()
			winner := 0
			if errs[0] != nil {
				winner = 1
			}
			if lost := errs[1-winner]; errs[winner] != nil || !errors.Is(lost, fs.ErrExist) || !strings.Contains(lost.Error(), "meanwhile") {
				t.Fatalf("%s, round %d: %v", k.name, round, errs)
			}
			wantTree(t, dir, k.holds(fmt.Sprint("by ", winner)))
		}
	}
}

// TestStale checks that only temporaries of ours whose process is gone are removed.
func TestStale(t *testing.T) {
	dead := exec.Command(os.Args[0], "-test.run=^$")
	must(t, dead.Run())
	const random = "0123456789abcdef"
	name := func(pid int, host, suffix string) string {
		return fmt.Sprintf(".gomamba-%d-%s-%s%s", pid, host, random, suffix)
	}
	gone, here := dead.Process.Pid, os.Getpid()
	other := "00000000"
	if machine() == other {
		other = "00000001"
	}
	dir := t.TempDir()
	put(t, dir, map[string]string{
		name(gone, machine(), ".tmp") + "/model.safetensors":                          "half",
		strings.Replace(name(gone, machine(), ".tmp"), random, "fedcba9876543210", 1): "half a file",
		name(gone, machine(), ".old.model") + "/config.json":                          "a replaced folder whose successor never came",
		name(gone, machine(), ".old.taken") + "/config.json":                          "a replaced folder whose successor is there",
		"taken/config.json":                                                  "kept",
		name(here, machine(), ".tmp"):                                        "in use",
		name(gone, other, ".tmp"):                                            "of another machine",
		strings.TrimPrefix(name(gone, machine(), ".tmp"), "."):               "not hidden",
		name(gone, machine(), ".bak"):                                        "not ours",
		fmt.Sprintf(".gomamba-%d", gone):                                     "not ours",
		".gomamba-99999999999999999999-" + machine() + "-" + random + ".tmp": "no process id",
		"model.gguf": "kept",
	})
	o, err := CreateFile(filepath.Join(dir, "out"), Options{})
	must(t, err)
	must(t, o.Abort())
	wantTree(t, dir, map[string]string{
		"model": "", "model/config.json": "a replaced folder whose successor never came",
		"taken": "", "taken/config.json": "kept",
		name(here, machine(), ".tmp"):                                        "in use",
		name(gone, other, ".tmp"):                                            "of another machine",
		strings.TrimPrefix(name(gone, machine(), ".tmp"), "."):               "not hidden",
		name(gone, machine(), ".bak"):                                        "not ours",
		fmt.Sprintf(".gomamba-%d", gone):                                     "not ours",
		".gomamba-99999999999999999999-" + machine() + "-" + random + ".tmp": "no process id",
		"model.gguf": "kept",
	})
}

func TestDirCreate(t *testing.T) {
	d, err := CreateDir(filepath.Join(t.TempDir(), "out"), Options{})
	must(t, err)
	defer d.Abort()
	for _, name := range []string{"", ".", "..", "../x", "a/b/c", "a/..", "a/", "/x"} {
		if f, err := d.Create(name); err == nil {
			t.Errorf("created %q", name)
			f.Close()
		}
	}
	f, err := d.Create("a")
	must(t, err)
	must(t, f.Close())
	if filepath.Dir(f.Name()) != d.temp {
		t.Errorf("%s is not in %s", f.Name(), d.temp)
	}
	if _, err := d.Create("a"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("created twice: %v", err)
	}
	for _, name := range []string{"b/c", "b/d"} {
		f, err := d.Create(name)
		must(t, err)
		must(t, f.Close())
	}
}

func TestFileWriteAt(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	f, err := CreateFile(out, Options{})
	must(t, err)
	defer f.Abort()
	_, err = f.WriteAt([]byte("world"), 6)
	must(t, err)
	_, err = f.Write([]byte("hello "))
	must(t, err)
	back := make([]byte, 11)
	if _, err := f.ReadAt(back, 0); err != nil || string(back) != "hello world" {
		t.Errorf("%q, %v", back, err)
	}
	must(t, f.Commit())
	if _, err := f.Write([]byte("x")); err == nil || !strings.Contains(err.Error(), "write "+out) {
		t.Errorf("write after Commit: %v", err)
	}
}
