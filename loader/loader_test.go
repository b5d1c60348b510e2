package loader_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/layout/layouttest"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

func TestOpenFixtures(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(layouttest.Fixtures, "*", filenames.Config))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no fixtures in %s: %v", layouttest.Fixtures, err)
	}
	for _, path := range dirs {
		ck := open(t, filepath.Dir(path), loader.Options{Strict: true})
		if got := ck.Problems(); len(got) > 0 {
			t.Errorf("%s: %v", path, got)
		}
		if got, want := ck.Tied(), ck.Config().Shared().TieWordEmbeddings; got != want {
			t.Errorf("%s: tied %t, config says %t", path, got, want)
		}
		table, err := names.Table(ck.Config())
		if err != nil {
			t.Fatal(err)
		}
		b := loader.NewBinder(ck)
		for _, s := range table {
			if x := b.Take(s.Name); !slices.Equal(x.Shape, s.Shape) {
				t.Errorf("%s: %s is %v, want %v", path, s.Name, x.Shape, s.Shape)
			}
		}
		if err := b.Err(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenPaths(t *testing.T) {
	dir := filepath.Join(layouttest.Fixtures, "sharded")
	for _, path := range []string{dir, dir + string(filepath.Separator), filepath.Join(dir, filenames.Config), filepath.Join(dir, filenames.ModelIndex)} {
		ck := open(t, path, loader.Options{})
		if got := filepath.Clean(ck.Path()); got != filepath.Clean(dir) || ck.Layout() != "hf" {
			t.Errorf("%s: opened %s as %s", path, got, ck.Layout())
		}
		if got := len(ck.Tensors()); got != 202 {
			t.Errorf("%s: %d tensors, want 202", path, got)
		}
	}
}

// A folder of the hub's cache holds links into ../../blobs.
func TestOpenLinks(t *testing.T) {
	root := t.TempDir()
	snapshot := filepath.Join(root, "snapshots", "0123")
	if err := os.MkdirAll(snapshot, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "blobs"), 0o755); err != nil {
		t.Fatal(err)
	}
	c := layouttest.Load(t)
	c.ShardOf = layouttest.Halves
	dir := c.Write(t)
	for _, name := range []string{filenames.Config, filenames.ModelIndex, "a.safetensors", "b.safetensors"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		layouttest.WriteFile(t, filepath.Join(root, "blobs", name+".blob"), data)
		if err := os.Symlink(filepath.Join("..", "..", "blobs", name+".blob"), filepath.Join(snapshot, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := open(t, snapshot, loader.Options{}).Check(); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(root, "blobs", filenames.ModelIndex+".blob")); err != nil {
		t.Fatal(err)
	}
	if _, err := loader.Open(snapshot, loader.Options{}); err == nil || !strings.Contains(err.Error(), "is a link to") {
		t.Errorf("a link without its blob: %v", err)
	}
}

// The single file goes before the index, as in transformers.
func TestSingleFileFirst(t *testing.T) {
	c := layouttest.Load(t)
	dir := c.Write(t)
	layouttest.WriteFile(t, filepath.Join(dir, filenames.ModelIndex), []byte("nonsense"))
	if err := open(t, dir, loader.Options{}).Check(); err != nil {
		t.Error(err)
	}
}

// transformers loads MambaForCausalLM from what MambaModel saved, and from a file with names of both.
func TestBareNames(t *testing.T) {
	for _, part := range []string{"", ".layers.2."} {
		c := layouttest.Load(t)
		want := bytes.Clone(c.At(t, "backbone.layers.2.norm.weight").Data)
		c.Rename(func(name string) string {
			if !strings.Contains(name, part) {
				return name
			}
			return strings.TrimPrefix(name, "backbone.")
		})
		ck := open(t, c.Write(t), loader.Options{Strict: true})
		b := loader.NewBinder(ck)
		if got := b.Layer(2).Take("norm.weight"); !bytes.Equal(got.Data, want) || b.Err() != nil {
			t.Errorf("bare names: %v", b.Err())
		}
	}
}

func TestHead(t *testing.T) {
	embedding := func(c *layouttest.Checkpoint) tensor.Tensor { return *c.At(t, names.Embedding) }
	double := func(x tensor.Tensor) tensor.Tensor {
		return tensor.Of(x.Name, tensor.Float64s(x), x.Shape...)
	}
	for _, test := range []struct {
		name    string
		damage  func(*layouttest.Checkpoint)
		tied    bool
		warning string
	}{
		{"absent", func(*layouttest.Checkpoint) {}, true, ""},
		{"copy", func(c *layouttest.Checkpoint) {
			x := embedding(c)
			x.Name = names.Head
			c.Tensors = append(c.Tensors, x)
		}, true, ""},
		{"copy of another dtype", func(c *layouttest.Checkpoint) {
			x := double(embedding(c))
			x.Name = names.Head
			c.Tensors = append(c.Tensors, x)
		}, true, ""},
		{"different", func(c *layouttest.Checkpoint) {
			x := embedding(c)
			x.Name, x.Data = names.Head, bytes.Clone(x.Data)
			x.Data[len(x.Data)-1] ^= 1
			c.Tensors = append(c.Tensors, x)
		}, false, "differs from " + names.Embedding},
		{"different, of another dtype", func(c *layouttest.Checkpoint) {
			x := double(embedding(c))
			x.Name, x.Data = names.Head, bytes.Clone(x.Data)
			x.Data[len(x.Data)-8] ^= 1
			c.Tensors = append(c.Tensors, x)
		}, false, "differs from " + names.Embedding},
		{"in place of the embedding", func(c *layouttest.Checkpoint) { c.At(t, names.Embedding).Name = names.Head }, true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := layouttest.Load(t)
			test.damage(c)
			ck := open(t, c.Write(t), loader.Options{Strict: true})
			if got := ck.Tied(); got != test.tied {
				t.Errorf("tied %t, want %t", got, test.tied)
			}
			problems := ck.Problems()
			if test.warning == "" && len(problems) > 0 ||
				test.warning != "" && (len(problems) != 1 || problems[0].Severity != loader.Warning || !strings.Contains(problems[0].Text, test.warning)) {
				t.Errorf("problems %v, want %q", problems, test.warning)
			}
			b := loader.NewBinder(ck)
			head, embeddings := b.Take(names.Head), b.Take(names.Embedding)
			if b.Err() != nil {
				t.Fatal(b.Err())
			}
			stored, isStored := ck.Tensor(names.Head)
			if isStored && &head.Data[0] != &stored.Data[0] {
				t.Error("the stored head is not used")
			}
			if !isStored && &head.Data[0] != &embeddings.Data[0] {
				t.Error("the head is not the embedding")
			}
		})
	}
}

func TestBinder(t *testing.T) {
	ck := open(t, filepath.Join(layouttest.Fixtures, "default"), loader.Options{})
	b := loader.NewBinder(ck)
	mixer := b.Layer(3).Under("mixer.")
	if got, want := mixer.Take("A_log").Name, "backbone.layers.3.mixer.A_log"; got != want {
		t.Errorf("took %q, want %q", got, want)
	}
	mixer.Take("in_proj.bias") // use_bias is false
	if b.Err() == nil || !strings.Contains(b.Err().Error(), `no tensor "backbone.layers.3.mixer.in_proj.bias"`) {
		t.Errorf("taking what is not in the table: %v", b.Err())
	}
	if got := b.Take(names.Embedding); got.Data != nil {
		t.Error("a binder with an error goes on")
	}

	c := layouttest.Load(t)
	c.Drop("norm_f")
	broken := loader.NewBinder(open(t, c.Write(t), loader.Options{}))
	if got := broken.Take(names.Embedding); got.Data != nil || broken.Err() == nil {
		t.Errorf("a checkpoint with errors binds: %v", broken.Err())
	}
}
