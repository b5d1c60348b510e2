package gguf

import (
	"math"
	"testing"

	"github.com/gomamba/gomamba/tensor"
)

// TestBlocks reads blocks that gguf-py has quantized, and holds their values to what it widens them to, bit for bit.
func TestBlocks(t *testing.T) {
	f := open(t, "testdata/blocks.gguf")
	weight := func(name string) tensor.Tensor {
		t.Helper()
		x, ok := f.Tensor(name)
		if !ok {
			t.Fatalf("no %s in the reference file", name)
		}
		w, err := x.Weight()
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	for _, name := range []string{"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"} {
		blocks, wide := weight(name), tensor.Float32s(weight(name+".wide"))
		double := tensor.Float64s(blocks)
		for i, x := range tensor.Float32s(blocks) {
			if math.Float32bits(x) != math.Float32bits(wide[i]) || math.Float64bits(double[i]) != math.Float64bits(float64(wide[i])) {
				t.Fatalf("%s: element %d is %v and %v, want %v", name, i, x, double[i], wide[i])
			}
		}
	}
}
