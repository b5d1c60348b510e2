package gguf

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// memory is a file in memory.
type memory struct{ data []byte }

func (m *memory) WriteAt(p []byte, at int64) (int, error) {
	if end := int(at) + len(p); end > len(m.data) {
		m.data = append(m.data, make([]byte, end-len(m.data))...)
	}
	return copy(m.data[at:], p), nil
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// build returns a file whose tensors hold zeros.
func build(t *testing.T, kvs []KV, entries ...Entry) []byte {
	t.Helper()
	var m memory
	w, err := NewWriter(&m, kvs, entries)
	for _, e := range entries {
		if err == nil {
			size, _ := e.Type.ByteCount(e.Shape)
			err = w.WriteAt(e.Name, 0, make([]byte, size))
		}
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return m.data
}

// copyOf writes what was read.
func copyOf(t *testing.T, f *File) []byte {
	t.Helper()
	entries := []Entry{}
	for _, x := range f.Tensors() {
		entries = append(entries, Entry{x.Name, x.Type, x.Shape})
	}
	var m memory
	w, err := NewWriter(&m, f.KVs(), entries)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range f.Tensors() {
		if err := w.WriteAt(x.Name, 0, x.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return m.data
}

// TestWriteReference writes the reference files again, byte for byte.
func TestWriteReference(t *testing.T) {
	f := open(t, "testdata/all.gguf")
	if !bytes.Equal(copyOf(t, f), readFile(t, "testdata/all.gguf")) {
		t.Error("the copy differs from the reference")
	}
	for _, name := range []string{"1", "2", "3"} {
		path := "testdata/split-0000" + name + "-of-00003.gguf"
		part, err := parse(path, readFile(t, path))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(copyOf(t, part), readFile(t, path)) {
			t.Errorf("part %s differs from the reference", name)
		}
	}
}

// TestWritePieces writes tensors to a file with other things in it, backwards and in uneven pieces.
func TestWritePieces(t *testing.T) {
	src := open(t, "testdata/all.gguf")
	want := readFile(t, "testdata/all.gguf")
	entries := []Entry{}
	for _, x := range src.Tensors() {
		entries = append(entries, Entry{x.Name, x.Type, x.Shape})
	}
	path := filepath.Join(t.TempDir(), "out.gguf")
	if err := os.WriteFile(path, bytes.Repeat([]byte{0xaa}, len(want)), 0o644); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewWriter(file, reference(), entries)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(entries) - 1; i >= 0; i-- {
		x := src.Tensors()[i]
		if i%2 == 0 {
			if _, err := io.CopyBuffer(struct{ io.Writer }{w.Stream(x.Name)}, struct{ io.Reader }{bytes.NewReader(x.Data)}, make([]byte, 7)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for end := len(x.Data); end > 0; end -= 5 {
			begin := max(0, end-5)
			if err := w.WriteAt(x.Name, int64(begin), x.Data[begin:end]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(w.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(readFile(t, path), want) {
		t.Error("the file differs from the reference")
	}
}

func TestLayout(t *testing.T) {
	head, offsets, total, err := Layout([]KV{{alignmentKey, Of[uint32](64)}},
		[]Entry{{"a", F32, []int{1, 17}}, {"b", Q8_0, []int{2, 64}}, {"c", BF16, nil}})
	if err != nil {
		t.Fatal(err)
	}
	if len(head) != 192 || total != 192+128+192+64 {
		t.Errorf("%d bytes before the data, %d in all", len(head), total)
	}
	if diff := cmp.Diff(map[string]int64{"a": 192, "b": 320, "c": 512}, offsets); diff != "" {
		t.Error(diff)
	}
	head, _, total, err = Layout(nil, nil)
	if err != nil || len(head) != 32 || total != 32 {
		t.Errorf("an empty file of %d bytes, %v", total, err)
	}
}

func TestLayoutErrors(t *testing.T) {
	for name, c := range map[string]struct {
		kvs     []KV
		entries []Entry
		want    string
	}{
		"no key":         {[]KV{{"", Of("x")}}, nil, `key "": has no name`},
		"long key":       {[]KV{{strings.Repeat("k", maxKey+1), Of("x")}}, nil, "name of 65536 bytes"},
		"key UTF-8":      {[]KV{{"\xff", Of("x")}}, nil, "not valid UTF-8"},
		"key twice":      {[]KV{{"k", Of("x")}, {"k", Of("x")}}, nil, `key "k": given twice`},
		"no value":       {[]KV{{"k", Value{}}}, nil, `key "k": has no value`},
		"alignment":      {[]KV{{alignmentKey, Of[uint32](33)}}, nil, "must be a u32, a power of two"},
		"alignment kind": {[]KV{{alignmentKey, Of[int32](32)}}, nil, "must be a u32, a power of two"},
		"keys":           {make([]KV, maxKeys+1), nil, "16385 keys, more than"},
		"header":         {[]KV{{"k", Of(strings.Repeat("x", maxHeader))}}, nil, "a file may have 33554432"},
		"tensors":        {nil, make([]Entry, maxTensors+1), "65537 tensors, more than"},
		"long name":      {nil, []Entry{{strings.Repeat("n", 64), F32, nil}}, "name of 64 bytes, llama.cpp loads 63"},
		"name UTF-8":     {nil, []Entry{{"\xff", F32, nil}}, "not valid UTF-8"},
		"tensor twice":   {nil, []Entry{{"a", F32, nil}, {"a", F32, nil}}, `tensor "a": announced twice`},
		"type":           {nil, []Entry{{"a", 5, nil}}, `tensor "a": has the unknown type 5`},
		"dimensions":     {nil, []Entry{{"a", F32, []int{1, 1, 1, 1, 1}}}, "has 5 dimensions"},
		"dimension":      {nil, []Entry{{"a", F32, []int{3, 0}}}, "shape [3 0] has a dimension below 1"},
		"row":            {nil, []Entry{{"a", Q8_0, []int{32, 33}}}, "Q8_0 [32 33] does not fit a file, or its row length is not a multiple of 32"},
		"overflow":       {nil, []Entry{{"a", F32, []int{math.MaxInt}}}, "does not fit a file"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewWriter(&memory{}, c.kvs, c.entries)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	half := math.MaxInt/2 + 1
	if _, _, _, err := Layout(nil, []Entry{{"a", I8, []int{half}}, {"b", I8, []int{half}}}); (err == nil) != (math.MaxInt == math.MaxInt32) {
		t.Error(err)
	}
}

func TestWriterErrors(t *testing.T) {
	writerTo := func(to io.WriterAt) *Writer {
		w, err := NewWriter(to, nil, []Entry{{"a", I8, []int{10}}, {"b", I8, []int{2}}})
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	newWriter := func() *Writer { return writerTo(&memory{}) }
	for name, c := range map[string]struct {
		write func(w *Writer) error
		want  string
	}{
		"unknown": {func(w *Writer) error { return w.WriteAt("c", 0, nil) }, `tensor "c" was not announced`},
		"stream":  {func(w *Writer) error { _, err := w.Stream("c").Write(nil); return err }, `tensor "c" was not announced`},
		"beyond":  {func(w *Writer) error { return w.WriteAt("a", 9, make([]byte, 2)) }, `tensor "a": 2 bytes at 9 do not fit its 10 bytes`},
		"before":  {func(w *Writer) error { return w.WriteAt("a", -1, make([]byte, 1)) }, "do not fit"},
		"far":     {func(w *Writer) error { return w.WriteAt("a", math.MaxInt64, make([]byte, 1)) }, "do not fit"},
		"overlap": {func(w *Writer) error { w.WriteAt("a", 3, make([]byte, 4)); return w.WriteAt("a", 0, make([]byte, 4)) }, "some of bytes 0 to 4 were written before"},
		"nothing": {func(w *Writer) error { return w.Close() }, `tensor "a": incomplete, byte 0 of 10 was never written`},
		"gap": {func(w *Writer) error {
			w.WriteAt("a", 0, make([]byte, 4))
			w.WriteAt("a", 5, make([]byte, 5))
			return w.Close()
		}, "byte 4 of 10 was never"},
		"second":   {func(w *Writer) error { w.WriteAt("a", 0, make([]byte, 10)); return w.Close() }, `tensor "b": incomplete`},
		"remember": {func(w *Writer) error { w.WriteAt("c", 0, nil); return w.Close() }, `"c" was not announced`},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.write(newWriter()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}

	full := errors.New("no space left on device")
	w := writerTo(failing{full, 1})
	if err := w.WriteAt("a", 0, make([]byte, 10)); !errors.Is(err, full) || !strings.Contains(err.Error(), `tensor "a"`) {
		t.Error(err)
	}
	if err := w.Close(); !errors.Is(err, full) {
		t.Errorf("Close forgot a failed write: %v", err)
	}
	if _, err := NewWriter(failing{full, 0}, nil, nil); !errors.Is(err, full) {
		t.Error(err)
	}
	_, offsets, _, err := Layout(nil, []Entry{{"a", I8, []int{10}}, {"b", I8, []int{2}}})
	if err != nil {
		t.Fatal(err)
	}
	w = writerTo(failing{full, offsets["b"] + 2})
	if err := errors.Join(w.WriteAt("a", 0, make([]byte, 10)), w.WriteAt("b", 0, make([]byte, 2))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); !errors.Is(err, full) {
		t.Errorf("Close did not say that padding failed: %v", err)
	}
}

// failing takes what comes before an offset.
type failing struct {
	err  error
	from int64
}

func (f failing) WriteAt(p []byte, at int64) (int, error) {
	if at >= f.from {
		return 0, f.err
	}
	return len(p), nil
}
