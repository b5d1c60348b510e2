package torchbin

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/tensor"
	"github.com/google/go-cmp/cmp"
)

// memory is a file in memory.
type memory struct{ data []byte }

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	if end := int(off) + len(p); end > len(m.data) {
		m.data = append(m.data, make([]byte, end-len(m.data))...)
	}
	return copy(m.data[off:], p), nil
}

// write writes the tensors from the last to the first, those that share a storage by their first.
func write(w io.WriterAt, top string, entries []Entry, tensors []tensor.Tensor) error {
	tw, err := NewWriter(w, top, entries)
	if err != nil {
		return err
	}
	for i, x := range slices.Backward(tensors) {
		if entries[i].Shares != "" {
			continue
		}
		step := max(7, len(x.Data)/100)
		for at := 0; at < len(x.Data); at += step {
			if err := tw.WriteAt(x.Name, int64(at), x.Data[at:min(at+step, len(x.Data))]); err != nil {
				return err
			}
		}
	}
	return tw.Close()
}

// TestWriteAsTorch writes what torch wrote, byte for byte up to torch's last record.
func TestWriteAsTorch(t *testing.T) {
	want := fixture(t, "model")
	f, err := Parse("model", want)
	if err != nil {
		t.Fatal(err)
	}
	var got memory
	if err := write(&got, "model", f.entries(), f.Tensors()); err != nil {
		t.Fatal(err)
	}
	records, err := readZip("model", want)
	if err != nil {
		t.Fatal(err)
	}
	last := records[len(records)-1]
	if last.name != "model/.data/serialization_id" {
		t.Fatalf("last record %s", last.name)
	}
	if n := int(last.header); !bytes.Equal(got.data[:n], want[:n]) {
		t.Errorf("differs from torch:\n%x\n%x", got.data[:n], want[:n])
	}
	if size, err := Size("model", f.entries()); err != nil || size != int64(len(got.data)) {
		t.Errorf("size %d, expected %d (%v)", size, len(got.data), err)
	}
}

// TestWriteManyAsTorch does so for a file of which only the digest is stored, with every form a number takes in a pickle.
func TestWriteManyAsTorch(t *testing.T) {
	var entries []Entry
	var tensors []tensor.Tensor
	for i := range 1000 {
		entries = append(entries, Entry{Name: fmt.Sprint("t", i), DType: tensor.F32, Shape: []int{0, 255 + i%2}})
	}
	entries = append(entries, Entry{Name: "last", DType: tensor.U8, Shape: []int{2, 1, 5, 7000}})
	for _, e := range entries {
		tensors = append(tensors, tensor.Tensor{Name: e.Name, Data: make([]byte, e.bytes())})
	}
	var b memory
	if err := write(&b, "many", entries, tensors); err != nil {
		t.Fatal(err)
	}
	digest, err := os.ReadFile("testdata/many.sha256")
	if err != nil {
		t.Fatal(err)
	}
	var sum string
	var size int
	if _, err := fmt.Sscan(string(digest), &sum, &size); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(b.data[:size])); got != sum {
		t.Errorf("digest %s, expected %s", got, sum)
	}
}

// TestHalfPatterns passes all 65,536 patterns of the 16-bit floats through a file.
func TestHalfPatterns(t *testing.T) {
	var all []byte
	for i := range 1 << 16 {
		all = le.AppendUint16(all, uint16(i))
	}
	entries := []Entry{{Name: "f16", DType: tensor.F16, Shape: []int{256, 256}}, {Name: "bf16", DType: tensor.BF16, Shape: []int{65536}}}
	tensors := []tensor.Tensor{{Name: "f16", Data: all}, {Name: "bf16", Data: all}}
	var b memory
	if err := write(&b, "half", entries, tensors); err != nil {
		t.Fatal(err)
	}
	f, err := Parse("half.bin", b.data)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range f.Tensors() {
		if !bytes.Equal(x.Data, all) {
			t.Errorf("%s changed", x.Name)
		}
	}
	if err := f.VerifyCRC(t.Context()); err != nil {
		t.Error(err)
	}
}

// sparse is a file in which blocks of zeros become holes.
type sparse struct{ *os.File }

var zeros = make([]byte, 16<<20)

func (s sparse) WriteAt(p []byte, off int64) (int, error) {
	if len(p) <= len(zeros) && bytes.Equal(p, zeros[:len(p)]) {
		return len(p), nil // more follows
	}
	return s.File.WriteAt(p, off)
}

// writeBig writes a tensor of 4 GiB, a small one and an empty one.
func writeBig(w *Writer) error {
	const size = int64(1 << 32)
	errs := []error{w.WriteAt("small", 0, []byte{5, 6, 7, 8, 9, 10}), w.WriteAt("big", size-4, []byte{1, 2, 3, 4})}
	for at := int64(0); at < size-4; at += int64(len(zeros)) {
		errs = append(errs, w.WriteAt("big", at, zeros[:min(int64(len(zeros)), size-4-at)]))
	}
	return errors.Join(append(errs, w.Close())...)
}

