package gguf

import (
	"bytes"
	"testing"

	"github.com/gomamba/gomamba/tensor"
)

// TestQ8Reference quantizes what gguf-py quantized in the reference file.
func TestQ8Reference(t *testing.T) {
	f := open(t, "testdata/all.gguf")
	waves, _ := f.Tensor("waves")
	want, _ := f.Tensor("q8_0")
	src, err := waves.Weight()
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 68)
	tensor.NarrowF32(got, tensor.Q8_0, tensor.Float32s(src))
	if !bytes.Equal(got, want.Data) {
		t.Errorf("got  %v\nwant %v", got, want.Data)
	}
	back, err := want.Weight()
	if err != nil {
		t.Fatal(err)
	}
	d := tensor.F16ToF32(uint16(got[34]) | uint16(got[35])<<8)
	for i, x := range tensor.Float32s(back)[32:] {
		if x != d*float32(int8(got[36+i])) {
			t.Fatalf("element %d is %v", i, x)
		}
	}
}
