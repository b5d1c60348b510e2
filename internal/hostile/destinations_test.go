//go:build unix && !purego

package hostile

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDestinations names places that must not be written to, or not yet: nothing there changes.
func TestDestinations(t *testing.T) {
	link := func(to, at string) func(dir string) error {
		return func(dir string) error { return os.Symlink(to, filepath.Join(dir, at)) }
	}
	second := func(to, at string) func(dir string) error {
		return func(dir string) error { return os.Link(filepath.Join(dir, to), filepath.Join(dir, at)) }
	}
	rename := func(from, to string) func(dir string) error {
		return func(dir string) error { return os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)) }
	}
	links := func(to, at string) func(dir string) error { // a folder of links, as a snapshot in the hub's cache is
		return func(dir string) error {
			err := os.Mkdir(filepath.Join(dir, at), 0o755)
			for _, name := range []string{"config.json", "model.safetensors"} {
				err = errors.Join(err, os.Symlink(filepath.Join("..", to, name), filepath.Join(dir, at, name)))
			}
			return err
		}
	}
	for _, c := range []struct {
		name  string
		setup func(dir string) error
		args  string // after which the command takes place in a folder with model, m.gguf, file, empty, full and broken
		want  string
	}{
		{"a file", nil, "convert model file --to hf", "already exists"},
		{"an empty folder", nil, "convert model empty --to hf", "already exists"},
		{"a full folder", nil, "convert model full --to hf", "already exists"},
		{"a file for GGUF", nil, "convert model m.gguf", "already exists"},
		{"a dangling link", link("nowhere", "l"), "convert model l --to hf", "already exists"},
		{"the source", nil, "convert model model --to hf --force", "is the source"},
		{"the source by a dot", nil, "convert model model/. --to hf --force", "is the source"},
		{"the source by dots", nil, "convert model full/../model --to hf --force", "is the source"},
		{"the source by a link", link("model", "l"), "convert model l --to hf --force", "is the source"},
		{"the source's own file by a link", link("model/model.safetensors", "l.gguf"), "convert model l.gguf --force", "is the source"},
		{"the source's own file by a second name", second("model/model.safetensors", "h.gguf"), "convert model h.gguf --force", "is the source"},
		{"a GGUF by a second name", second("m.gguf", "h.gguf"), "convert m.gguf h.gguf --force", "is the source"},
		{"inside the source", nil, "convert model model/sub --to hf", "inside the source"},
		{"inside the source by a link", link("model", "l"), "convert model l/sub --to hf", "inside the source"},
		{"around the source", nil, "convert full/inner full --to hf --force", "holds the source"},
		{"the current folder", nil, "convert model . --to hf --force", ""},
		{"in no folder", nil, "convert model nowhere/x --to hf", "nowhere"},
		{"in a file", nil, "convert model file/x --to hf", "file"},
		{"a folder for GGUF", nil, "convert model full --to gguf --force", "folder"},
		{"a file for a folder", nil, "convert model file --to hf --force", "file"},
		{"by force from a broken source", nil, "convert broken full --to hf --force", "model.safetensors"},
		{"by force what the target cannot hold", nil, "convert model full --to mistral --force", ""},
		{"results over the weights", nil, "forward model --ids 1 --out model/model.safetensors", "is the source"},
		{"results over the config", nil, "forward model --ids 1 --out model/config.json", "is the source"},
		{"results over the weights by a link", link("model/model.safetensors", "l"), "forward model --ids 1 --out l", "is the source"},
		{"a cache over the weights", nil, "forward model --ids 1 --cache-out model/model.safetensors", "is the source"},
		{"a generator's cache over a GGUF", nil, "generate m.gguf --ids 1 -n 1 --cache-out m.gguf", "is the source"},
		{"results in no folder", nil, "forward model --ids 1 --out nowhere/x", "nowhere"},
		{"results over a folder", nil, "forward model --ids 1 --out full", "full"},
		{"over the folder that the source links to", links("model", "l"), "convert l model --to hf --force", "holds the source"},
		{"over links to the source", links("model", "l"), "convert model l --to hf --force", "under another name"},
		{"by force over what is not a checkpoint", nil, "convert model full --to hf --force", "does not belong to a checkpoint: \"inner/\", \"mine\""},
		{"by force over what is not a GGUF", nil, "convert model file --to gguf --force", "not a GGUF file"},
		{"a new model over its configuration", nil, "init model/config.json model --force", "holds the source"},
		{"a page over the weights", nil, "verify model --html model/model.safetensors", "is the source"},
		{"a page over a GGUF by a second name", second("m.gguf", "h"), "verify m.gguf --html h", "is the source"},
		{"a page over a file", nil, "verify model --html file", "not a report"},
		{"a profile over the config", nil, "bench model -p 1 -n 1 -r 1 --profile model/config.json", "is the source"},
		{"a profile over a file", nil, "bench model -p 1 -n 1 -r 1 --profile file", "not a CPU profile"},
		{"results over a file", nil, "forward model --ids 1 --out file", "not a dump"},
		{"results over other weights", nil, "forward m.gguf --ids 1 --out model/model.safetensors", "no dump has"},
		{"results in a folder called as a pattern", rename("model", "m[1]"), "forward m[1] --ids 1 --out m[1]/config.json", "is the source"},
		{"results over a device", link("/dev/null", "null"), "forward model --ids 1 --out null", "null"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			furnish(t, dir)
			if c.setup != nil {
				if err := c.setup(dir); err != nil {
					t.Fatal(err)
				}
			}
			before := tree(t, dir)
			failed(t, run(t, dir, strings.Fields(c.args)...), c.want)
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// furnish puts a model, a GGUF file and places to write to into a folder.
func furnish(t *testing.T, dir string) {
	t.Helper()
	f := files{"m.gguf": gguf("mamba").bytes(), "file": []byte("mine"), "full/mine": []byte("mine")}
	for name, content := range base() {
		f["model/"+name], f["full/inner/"+name], f["broken/"+name] = content, content, content
	}
	f["broken/model.safetensors"] = f["broken/model.safetensors"][:1000]
	if err := errors.Join(f.write(dir), os.Mkdir(filepath.Join(dir, "empty"), 0o755)); err != nil {
		t.Fatal(err)
	}
}

// TestForce replaces what is there when the new one is complete.
func TestForce(t *testing.T) {
	dir := t.TempDir()
	furnish(t, dir)
	must(t, run(t, dir, "convert", "model", "empty", "--to", "hf", "--force"))
	must(t, run(t, dir, "convert", "broken/../model", "broken", "--to", "hf", "--force"))
	compare(t, filepath.Join(dir, "empty", "model.safetensors"), Tensors("mamba"))
	compare(t, filepath.Join(dir, "broken", "model.safetensors"), Tensors("mamba"))
	empty(t, dir, "broken", "empty", "file", "full", "m.gguf", "model")
}

// TestUnprivileged is about files that may not be read and folders that may not be written to.
func TestUnprivileged(t *testing.T) {
	dir := t.TempDir()
	furnish(t, dir)
	mode := func(name string, mode os.FileMode) {
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	mode("..", 0o755) // the test's folders are its user's alone
	mode(".", 0o755)
	nobody := func(args ...string) outcome {
		return start(t, command{Program: program, Dir: dir, Args: args, Nobody: os.Getuid() == 0, Env: []string{"HF_HUB_OFFLINE=1", "HOME=/"}})
	}
	mode("full", 0o555)
	mode("model/model.safetensors", 0o444)
	must(t, nobody("inspect", "model"))
	failed(t, nobody("convert", "model", "full/x", "--to", "hf"), "permission denied")
	failed(t, nobody("convert", "model", "full/x.gguf"), "permission denied")
	failed(t, nobody("forward", "model", "--ids", "1", "--out", "full/x"), "permission denied")
	for _, name := range []string{"config.json", "model.safetensors"} {
		mode("model/"+name, 0)
		failed(t, nobody("inspect", "model"), name+": permission denied")
		failed(t, nobody("convert", "model", "x", "--to", "hf"), name+": permission denied")
		mode("model/"+name, 0o444)
	}
	mode("model", 0)
	failed(t, nobody("inspect", "model"), "permission denied")
	mode("model", 0o755)
	mode("full", 0o755)
	if left := names(t, dir); slices.Contains(left, "x") {
		t.Errorf("left %q", left)
	}
}

// TestLeftovers has a conversion clear away what a killed one left, and nothing that merely looks like it.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	furnish(t, dir)
	kept := []string{".gomamba", ".gomamba-x.tmp", ".gomamba-1-00000000-0123456789abcdef.tmp", "gomamba-99999999-00000000-0123456789abcdef.tmp"}
	for _, name := range kept {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	must(t, run(t, dir, "convert", "model", "x", "--to", "hf"))
	for _, name := range kept {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}
