package gguf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// memory is an io.WriterAt over a slice.
type memory struct{ data []byte }

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	if need := int(off) + len(p); need > len(m.data) {
		m.data = append(m.data, make([]byte, need-len(m.data))...)
	}
	return copy(m.data[off:], p), nil
}

// written returns a file of these keys and tensors.
func written(t testing.TB, kvs []KV, tensors []Tensor) []byte {
	t.Helper()
	var entries []Entry
	for _, x := range tensors {
		entries = append(entries, Entry{Name: x.Name, Type: x.Type, Shape: x.Shape})
	}
	m := &memory{}
	w, err := NewWriter(m, kvs, entries)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(tensors) - 1; i >= 0; i-- { // any order
		if err := w.WriteAt(tensors[i].Name, 0, tensors[i].Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return m.data
}

var sampleKVs = []KV{
	{"general.architecture", Of("mamba")}, {"a.u8", Of(uint8(200))}, {"a.i8", Of(int8(-3))}, {"a.u16", Of(uint16(60000))},
	{"a.i16", Of(int16(-30000))}, {"a.u32", Of(uint32(1 << 31))}, {"a.i32", Of(int32(-1 << 31))}, {"a.u64", Of(uint64(1 << 63))},
	{"a.i64", Of(int64(-1 << 63))}, {"a.f32", Of(float32(1e-5))}, {"a.f64", Of(math.Pi)}, {"a.yes", Of(true)}, {"a.no", Of(false)},
	{"a.empty", Of("")}, {"a.words", ArrayOf([]string{"", "Ġa", "b"})}, {"a.ints", ArrayOf([]int32{1, -2, 3})},
	{"a.floats", ArrayOf([]float32{0.5, -1})}, {"a.bools", ArrayOf([]bool{true, false})}, {"a.none", ArrayOf([]string{})},
}

func sampleTensors() []Tensor {
	rng := rand.New(rand.NewPCG(1, 2))
	var list []Tensor
	for i, typ := range []Type{F32, F16, BF16, F64, Q8_0, I8, I32, I64} {
		x := Tensor{Name: fmt.Sprintf("t%d.weight", i), Type: typ, Shape: []int{3, 32}}
		n, _ := typ.ByteCount(x.Shape)
		x.Data = make([]byte, n)
		for k := range x.Data {
			x.Data[k] = byte(rng.Uint32())
		}
		list = append(list, x)
	}
	return append(list, Tensor{Name: "one", Type: F32, Shape: []int{5}, Data: make([]byte, 20)})
}

// TestWriteAndRead takes every kind of value and the usable types of tensors through a file.
func TestWriteAndRead(t *testing.T) {
	f, err := Parse("x.gguf", written(t, sampleKVs, sampleTensors()))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.Keys(), keysOf(sampleKVs)) {
		t.Errorf("keys %v", f.Keys())
	}
	for i, kv := range f.KVs() {
		if want := sampleKVs[i].Value; kv.Value.Kind() != want.Kind() || !bytes.Equal(kv.Value.data, want.data) || kv.Value.n != want.n {
			t.Errorf("%s: %v, want %v", kv.Key, kv.Value, want)
		}
	}
	for i, want := range sampleTensors() {
		got := f.Tensors()[i]
		if got.Name != want.Name || got.Type != want.Type || !reflect.DeepEqual(got.Shape, want.Shape) || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("tensor %s came back as %s %v %v", want.Name, got.Name, got.Type, got.Shape)
		}
	}
	if v, err := f.Int("a.u32"); err != nil || v != 1<<31 {
		t.Errorf("a.u32 is %d (%v)", v, err)
	}
	if v, err := f.Float("a.f32"); err != nil || float32(v) != 1e-5 {
		t.Errorf("a.f32 is %v (%v)", v, err)
	}
	for key, get := range map[string]func(string) error{
		"a.words": func(k string) error { _, err := f.Int(k); return err },
		"a.u64":   func(k string) error { _, err := f.Int(k); return err }, // beyond an int64
		"missing": func(k string) error { _, err := f.Str(k); return err },
		"a.yes":   func(k string) error { _, err := f.Strings(k); return err },
	} {
		if err := get(key); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: error %v, want one that names the key", key, err)
		}
	}
}

func keysOf(kvs []KV) []string {
	var keys []string
	for _, kv := range kvs {
		keys = append(keys, kv.Key)
	}
	return keys
}

