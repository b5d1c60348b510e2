package gguf

import (
	"bytes"
	"math"
	"testing"

	"github.com/gomamba/gomamba/tensor"
)

// TestBlocks holds every dtype of blocks to what gguf-py widens, non-finite scales included, and to what it quantizes, bit for bit.
func TestBlocks(t *testing.T) {
	f := open(t, "testdata/blocks.gguf")
	weight := func(name string) tensor.Tensor {
		t.Helper()
		x, ok := f.Tensor(name)
		if !ok {
			t.Fatalf("no %s in the reference file: add it to generate.py", name)
		}
		w, err := x.Weight()
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	values := tensor.Float32s(weight("values"))
	for _, d := range tensor.Floats() {
		if !d.Quantized() {
			continue
		}
		sameWidened(t, weight(d.String()+".random"), weight(d.String()+".random.wide"))
		if !d.Narrows() {
			continue
		}
		want := weight(d.String())
		got := make([]byte, len(want.Data))
		tensor.NarrowF32(got, d, values)
		if !bytes.Equal(got, want.Data) {
			t.Errorf("%s: got  %v\nwant %v", d, got, want.Data)
		}
		sameWidened(t, want, weight(d.String()+".wide"))
	}
}

// sameWidened compares the elements of blocks with what gguf-py makes of them. Every NaN is one to it.
func sameWidened(t *testing.T, blocks, wide tensor.Tensor) {
	t.Helper()
	want, double := tensor.Float32s(wide), tensor.Float64s(blocks)
	for i, x := range tensor.Float32s(blocks) {
		if w := want[i]; w != w && x != x && double[i] != double[i] {
			continue
		}
		if math.Float32bits(x) != math.Float32bits(want[i]) || math.Float64bits(double[i]) != math.Float64bits(float64(want[i])) {
			t.Fatalf("%s: element %d is %v and %v, want %v", blocks.Name, i, x, double[i], want[i])
		}
	}
}
