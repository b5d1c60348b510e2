package gguf

import (
	"bytes"
	"math"
	"testing"

	"github.com/gomamba/gomamba/tensor"
)

// TestBlocks holds the dtypes of blocks that values can be rounded to, to what gguf-py quantizes and widens, bit for bit.
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
		if !d.Quantized() || !d.Narrows() {
			continue
		}
		want := weight(d.String())
		got := make([]byte, len(want.Data))
		tensor.NarrowF32(got, d, values)
		if !bytes.Equal(got, want.Data) {
			t.Errorf("%s: got  %v\nwant %v", d, got, want.Data)
		}
		double := tensor.Float64s(want)
		for i, x := range tensor.Float32s(want) {
			wide := tensor.Float32s(weight(d.String() + ".wide"))[i]
			if math.Float32bits(x) != math.Float32bits(wide) || math.Float64bits(double[i]) != math.Float64bits(float64(wide)) {
				t.Fatalf("%s: element %d is %v and %v, want %v", d, i, x, double[i], wide)
			}
		}
	}
}
