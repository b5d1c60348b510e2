package tensor

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestQ8Rounding holds a block with 127 among its elements: the scale is 1, so what is stored is the rounding alone.
func TestQ8Rounding(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		x    float32
		want int8
	}{
		{0, 0}, {0.5, 1}, {-0.5, -1}, {1.5, 2}, {2.5, 3}, {-2.5, -3}, {126.5, 127}, {-126.5, -127}, {-127, -127},
		{math.Nextafter32(0.5, 0), 0}, {math.Nextafter32(-0.5, 0), 0}, {math.Nextafter32(2.5, 0), 2}, {1e-45, 0},
	} {
		src := make([]float32, 32)
		src[3], src[4] = 127, c.x
		dst := make([]byte, 34)
		NarrowF32(dst, Q8_0, src)
		if dst[0] != 0 || dst[1] != 0x3c || int8(dst[5]) != 127 || int8(dst[6]) != c.want {
			t.Errorf("%v became %d, with %d beside it and scale %#02x%02x", c.x, int8(dst[6]), int8(dst[5]), dst[1], dst[0])
		}
	}
	for _, c := range []struct {
		first, last float32
		scale       uint16
		a, b        int8
	}{
		{0, 0, 0, 0, 0},
		{1e-45, 1e-45, 0, 0, 0},       // 1e-45/127 is 0
		{1e-40, -1e-40, 0, 0, 0},      // 1/d overflows
		{1e-36, -1e-36, 0, 127, -127}, // the scale is lost in F16, q is not
		{inf, 1, 0x7c00, 0, 0},        // 1/d is 0
		{nan, 1, 0x7e00, 0, 0},        // all of the block is NaN
		{1, -nan, 0x7e00, 0, 0},
		{65504 * 128, 1, 0x7c00, 127, 0},  // above what F16 holds
		{65504 * 127, -1, 0x7bff, 127, 0}, // the largest that it does
	} {
		src := make([]float32, 32)
		src[0], src[31] = c.first, c.last
		dst := make([]byte, 34)
		NarrowF32(dst, Q8_0, src)
		scale := uint16(dst[0]) | uint16(dst[1])<<8
		if scale&^0x01ff != c.scale&^0x01ff || int8(dst[2]) != c.a || int8(dst[33]) != c.b {
			t.Errorf("%v, %v became %#04x * %d, %d", c.first, c.last, scale, int8(dst[2]), int8(dst[33]))
		}
	}
}

// TestQ8Error checks that no element is farther from the original than half a step and the rounding of the scale.
func TestQ8Error(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	src := make([]float32, 32*1000)
	for i := range src {
		src[i] = float32(rng.NormFloat64() * math.Exp2(float64(i/3200)))
	}
	data, back := make([]byte, 34*1000), make([]float32, len(src))
	NarrowF32(data, Q8_0, src)
	WidenF32(back, Q8_0, data)
	wide := make([]float64, len(src))
	WidenF64(wide, Q8_0, data)
	for i, x := range back {
		if float64(x) != wide[i] {
			t.Fatalf("element %d is %v, %v in float64", i, x, wide[i])
		}
	}
	for b := 0; b < len(src); b += 32 {
		amax := 0.0
		for _, x := range src[b : b+32] {
			amax = max(amax, math.Abs(float64(x)))
		}
		for i := b; i < b+32; i++ {
			if off := math.Abs(float64(back[i]) - float64(src[i])); off > amax/127*0.5000001+amax/2048 {
				t.Fatalf("element %d: %v came back as %v, the largest of its block is %v", i, src[i], back[i], amax)
			}
		}
	}
}

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
		"elements": func() { NarrowF32(make([]byte, 34), Q8_0, make([]float32, 31)) },
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

func BenchmarkQuantizeQ8_0(b *testing.B) {
	src, dst := make([]float32, 1<<16), make([]byte, 1<<16/32*34)
	for i := range src {
		src[i] = float32(math.Sin(float64(i)))
	}
	b.SetBytes(int64(4 * len(src)))
	for b.Loop() {
		NarrowF32(dst, Q8_0, src)
	}
}

func BenchmarkWidenQ8_0(b *testing.B) {
	src, dst := make([]byte, 1<<16/32*34), make([]float32, 1<<16)
	b.SetBytes(int64(4 * len(dst)))
	for b.Loop() {
		WidenF32(dst, Q8_0, src)
	}
}
