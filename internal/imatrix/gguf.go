package imatrix

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/tensor"
)

var f32, _ = gguf.TypeOf(tensor.F32)

const (
	typeKey      = "general.type"
	fileType     = "imatrix"
	datasetsKey  = "imatrix.datasets"
	chunksKey    = "imatrix.chunk_count"
	chunkSizeKey = "imatrix.chunk_size"

	sumsSuffix   = ".in_sum2"
	countsSuffix = ".counts"
)

// readGGUF reads the form of today.
func (m *Matrix) readGGUF(data []byte) error {
	f, err := gguf.Parse(m.path, data)
	if err != nil {
		return err
	}
	kind, _ := f.Str(typeKey)                                              // may be missing
	if _, ok := f.Lookup("general.architecture"); ok && kind != fileType { // gguf-py writes one into every file
		return m.bad("", "is a model, expected an importance matrix")
	}
	if m.Datasets, err = f.Strings(datasetsKey); err != nil {
		return err
	}
	m.Datasets = slices.Clone(m.Datasets)
	for i, s := range m.Datasets {
		m.Datasets[i] = strings.Clone(s)
	}
	chunks, err := f.Uint(chunksKey)
	size, err2 := f.Uint(chunkSizeKey)
	if err := cmp.Or(err, err2); err != nil {
		return err
	}
	if chunks > math.MaxUint32 || size > math.MaxUint32 {
		return m.bad("", fmt.Sprintf("counts %d chunks of %d tokens", chunks, size))
	}
	m.Chunks, m.ChunkSize = int(chunks), int(size)
	for _, t := range f.Tensors() {
		if name, ok := strings.CutSuffix(t.Name, countsSuffix); ok {
			if _, ok := f.Tensor(name + sumsSuffix); !ok {
				return m.bad(t.Name, "does not have a tensor "+badfile.Quote(name+sumsSuffix)+" beside it")
			}
		}
		name, ok := strings.CutSuffix(t.Name, sumsSuffix)
		if !ok {
			continue
		}
		counts, ok := f.Tensor(name + countsSuffix)
		switch {
		case !ok:
			return m.bad(t.Name, "does not have a tensor "+badfile.Quote(name+countsSuffix)+" beside it")
		case t.Type != f32 || counts.Type != f32:
			return m.bad(t.Name, fmt.Sprintf("is %s, its counts are %s, expected F32", t.Type, counts.Type))
		case len(t.Data) == 0 || len(counts.Data) == 0 || len(t.Data)%len(counts.Data) != 0:
			return m.bad(t.Name, fmt.Sprintf("has %s for %s", badfile.Count(len(t.Data)/4, "sum"), badfile.Count(len(counts.Data)/4, "count")))
		}
		m.entries[strings.Clone(name)] = entry{sums: t.Data, counts: counts.Data}
	}
	return nil
}

// Sums is what a run over a text has collected of one tensor.
type Sums struct {
	Squares [][]float64 // of each matrix, the sum of the squares of each of its input columns
	Counts  []int       // of each matrix, over how many tokens
}

// Write writes a file at path in the form of today, which llama-quantize reads. The same input gives the same bytes.
// Errors: those of atomicfile, and of gguf.Layout.
func Write(path string, about About, sums map[string]Sums, opts atomicfile.Options) (err error) {
	kvs := []gguf.KV{
		{Key: typeKey, Value: gguf.Of(fileType)},
		{Key: datasetsKey, Value: gguf.ArrayOf(about.Datasets)},
		{Key: chunksKey, Value: gguf.Of(uint32(about.Chunks))},
		{Key: chunkSizeKey, Value: gguf.Of(uint32(about.ChunkSize))},
	}
	var entries []gguf.Entry
	data := map[string][]byte{}
	add := func(name string, shape []int, values []float64) {
		if shape[0] == 1 {
			shape = shape[1:] // as ggml counts dimensions
		}
		entries = append(entries, gguf.Entry{Name: name, Type: f32, Shape: shape})
		data[name] = encode(values)
	}
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		s := sums[name]
		counts := make([]float64, len(s.Counts))
		for i, n := range s.Counts {
			counts[i] = float64(n)
		}
		add(name+sumsSuffix, []int{len(s.Squares), len(s.Squares[0])}, slices.Concat(s.Squares...))
		add(name+countsSuffix, []int{len(counts), 1}, counts)
	}
	_, _, size, err := gguf.Layout(kvs, entries)
	if err != nil {
		return err
	}
	opts.Need = size
	file, err := atomicfile.CreateFile(path, opts)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			file.Abort() // the other error is the one that matters
		}
	}()
	w, err := gguf.NewWriter(file, kvs, entries)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := w.WriteAt(e.Name, 0, data[e.Name]); err != nil {
			return err
		}
	}
	return cmp.Or(w.Close(), file.Commit())
}

// encode returns values as little-endian float32.
func encode(values []float64) []byte {
	b := make([]byte, 0, 4*len(values))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
	}
	return b
}