// TestBeyond4GiB writes and reads sizes and offsets that take the zip64 form, in little memory.
func TestBeyond4GiB(t *testing.T) {
	if math.MaxInt == math.MaxInt32 {
		return // cannot be mapped there
	}
	path := filepath.Join(t.TempDir(), "big.bin")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	entries := []Entry{
		{Name: "big", DType: tensor.F32, Shape: []int{1 << 30, 1}},
		{Name: "small", DType: tensor.F16, Shape: []int{3}},
		{Name: "none", DType: tensor.F64, Shape: []int{0}},
		{Name: "tied", DType: tensor.F32, Shape: []int{1 << 30, 1}, Shares: "big"},
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w, err := NewWriter(sparse{file}, "big", entries)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeBig(w); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	runtime.ReadMemStats(&after)
	if spent := after.TotalAlloc - before.TotalAlloc; spent > 1<<20 {
		t.Errorf("%d bytes allocated", spent)
	}
	if diff := cmp.Diff(entries, f.entries()); diff != "" {
		t.Error(diff)
	}
	all := f.Tensors()
	if !bytes.Equal(all[0].Data[len(all[0].Data)-4:], []byte{1, 2, 3, 4}) || !bytes.Equal(all[1].Data, []byte{5, 6, 7, 8, 9, 10}) {
		t.Error("data is not where it belongs")
	}
	if err := f.VerifyCRC(t.Context(), "small", "none"); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if size, err := Size("big", entries); err != nil || size != info.Size() {
		t.Errorf("size %d, expected %d (%v)", size, info.Size(), err)
	}
}

func TestWriterErrors(t *testing.T) {
	a := Entry{Name: "a", DType: tensor.F32, Shape: []int{2}}
	for want, entries := range map[string][]Entry{
		`torchbin: tensor "a": is there twice`:                                                                          {a, a},
		`torchbin: tensor "b": dtype U16 cannot be written`:                                                             {{Name: "b", DType: tensor.U16}},
		`torchbin: tensor "b": dtype DType(0) cannot be written`:                                                        {{Name: "b"}},
		`torchbin: tensor "b": shape [-1] cannot be written`:                                                            {{Name: "b", DType: tensor.F32, Shape: []int{-1}}},
		`torchbin: tensor "b\xff": name is not UTF-8`:                                                                   {{Name: "b\xff", DType: tensor.F32}},
		`torchbin: tensor "b": cannot share the storage of "c", expected an earlier tensor of the same dtype and shape`: {a, {Name: "b", DType: tensor.F32, Shape: []int{2}, Shares: "c"}},
		`torchbin: tensor "b": cannot share the storage of "b", expected an earlier tensor of the same dtype and shape`: {{Name: "b", DType: tensor.F32, Shares: "b"}},
		`torchbin: tensor "b": cannot share the storage of "a", expected an earlier tensor of the same dtype and shape`: {a, {Name: "b", DType: tensor.F32, Shape: []int{1, 2}, Shares: "a"}},
	} {
		if _, err := NewWriter(nowhere{}, "top", entries); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if _, err := Size("top", entries); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	for _, top := range []string{"", ".", "..", "a/b", `a\b`, "a\x00", "\xff", strings.Repeat("x", 1000)} {
		if _, err := NewWriter(nowhere{}, top, nil); err == nil {
			t.Errorf("%q was accepted", top)
		}
	}
	b := Entry{Name: "b", DType: tensor.F32, Shape: []int{2}}
	for want, steps := range map[string]func(w *Writer) error{
		`torchbin: tensor "b": incomplete, byte 0 of 8 was never written`: func(w *Writer) error { return errors.Join(w.WriteAt("a", 0, make([]byte, 8)), w.Close()) },
		`torchbin: tensor "a": 9 bytes at 0 do not fit its 8 bytes`:       func(w *Writer) error { return w.WriteAt("a", 0, make([]byte, 9)) },
		`torchbin: tensor "c" was not announced`:                          func(w *Writer) error { return w.WriteAt("c", 0, make([]byte, 8)) },
	} {
		w, err := NewWriter(nowhere{}, "top", []Entry{a, b, {Name: "c", DType: tensor.F32, Shape: []int{2}, Shares: "a"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := steps(w); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// full is a disk with room for some bytes.
type full struct{ room int }

func (f *full) WriteAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > int64(f.room) {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

// TestDiskFull fails at every possible size but the last.
func TestDiskFull(t *testing.T) {
	f, err := Parse("model", fixture(t, "model"))
	if err != nil {
		t.Fatal(err)
	}
	entries, tensors := f.entries(), f.Tensors()
	size, err := Size("model", entries)
	if err != nil {
		t.Fatal(err)
	}
	for room := range int(size) + 1 {
		if err := write(&full{room}, "model", entries, tensors); (err == nil) != (room == int(size)) || err != nil && !errors.Is(err, io.ErrShortWrite) {
			t.Fatalf("%d of %d bytes: %v", room, size, err)
		}
	}
}
