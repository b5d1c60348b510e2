package tensor

import (
	"math"
	"testing"
)

// TestQ8Sizes checks what a row of blocks takes and that no other row has a size.
func TestQ8Sizes(t *testing.T) {
	if n, ok := ByteCount(Q8_0, []int{3, 64}); n != 3*68 || !ok {
		t.Errorf("3 rows of 64: %d, %v", n, ok)
	}
	for _, shape := range [][]int{{}, {16}, {64, 16}, {2, math.MaxInt / 64 * 32}} {
		if n, ok := ByteCount(Q8_0, shape); ok {
			t.Errorf("%v: %d", shape, n)
		}
	}
	x := Tensor{DType: Q8_0, Shape: []int{2, 64}, Data: make([]byte, 136)}
	x.Data[34] = 1
	if p := x.Piece(32, 128); x.Elems() != 128 || p.Elems() != 96 || p.Data[0] != 1 || len(p.Data) != 102 {
		t.Errorf("%d elements, piece %v", x.Elems(), p)
	}
	if dt, ok := ParseDType("Q8_0"); ok {
		t.Errorf("safetensors has no Q8_0, found %v", dt)
	}
}

func TestQ8Panics(t *testing.T) {
	for name, fn := range map[string]func(){
		"elements": func() { WidenF32(make([]float32, 31), Q8_0, make([]byte, 34)) },
		"narrow":   func() { NarrowF32(make([]byte, 34), Q8_0, make([]float32, 32)) },
		"bytes":    func() { WidenF32(make([]float32, 32), Q8_0, make([]byte, 33)) },
		"size":     func() { Q8_0.Size() },
		"blocks":   func() { Tensor{DType: Q8_0, Data: make([]byte, 34)}.Piece(16, 32) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			fn()
		}()
	}
}

func BenchmarkWidenQ8_0(b *testing.B) {
	src, dst := make([]byte, 1<<16/32*34), make([]float32, 1<<16)
	b.SetBytes(int64(4 * len(dst)))
	for b.Loop() {
		WidenF32(dst, Q8_0, src)
	}
}
