// Package layouttest makes checkpoints for tests of the packages that open them: copies of a fixture that a test damages.
package layouttest

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
	"github.com/gomamba/gomamba/internal/safetensors/safetensorstest"
	"github.com/gomamba/gomamba/tensor"
)

// Fixtures are those of Mamba-1, seen from a package at the top.
const Fixtures = "../fixtures/mamba1"

// Checkpoint is a copy of a fixture in memory, to be damaged and written.
type Checkpoint struct {
	Config  string
	Tensors []tensor.Tensor
	ShardOf func(name string) string // nil: a single file
	Index   string                   // text of the index; empty: what ShardOf says
}

// Load copies the fixture "default": V 128, D 32, L 4, I 64, N 16, K 4, R 2, tied.
func Load(t *testing.T) *Checkpoint {
	t.Helper()
	return LoadFrom(t, filepath.Join(Fixtures, "default"))
}

// LoadFrom copies a checkpoint of one file.
func LoadFrom(t *testing.T, dir string) *Checkpoint {
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
	return &Checkpoint{Config: string(config), Tensors: slices.Clone(f.Tensors())}
}

// At returns the tensor of that name.
func (c *Checkpoint) At(t *testing.T, name string) *tensor.Tensor {
	t.Helper()
	i := slices.IndexFunc(c.Tensors, func(x tensor.Tensor) bool { return x.Name == name })
	if i < 0 {
		t.Fatalf("the fixture has no %s", name)
	}
	return &c.Tensors[i]
}

// Drop removes the tensors whose names contain part.
func (c *Checkpoint) Drop(part string) {
	c.Tensors = slices.DeleteFunc(c.Tensors, func(x tensor.Tensor) bool { return strings.Contains(x.Name, part) })
}

// Add appends zeros.
func (c *Checkpoint) Add(name string, dtype tensor.DType, shape ...int) {
	n, _ := tensor.ByteCount(dtype, shape)
	c.Tensors = append(c.Tensors, tensor.Tensor{Name: name, DType: dtype, Shape: shape, Data: make([]byte, n)})
}

// Rename applies f to all names.
func (c *Checkpoint) Rename(f func(string) string) {
	for i := range c.Tensors {
		c.Tensors[i].Name = f(c.Tensors[i].Name)
	}
}

// Edit replaces a part of the configuration.
func (c *Checkpoint) Edit(old, new string) { c.Config = strings.Replace(c.Config, old, new, 1) }

// Halves puts the first two blocks into a.safetensors and the rest into b.safetensors.
func Halves(name string) string {
	if strings.Contains(name, "layers.0.") || strings.Contains(name, "layers.1.") {
		return "a.safetensors"
	}
	return "b.safetensors"
}

// Write writes c into a new folder.
func (c *Checkpoint) Write(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if c.Config != "" {
		WriteFile(t, filepath.Join(dir, filenames.Config), []byte(c.Config))
	}
	if c.ShardOf == nil {
		WriteTensors(t, filepath.Join(dir, filenames.ModelFile), c.Tensors)
		return dir
	}
	shards := make(map[string][]tensor.Tensor)
	var entries []string
	for _, x := range c.Tensors {
		shard := c.ShardOf(x.Name)
		shards[shard] = append(shards[shard], x)
		entries = append(entries, `"`+x.Name+`": "`+shard+`"`)
	}
	for shard, tensors := range shards {
		WriteTensors(t, filepath.Join(dir, shard), tensors)
	}
	if c.Index == "" {
		c.Index = `{"metadata": {}, "weight_map": {` + strings.Join(entries, ", ") + `}}`
	}
	WriteFile(t, filepath.Join(dir, filenames.ModelIndex), []byte(c.Index))
	return dir
}

// WriteFile writes a file.
func WriteFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// WriteTensors writes a safetensors file.
func WriteTensors(t *testing.T, path string, tensors []tensor.Tensor) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := safetensorstest.Write(f, tensors, map[string]string{"format": "pt"}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// WriteRaw writes tensors and one more, of zeros and of a dtype that no writer takes.
func WriteRaw(t *testing.T, path string, tensors []tensor.Tensor, name string, dtype tensor.DType, shape []int) {
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
	WriteFile(t, path, slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header, body))
}