// TestMalformed edits a good file in one place each.
func TestMalformed(t *testing.T) {
	good := written(t, sampleKVs[:2], sampleTensors()[:2])
	at := func(needle string) int { return bytes.Index(good, []byte(needle)) }
	edit := func(change func(b []byte)) []byte {
		b := bytes.Clone(good)
		change(b)
		return b
	}
	u64 := binary.LittleEndian.PutUint64
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":            {nil, "empty"},
		"four bytes":       {[]byte("GGUF"), "truncated"},
		"no magic":         {edit(func(b []byte) { b[0] = 'X' }), "GGUF"},
		"lfs pointer":      {[]byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"), "git-lfs"},
		"web page":         {[]byte("<!DOCTYPE html><html></html>"), "HTML"},
		"version 1":        {edit(func(b []byte) { b[4] = 1 }), "version"},
		"version 9":        {edit(func(b []byte) { b[4] = 9 }), "version"},
		"big-endian":       {edit(func(b []byte) { copy(b[4:8], []byte{0, 0, 0, 3}) }), "endian"},
		"many tensors":     {edit(func(b []byte) { u64(b[8:], 1<<40) }), "tensors"},
		"many keys":        {edit(func(b []byte) { u64(b[16:], 1<<62) }), "keys"},
		"long key":         {edit(func(b []byte) { u64(b[24:], 1<<50) }), "key"},
		"cut in half":      {good[:len(good)/2], "truncated"},
		"one byte short":   {good[:len(good)-32], "truncated"},
		"duplicate tensor": {edit(func(b []byte) { b[at("t1.weight")+1] = '0' }), "twice"},
		"five dimensions":  {edit(func(b []byte) { b[at("t0.weight")+9] = 5 }), "dimensions"},
		"no dimension":     {edit(func(b []byte) { u64(b[at("t0.weight")+13:], 0) }), "t0.weight"},
		"huge dimension":   {edit(func(b []byte) { u64(b[at("t0.weight")+13:], 1<<62) }), "t0.weight"},
		"removed type":     {edit(func(b []byte) { b[at("t0.weight")+29] = 4 }), "t0.weight"},
		"unknown type":     {edit(func(b []byte) { b[at("t0.weight")+29] = 200 }), "t0.weight"},
		"odd offset":       {edit(func(b []byte) { u64(b[at("t1.weight")+33:], 7) }), "t1.weight"},
		"offset beyond":    {edit(func(b []byte) { u64(b[at("t1.weight")+33:], 1<<50) }), "t1.weight"},
	} {
		_, err := Parse("x.gguf", c.data)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "x.gguf") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one line about %q", name, err, c.want)
		}
	}
}

// TestQ8_0 checks quantisation against its definition, and that decoding is within half a step.
func TestQ8_0(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	src, back := make([]float32, 320), make([]float32, 320)
	for i := range src {
		src[i] = float32(rng.NormFloat64())
	}
	clear(src[32:64]) // a block of zeros
	data := make([]byte, 320/32*34)
	QuantizeQ8_0(data, src)
	DequantizeQ8_0(back, data)
	for block := 0; block < len(src); block += 32 {
		largest := 0.0
		for _, v := range src[block : block+32] {
			largest = max(largest, math.Abs(float64(v)))
		}
		for i, v := range src[block : block+32] {
			if d := math.Abs(float64(back[block+i] - v)); d > largest/127*0.51+1e-3*largest {
				t.Fatalf("element %d: %v came back as %v, block maximum %v", block+i, v, back[block+i], largest)
			}
		}
	}
}

// FuzzParse holds what is accepted to its bounds, and writes it again.
func FuzzParse(f *testing.F) {
	whole := written(f, sampleKVs, sampleTensors())
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(written(f, sampleKVs[:1], nil))
	f.Add(written(f, nil, sampleTensors()[:1]))
	for i := 4; i < 200; i += 11 {
		b := bytes.Clone(whole)
		b[i] ^= 0x81
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := Parse("x", data)
		if err != nil {
			return
		}
		var entries []Entry
		for _, w := range x.Tensors() {
			if n, ok := w.Type.ByteCount(w.Shape); !ok || n != len(w.Data) {
				t.Fatalf("%s: %d bytes for %v %v", w.Name, len(w.Data), w.Type, w.Shape)
			}
			entries = append(entries, Entry{Name: w.Name, Type: w.Type, Shape: w.Shape})
		}
		if _, _, _, err := Layout(x.KVs(), entries); err != nil {
			return // split files and foreign alignments are read and not written
		}
		again, err := Parse("again", written(t, x.KVs(), x.Tensors()))
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range x.Tensors() {
			if y := again.Tensors()[i]; y.Name != w.Name || y.Type != w.Type || !bytes.Equal(y.Data, w.Data) {
				t.Fatalf("%s came back as %s", w.Name, y.Name)
			}
		}
	})
}

// TestOpenMapped reads a file from disk.
func TestOpenMapped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.gguf")
	if err := os.WriteFile(path, written(t, sampleKVs, sampleTensors()), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Tensors()) != len(sampleTensors()) || f.Changed() != nil {
		t.Errorf("%d tensors, changed: %v", len(f.Tensors()), f.Changed())
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
