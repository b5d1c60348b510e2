package gguf

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/tensor"
	"github.com/google/go-cmp/cmp"
)

// reference is what testdata/generate.py put into all.gguf.
func reference() []KV {
	return []KV{
		{"general.architecture", Of("mamba")},
		{"one.u8", Of[uint8](math.MaxUint8)}, {"array.u8", ArrayOf([]uint8{0, 1, math.MaxUint8})},
		{"one.i8", Of[int8](math.MaxInt8)}, {"array.i8", ArrayOf([]int8{math.MinInt8, 1, math.MaxInt8})},
		{"one.u16", Of[uint16](math.MaxUint16)}, {"array.u16", ArrayOf([]uint16{0, 1, math.MaxUint16})},
		{"one.i16", Of[int16](math.MaxInt16)}, {"array.i16", ArrayOf([]int16{math.MinInt16, 1, math.MaxInt16})},
		{"one.u32", Of[uint32](math.MaxUint32)}, {"array.u32", ArrayOf([]uint32{0, 1, math.MaxUint32})},
		{"one.i32", Of[int32](math.MaxInt32)}, {"array.i32", ArrayOf([]int32{math.MinInt32, 1, math.MaxInt32})},
		{"one.u64", Of[uint64](math.MaxUint64)}, {"array.u64", ArrayOf([]uint64{0, 1, math.MaxUint64})},
		{"one.i64", Of[int64](math.MaxInt64)}, {"array.i64", ArrayOf([]int64{math.MinInt64, 1, math.MaxInt64})},
		{"one.f32", Of[float32](1e-5)}, {"one.f64", Of(0.1)}, {"one.bool", Of(true)}, {"one.str", Of("Ġné\n")},
		{"array.f32", ArrayOf([]float32{1.5, float32(math.Copysign(0, -1)), float32(math.Inf(1))})},
		{"array.f64", ArrayOf([]float64{0.1, -2})},
		{"array.bool", ArrayOf([]bool{true, false, true})},
		{"array.str", ArrayOf([]string{"", "Ġa", "日本"})},
	}
}

func open(t *testing.T, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(f.Changed(), f.Close()); err != nil {
			t.Error(err)
		}
	})
	return f
}

func TestReadReference(t *testing.T) {
	f := open(t, "testdata/all.gguf")
	if diff := cmp.Diff(reference(), f.KVs()); diff != "" {
		t.Error(diff)
	}
	if f.Version() != 3 || f.Keys()[1] != "one.u8" || !cmp.Equal(f.Paths(), []string{"testdata/all.gguf"}) {
		t.Errorf("version %d, keys %v, paths %v", f.Version(), f.Keys(), f.Paths())
	}
	for i, want := range []struct {
		name  string
		t     Type
		shape []int
	}{
		{"float32", F32, []int{2, 1, 3}}, {"float16", F16, []int{2, 1, 3}}, {"float64", F64, []int{2, 1, 3}},
		{"int8", I8, []int{2, 1, 3}}, {"int16", I16, []int{2, 1, 3}}, {"int32", I32, []int{2, 1, 3}}, {"int64", I64, []int{2, 1, 3}},
		{"bfloat16", BF16, []int{3}}, {"scalar", F32, []int{}}, {"waves", F32, []int{2, 32}}, {"q8_0", Q8_0, []int{2, 32}},
		{"q4_0", 2, []int{2, 32}},
	} {
		got := f.Tensors()[i]
		if got.Name != want.name || got.Type != want.t || !cmp.Equal(got.Shape, want.shape) || got.File != "testdata/all.gguf" {
			t.Errorf("tensor %d is %s, %s %v in %s", i, got.Name, got.Type, got.Shape, got.File)
		}
	}
}

