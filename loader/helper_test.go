package loader

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/tensor"
)

const fixtures = "../fixtures/mamba1"

// checkpoint is a copy of a fixture in memory, to be damaged and written.
type checkpoint struct {
	config  string
	tensors []tensor.Tensor
	shardOf func(name string) string // nil: a single file
	index   string                   // text of the index; empty: what shardOf says
}

// load copies the fixture "default": V 128, D 32, L 4, I 64, N 16, K 4, R 2, tied.
func load(t *testing.T) *checkpoint {
	t.Helper()
	return loadFrom(t, filepath.Join(fixtures, "default"))
}

// loadFrom copies a checkpoint of one file.
func loadFrom(t *testing.T, dir string) *checkpoint {
	t.Helper()
	config, err := os.ReadFile(filepath.Join(dir, filenames.Config))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, filenames.ModelFile))
	if err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Parse("default", data)
	if err != nil {
		t.Fatal(err)
	}
	return &checkpoint{config: string(config), tensors: slices.Clone(f.Tensors())}
}

func (c *checkpoint) at(t *testing.T, name string) *tensor.Tensor {
	t.Helper()
	i := slices.IndexFunc(c.tensors, func(x tensor.Tensor) bool { return x.Name == name })
	if i < 0 {
		t.Fatalf("the fixture has no %s", name)
	}
	return &c.tensors[i]
}

// drop removes the tensors whose names contain part.
func (c *checkpoint) drop(part string) {
	c.tensors = slices.DeleteFunc(c.tensors, func(x tensor.Tensor) bool { return strings.Contains(x.Name, part) })
}

// add appends zeros.
func (c *checkpoint) add(name string, dtype tensor.DType, shape ...int) {
	n, _ := tensor.ByteCount(dtype, shape)
	c.tensors = append(c.tensors, tensor.Tensor{Name: name, DType: dtype, Shape: shape, Data: make([]byte, n)})
}

// rename applies f to all names.
func (c *checkpoint) rename(f func(string) string) {
	for i := range c.tensors {
		c.tensors[i].Name = f(c.tensors[i].Name)
	}
}

func (c *checkpoint) edit(old, new string) { c.config = strings.Replace(c.config, old, new, 1) }

// halves puts the first two blocks into a.safetensors and the rest into b.safetensors.
func halves(name string) string {
	if strings.Contains(name, "layers.0.") || strings.Contains(name, "layers.1.") {
		return "a.safetensors"
	}
	return "b.safetensors"
}

// write writes c into a new folder.
func (c *checkpoint) write(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if c.config != "" {
		writeFile(t, filepath.Join(dir, filenames.Config), []byte(c.config))
	}
	if c.shardOf == nil {
		writeTensors(t, filepath.Join(dir, filenames.ModelFile), c.tensors)
		return dir
	}
	shards := make(map[string][]tensor.Tensor)
	var entries []string
	for _, x := range c.tensors {
		shard := c.shardOf(x.Name)
		shards[shard] = append(shards[shard], x)
		entries = append(entries, `"`+x.Name+`": "`+shard+`"`)
	}
	for shard, tensors := range shards {
		writeTensors(t, filepath.Join(dir, shard), tensors)
	}
	if c.index == "" {
		c.index = `{"metadata": {}, "weight_map": {` + strings.Join(entries, ", ") + `}}`
	}
	writeFile(t, filepath.Join(dir, filenames.ModelIndex), []byte(c.index))
	return dir
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func writeTensors(t *testing.T, path string, tensors []tensor.Tensor) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := safetensors.Write(f, tensors, map[string]string{"format": "pt"}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// writeRaw writes tensors and one more, of zeros and of a dtype that no writer takes.
func writeRaw(t *testing.T, path string, tensors []tensor.Tensor, name string, dtype tensor.DType, shape []int) {
	t.Helper()
	var header, body []byte
	entry := func(name string, dtype tensor.DType, shape []int, data []byte) {
		header = fmt.Appendf(header, `,%q:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, name, dtype, strings.ReplaceAll(fmt.Sprint(shape), " ", ","),
			len(body), len(body)+len(data))
		body = append(body, data...)
	}
	for _, x := range tensors {
		entry(x.Name, x.DType, x.Shape, x.Data)
	}
	size, _ := tensor.ByteCount(dtype, shape)
	entry(name, dtype, shape, make([]byte, size))
	header[0] = '{'
	header = append(header, '}')
	writeFile(t, path, slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header, body))
}

// open opens what must open.
func open(t *testing.T, path string, opts Options) *Checkpoint {
	t.Helper()
	ck, err := Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ck.Close(); err != nil {
			t.Error(err)
		}
	})
	return ck
}
