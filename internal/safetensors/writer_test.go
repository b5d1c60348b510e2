package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gomamba/gomamba/internal/hostile"
	"github.com/gomamba/gomamba/tensor"
	"github.com/google/go-cmp/cmp"
)

// memory is an io.WriterAt over a growing slice.
type memory struct {
	mu   sync.Mutex
	data []byte
}

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if need := int(off) + len(p); need > len(m.data) {
		m.data = append(m.data, make([]byte, need-len(m.data))...)
	}
	return copy(m.data[off:], p), nil
}

// TestWriteReference writes what testdata/generate.py wrote with the reference package and compares bytes.
func TestWriteReference(t *testing.T) {
	for _, name := range []string{"single", "mixed"} {
		want, err := os.ReadFile(filepath.Join("testdata", name+".safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		f, err := Parse(name, want)
		if err != nil {
			t.Fatal(err)
		}
		tensors := append([]tensor.Tensor(nil), f.Tensors()...)
		rand.New(rand.NewPCG(7, 8)).Shuffle(len(tensors), func(i, j int) { tensors[i], tensors[j] = tensors[j], tensors[i] })
		var m memory
		if err := write(&m, tensors, f.Metadata()); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(m.data, want) {
			t.Errorf("%s: wrote\n%q, the reference\n%q", name, m.data, want)
		}
	}
}

// TestWritePieces writes tensors in pieces, out of order and from several goroutines, into a real file.
func TestWritePieces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.safetensors")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	values := make([]float32, 1000)
	for i := range values {
		values[i] = float32(i)
	}
	values[3] = math.Float32frombits(0x7f800001) // a signalling NaN stays one
	big, small := tensor.Of("big", values, 10, 100), tensor.Of("small", []int64{-1}, 1)
	w, err := NewWriter(file, []Entry{{"small", small.DType, small.Shape}, {"big", big.DType, big.Shape}, {"none", tensor.F16, []int{0}}},
		map[string]string{"b": "2", "a": "1"})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for _, i := range rand.New(rand.NewPCG(9, 10)).Perm(40) {
		group.Go(func() {
			if err := w.WriteAt("big", int64(100*i), big.Data[100*i:100*(i+1)]); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	stream := w.Stream("small")
	for _, b := range small.Data {
		if n, err := stream.Write([]byte{b}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := errors.Join(w.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if diff := cmp.Diff(map[string]string{"a": "1", "b": "2"}, f.Metadata()); diff != "" {
		t.Error(diff)
	}
	for _, want := range []tensor.Tensor{big, small} {
		if got, ok := f.Tensor(want.Name); !ok || !bytes.Equal(got.Data, want.Data) || !cmp.Equal(got.Shape, want.Shape) {
			t.Errorf("%s came back different", want.Name)
		}
	}
}

func TestWriterErrors(t *testing.T) {
	newWriter := func() *Writer {
		w, err := NewWriter(&memory{}, []Entry{{"a", tensor.U8, []int{10}}, {"b", tensor.U8, []int{2}}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
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
		"inside":  {func(w *Writer) error { w.WriteAt("a", 0, make([]byte, 9)); return w.WriteAt("a", 3, make([]byte, 1)) }, "written before"},
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
	w, err := NewWriter(failing{full, 1}, []Entry{{"a", tensor.U8, []int{10}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteAt("a", 0, make([]byte, 10)); !errors.Is(err, full) || !strings.Contains(err.Error(), `tensor "a"`) {
		t.Error(err)
	}
	if err := w.Close(); !errors.Is(err, full) {
		t.Errorf("Close forgot a failed write: %v", err)
	}
	if _, err := NewWriter(failing{full, 0}, nil, nil); !errors.Is(err, full) {
		t.Error(err)
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

func TestLayoutErrors(t *testing.T) {
	for name, c := range map[string]struct {
		entries  []Entry
		metadata map[string]string
		want     string
	}{
		"twice":     {[]Entry{{"a", tensor.U8, nil}, {"a", tensor.U8, nil}}, nil, `tensor "a": announced twice`},
		"reserved":  {[]Entry{{metadataKey, tensor.U8, nil}}, nil, "reserved"},
		"UTF-8":     {[]Entry{{"\xff", tensor.U8, nil}}, nil, "not valid UTF-8"},
		"metadata":  {nil, map[string]string{"k": "\xff"}, `metadata key "k": not valid UTF-8`},
		"dtype":     {[]Entry{{"a", 0, nil}}, nil, "has no dtype"},
		"dims":      {[]Entry{{"a", tensor.U8, make([]int, 9)}}, nil, "has 9 dimensions"},
		"negative":  {[]Entry{{"a", tensor.U8, []int{-1}}}, nil, "shape [-1] does not fit"},
		"overflow":  {[]Entry{{"a", tensor.F64, []int{math.MaxInt / 4}}}, nil, "does not fit"},
		"keys":      {make([]Entry, maxKeys+1), nil, "more than the 65536"},
		"long name": {[]Entry{{strings.Repeat("a", maxHeader), tensor.U8, nil}}, nil, "more than the 16777216 a header may have"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, err := Layout(c.entries, c.metadata)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// TestLayoutSum adds up to more than a file offset can say, which takes tensors that only 64 bits can address.
func TestLayoutSum(t *testing.T) {
	half := []Entry{{"a", tensor.U8, []int{math.MaxInt/2 + 1}}, {"b", tensor.U8, []int{math.MaxInt/2 + 1}}}
	_, _, total, err := Layout(half, nil)
	if math.MaxInt == math.MaxInt32 {
		if err != nil || total < 1<<31 {
			t.Errorf("%d, %v", total, err)
		}
	} else if err == nil || !strings.Contains(err.Error(), `tensor "b": shape`) {
		t.Errorf("got %v", err)
	}
}

// FuzzParse feeds arbitrary files to the reader. One that is accepted lies wholly inside its bounds, its tensors
// cover the data exactly, and it survives being written and read again.
func FuzzParse(f *testing.F) {
	for _, seed := range hostile.Seeds(".safetensors") {
		f.Add(seed)
	}
	for _, c := range malformed {
		if len(c.data) < 1<<12 {
			f.Add(c.data)
		}
	}
	for _, name := range []string{"single", "mixed"} {
		data, err := os.ReadFile(filepath.Join("testdata", name+".safetensors"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		parsed, err := Parse("fuzz", data)
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 1<<20+64*uint64(len(data)) {
			t.Fatalf("%d bytes allocated for a file of %d", spent, len(data))
		}
		if lenient, passed, again := parse("fuzz", data, true); (again == nil && len(passed) == 0) != (err == nil) {
			t.Fatalf("%v, leniently %v, passing over %v", err, again, passed)
		} else if again == nil {
			for _, x := range lenient.Tensors() {
				if n, ok := tensor.ByteCount(x.DType, x.Shape); !ok || n != len(x.Data) {
					t.Fatalf("%q: %v %v has %d bytes", x.Name, x.DType, x.Shape, len(x.Data))
				}
			}
		}
		if err != nil {
			return
		}
		header := binary.LittleEndian.Uint64(data)
		body, sum := data[8+header:], 0
		for _, x := range parsed.Tensors() {
			n, ok := tensor.ByteCount(x.DType, x.Shape)
			if !ok || n != len(x.Data) {
				t.Fatalf("%q: %v %v has %d bytes", x.Name, x.DType, x.Shape, len(x.Data))
			}
			if n > 0 && &x.Data[0] != &body[sum] {
				t.Fatalf("%q does not begin where the one before ends", x.Name)
			}
			sum += n
		}
		if sum != len(body) {
			t.Fatalf("tensors cover %d of %d bytes", sum, len(body))
		}
		if slices.ContainsFunc(parsed.Tensors(), func(x tensor.Tensor) bool { return !x.DType.Plain() }) {
			return // which nothing writes
		}
		var m memory
		if err := write(&m, parsed.Tensors(), parsed.Metadata()); err != nil {
			t.Fatal(err)
		}
		again, err := Parse("again", m.data)
		if err != nil {
			t.Fatal(err)
		}
		if len(again.Tensors()) != len(parsed.Tensors()) {
			t.Fatalf("%d tensors became %d", len(parsed.Tensors()), len(again.Tensors()))
		}
		for _, x := range parsed.Tensors() {
			y, ok := again.Tensor(x.Name)
			if !ok || y.DType != x.DType || !cmp.Equal(y.Shape, x.Shape) || !bytes.Equal(y.Data, x.Data) {
				t.Fatalf("%q changed: %v", x.Name, cmp.Diff(x, y))
			}
		}
		if len(parsed.Metadata()) > 0 && !cmp.Equal(parsed.Metadata(), again.Metadata()) {
			t.Fatal(cmp.Diff(parsed.Metadata(), again.Metadata()))
		}
	})
}

// write writes a whole file from tensors in memory.
func write(w io.WriterAt, tensors []tensor.Tensor, metadata map[string]string) error {
	var entries []Entry
	for _, t := range tensors {
		entries = append(entries, Entry{t.Name, t.DType, t.Shape})
	}
	sw, err := NewWriter(w, entries, metadata)
	if err != nil {
		return err
	}
	for _, t := range tensors {
		if err := sw.WriteAt(t.Name, 0, t.Data); err != nil {
			return err
		}
	}
	return sw.Close()
}
