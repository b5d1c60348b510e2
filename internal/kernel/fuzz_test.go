package kernel

import (
	"testing"

	"github.com/gomamba/gomamba/tensor"
)

// FuzzBlocks multiplies rows of blocks of any bytes, scales that are not finite included: every type and every instruction set
// has the bits of the values that package tensor widens them to.
func FuzzBlocks(f *testing.F) {
	var types []tensor.DType
	for _, d := range tensor.Floats() {
		if d.Quantized() {
			types = append(types, d)
		}
	}
	for i := range types {
		f.Add(byte(i), []byte("\x00\x3c\xff\x7b\x00\x7c\xff\xff\x01\x80 and blocks of other bytes, over and over"))
	}
	sets := all()
	f.Fuzz(func(t *testing.T, kind byte, data []byte) {
		const rows, cols = 5, 256
		d := types[int(kind)%len(types)]
		stored := tensor.Tensor{DType: d, Shape: []int{rows, cols}, Data: make([]byte, rows*d.Bytes(cols))}
		for i := range stored.Data {
			if len(data) > 0 {
				stored.Data[i] = data[i%len(data)]
			}
		}
		wide := tensor.Float32s(stored)
		x := make([]float32, cols)
		for i := range x {
			x[i] = float32(i%7-3) / 4
		}
		defer func(before *isa) { cpu = before }(cpu)
		for _, set := range sets {
			cpu = set
			w := NewMatrix(stored)
			y, row := make([]float32, rows), make([]float32, cols)
			w.mulVec(y, x, 0)
			for r, got := range y {
				values := wide[r*cols:][:cols]
				if want := dotByTheBook(values, x); !sameFloat(got, want) {
					t.Fatalf("%v with %s: the product of row %d is %v, want %v", d, set.name, r, got, want)
				}
				w.Row(row, r)
				for i, got := range row {
					if !sameFloat(got, values[i]) {
						t.Fatalf("%v with %s: element %d of row %d is %v, want %v", d, set.name, i, r, got, values[i])
					}
				}
			}
		}
	})
}