func TestTensorData(t *testing.T) {
	f := open(t, "testdata/all.gguf")
	for _, x := range f.Tensors()[:11] {
		p, err := x.Weight()
		if strings.HasPrefix(x.Name, "int") {
			if err == nil || !strings.Contains(err.Error(), "holds integers of type "+x.Type.String()) {
				t.Errorf("%s: %v", x.Name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if tt, ok := TypeOf(p.DType); !ok || tt != x.Type || p.Name != x.Name || p.File != x.File || !cmp.Equal(p.Shape, x.Shape) {
			t.Errorf("%s became %v", x.Name, p)
		}
		want := []float64{1, 2, 3, 4, 5, 6}[:min(6, x.Elems())]
		switch x.Name {
		case "scalar":
			want = []float64{7}
		case "waves", "q8_0":
			continue // see the tests of package tensor
		}
		if diff := cmp.Diff(want, tensor.Float64s(p)); diff != "" {
			t.Errorf("%s: %s", x.Name, diff)
		}
	}
	conv, _ := f.Tensor("float32")
	if diff := cmp.Diff([]int{2, 1, 3}, conv.Shape); diff != "" || conv.Elems() != 6 {
		t.Error(diff)
	}
	q8, ok := open(t, "testdata/blocks.gguf").Tensor("Q8_K")
	var unsupported *badfile.UnsupportedError
	if _, err := q8.Weight(); !ok || !errors.As(err, &unsupported) ||
		!strings.HasPrefix(err.Error(), `testdata/blocks.gguf: tensor "Q8_K": is of type Q8_K, which llama.cpp uses while it computes`) {
		t.Error(err)
	}
	if _, ok := q8.Type.DType(); ok || q8.Elems() != 2*256 || len(q8.Data) != 2*292 {
		t.Errorf("Q8_K: %d elements in %d bytes", q8.Elems(), len(q8.Data))
	}
	if _, ok := TypeOf(tensor.Bool); ok {
		t.Error("GGUF has no booleans")
	}
	if _, ok := f.Tensor("absent"); ok {
		t.Error("found a tensor that is not there")
	}
}

func TestGetters(t *testing.T) {
	f := open(t, "testdata/all.gguf")
	for key, want := range map[string]int64{"one.u8": math.MaxUint8, "one.i8": math.MaxInt8, "one.u16": math.MaxUint16,
		"one.i16": math.MaxInt16, "one.u32": math.MaxUint32, "one.i32": math.MaxInt32, "one.i64": math.MaxInt64} {
		i, err := f.Int(key)
		u, uerr := f.Uint(key)
		if err != nil || uerr != nil || i != want || u != uint64(want) {
			t.Errorf("%s: %d, %d, %v, %v", key, i, u, err, uerr)
		}
	}
	for _, c := range []struct {
		get  func() (any, error)
		want any
	}{
		{func() (any, error) { return f.Uint("one.u64") }, uint64(math.MaxUint64)},
		{func() (any, error) { return f.Float("one.f32") }, float64(float32(1e-5))},
		{func() (any, error) { return f.Float("one.f64") }, 0.1},
		{func() (any, error) { return f.Bool("one.bool") }, true},
		{func() (any, error) { return f.Str("one.str") }, "Ġné\n"},
		{func() (any, error) { return f.Ints("array.i16") }, []int64{math.MinInt16, 1, math.MaxInt16}},
		{func() (any, error) { return f.Ints("array.u8") }, []int64{0, 1, math.MaxUint8}},
		{func() (any, error) { return f.Floats("array.f32") }, []float64{1.5, math.Copysign(0, -1), math.Inf(1)}},
		{func() (any, error) { return f.Floats("array.f64") }, []float64{0.1, -2}},
		{func() (any, error) { return f.Bools("array.bool") }, []bool{true, false, true}},
		{func() (any, error) { return f.Strings("array.str") }, []string{"", "Ġa", "日本"}},
	} {
		got, err := c.get()
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%v, %s", err, diff)
		}
	}
	v, ok := f.Lookup("array.str")
	if elem, isArray := v.element(); !ok || v.Kind() != KindArray || !isArray || elem != KindString || v.Len() != 3 {
		t.Errorf("array.str is %v of %v", v.Kind(), elem)
	}
	if s, _ := f.Lookup("one.str"); s.Len() != len("Ġné\n") {
		t.Errorf("one.str has %d bytes", s.Len())
	}
}

func TestGetterErrors(t *testing.T) {
	data := build(t, []KV{{"neg", Of[int8](-1)}, {"big", Of[uint64](1 << 63)}, {"bigs", ArrayOf([]uint64{1, 1 << 63})},
		{"f", Of[float32](1)}, {"s", Of("x")}, {"fs", ArrayOf([]float32{1})}, {"b", Of(true)}})
	f, err := Parse("m.gguf", data)
	if err != nil {
		t.Fatal(err)
	}
	for want, get := range map[string]func() error{
		`m.gguf: key "absent": missing, expected an integer`:                          func() error { _, err := f.Int("absent"); return err },
		`m.gguf: key "absent": missing, expected an array of strings`:                 func() error { _, err := f.Strings("absent"); return err },
		`m.gguf: key "s": is of kind str, expected an integer`:                        func() error { _, err := f.Int("s"); return err },
		`m.gguf: key "big": is 9223372036854775808, expected at most 922337203685477`: func() error { _, err := f.Int("big"); return err },
		`m.gguf: key "bigs": element 1 is 9223372036854775808, expected at most 9223`: func() error { _, err := f.Ints("bigs"); return err },
		`m.gguf: key "neg": is -1, expected a non-negative integer`:                   func() error { _, err := f.Uint("neg"); return err },
		`m.gguf: key "fs": is an array of 1 f32, expected a non-negative integer`:     func() error { _, err := f.Uint("fs"); return err },
		`m.gguf: key "neg": is of kind i8, expected a float (f32 or f64)`:             func() error { _, err := f.Float("neg"); return err },
		`m.gguf: key "neg": is of kind i8, expected a bool`:                           func() error { _, err := f.Bool("neg"); return err },
		`m.gguf: key "b": is of kind bool, expected a string`:                         func() error { _, err := f.Str("b"); return err },
		`m.gguf: key "b": is of kind bool, expected an array of integers`:             func() error { _, err := f.Ints("b"); return err },
		`m.gguf: key "bigs": is an array of 2 u64, expected an array of floats`:       func() error { _, err := f.Floats("bigs"); return err },
		`m.gguf: key "fs": is an array of 1 f32, expected an array of bools`:          func() error { _, err := f.Bools("fs"); return err },
		`m.gguf: key "fs": is an array of 1 f32, expected an array of strings`:        func() error { _, err := f.Strings("fs"); return err },
	} {
		err := get()
		var format *badfile.FormatError
		if !errors.As(err, &format) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	var format *badfile.FormatError
	if _, err := Open(dir); !errors.As(err, &format) {
		t.Error(err)
	}
	path := filepath.Join(dir, "x.gguf")
	if err := os.WriteFile(path, []byte("GGUF"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.As(err, &format) || format.File != path {
		t.Error(err)
	}
}

// TestOpenCost opens a file with the vocabulary and the size of an 11 GB checkpoint, its data a hole on disk: what is
// allocated may depend on the number of keys and tensors only, and strings are decoded when asked for.
func TestOpenCost(t *testing.T) {
	columns := 4177
	if math.MaxInt == math.MaxInt32 {
		columns = 100 // as much as can be mapped there
	}
	tokens := make([]string, 50280)
	for i := range tokens {
		tokens[i] = strings.Repeat("t", i%17)
	}
	entries := make([]Entry, 643)
	for i := range entries {
		entries[i] = Entry{"blk." + strings.Repeat("i", i%50) + string(rune('0'+i/50)) + ".weight", F32, []int{1024, columns}}
	}
	head, _, total, err := Layout([]KV{{"tokens", ArrayOf(tokens)}}, entries)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := os.WriteFile(path, head, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, total); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	f := open(t, path)
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if len(f.Tensors()) != len(entries) || took > time.Second { // 1 ms, were the machine ours alone
		t.Errorf("%d tensors in %v", len(f.Tensors()), took)
	}
	if spent := after.TotalAlloc - before.TotalAlloc; spent > 1<<19 {
		t.Errorf("%d bytes allocated", spent)
	}
	if got, err := f.Strings("tokens"); err != nil || !cmp.Equal(got, tokens) {
		t.Error("tokens came back different", err)
	}
}

// element returns the kind of an array's elements. ok is false when the value is not an array.
func (v Value) element() (k Kind, ok bool) { return v.elem, v.kind == KindArray }
