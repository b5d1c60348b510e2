package tensor

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

func TestDTypes(t *testing.T) {
	sizes := map[string]int{"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1,
		"U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1}
	for name, size := range sizes {
		d, ok := ParseDType(name)
		if !ok || d.String() != name || d.Size() != size {
			t.Errorf("%s: parsed %v (ok %v), size %d", name, d, ok, d.Size())
		}
		if float := name[0] == 'F' || name == "BF16"; d.Float() != float || d.Integer() != (!float && name != "BOOL") {
			t.Errorf("%s: Float %v, Integer %v", name, d.Float(), d.Integer())
		}
	}
	for _, name := range []string{"", "f32", "Q8_0", "C128", "QINT8", "DType(0)"} {
		if d, ok := ParseDType(name); ok {
			t.Errorf("%q parsed as %v", name, d)
		}
	}
	if DType(0).Valid() || DType(200).Valid() || DType(0).Float() || DType(200).Integer() {
		t.Error("an undefined dtype counts as valid")
	}
}

// The dtypes of safetensors 0.8.0 that nothing here computes with are known by their size.
func TestForeignDTypes(t *testing.T) {
	for name, bits := range map[string]int{"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
		"F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "C64": 64} {
		d, ok := ParseDType(name)
		if !ok || d.String() != name || d.Float() || d.Integer() || d.Plain() {
			t.Errorf("%s: parsed %v (ok %v), Float %v, Integer %v, Plain %v", name, d, ok, d.Float(), d.Integer(), d.Plain())
		}
		for n := range 9 {
			size, ok := ByteCount(d, []int{n, 1})
			if want := n * bits; ok != (want%8 == 0) || ok && size != want/8 {
				t.Errorf("%s: %d elements take %d bytes (ok %v), want %d bits", name, n, size, ok, want)
			}
		}
	}
}

func TestCount(t *testing.T) {
	const half = 1 << (bitsOfInt/2 - 1)
	tests := []struct {
		shape []int
		n     int
		ok    bool
	}{
		{nil, 1, true},
		{[]int{3, 4, 5}, 60, true},
		{[]int{7, 0, math.MaxInt}, 0, true},
		{[]int{math.MaxInt}, math.MaxInt, true},
		{[]int{math.MaxInt, 2}, 0, false},
		{[]int{math.MaxInt, 2, 0}, 0, false}, // left to right, as the reference package multiplies
		{[]int{half, half}, half * half, true},
		{[]int{half, half, 2}, 0, false},
		{[]int{half, half, 4}, 0, false}, // wraps to exactly 0 in machine arithmetic
		{[]int{-1}, 0, false},
		{[]int{0, -1}, 0, false},
	}
	for _, c := range tests {
		if n, ok := Count(c.shape); n != c.n || ok != c.ok {
			t.Errorf("Count(%v) = %d, %v; want %d, %v", c.shape, n, ok, c.n, c.ok)
		}
	}
	if _, ok := ByteCount(F64, []int{math.MaxInt / 4}); ok {
		t.Error("ByteCount let a size past an int through")
	}
	if n, ok := ByteCount(BF16, []int{2, 3}); n != 12 || !ok {
		t.Errorf("ByteCount = %d, %v", n, ok)
	}
}

const bitsOfInt = 32 << (^uint(0) >> 63)

// onBothHosts runs fn on the host's own path and on the portable one a big-endian host takes.
func onBothHosts(t *testing.T, fn func(t *testing.T)) {
	t.Helper()
	native := littleEndian
	defer func() { littleEndian = native }()
	t.Run("native", fn)
	littleEndian = false
	t.Run("portable", fn)
}

func TestWidenNarrow(t *testing.T) {
	// Exactly representable in every float dtype, so that all of them agree.
	values := []float32{0, float32(math.Copysign(0, -1)), 1, -2.5, 96, 0x1p-14, float32(math.Inf(-1))}
	widths := map[DType][]byte{}
	for _, v := range values {
		widths[F64] = binary.LittleEndian.AppendUint64(widths[F64], math.Float64bits(float64(v)))
		widths[F32] = binary.LittleEndian.AppendUint32(widths[F32], math.Float32bits(v))
		widths[F16] = binary.LittleEndian.AppendUint16(widths[F16], F32ToF16(v))
		widths[BF16] = binary.LittleEndian.AppendUint16(widths[BF16], F32ToBF16(v))
	}
	onBothHosts(t, func(t *testing.T) {
		for dt, stored := range widths {
			wide, wider := make([]float32, len(values)), make([]float64, len(values))
			WidenF32(wide, dt, stored)
			WidenF64(wider, dt, stored)
			for i, v := range values {
				if math.Float32bits(wide[i]) != math.Float32bits(v) || math.Float64bits(wider[i]) != math.Float64bits(float64(v)) {
					t.Errorf("%v: %v widens to %v and %v", dt, v, wide[i], wider[i])
				}
			}
			back := make([]byte, len(stored))
			NarrowF32(back, dt, values)
			if !bytes.Equal(back, stored) {
				t.Errorf("%v: narrowed to %x, want %x", dt, back, stored)
			}
		}
	})
}

func TestWidenRoundsF64(t *testing.T) {
	src := Bytes([]float64{1 + 0x1p-24, 1 + 0x3p-24, 1e39, math.NaN()})
	dst := make([]float32, 4)
	WidenF32(dst, F64, src)
	if dst[0] != 1 || dst[1] != 1+0x1p-22 || !math.IsInf(float64(dst[2]), 1) || dst[3] == dst[3] {
		t.Errorf("rounded to %v", dst)
	}
}

func TestConvertPanics(t *testing.T) {
	for name, fn := range map[string]func(){
		"short source": func() { WidenF32(make([]float32, 2), F16, make([]byte, 3)) },
		"odd source":   func() { WidenF64(make([]float64, 1), F32, make([]byte, 5)) },
		"integer":      func() { WidenF32(make([]float32, 1), I32, make([]byte, 4)) },
		"long target":  func() { NarrowF32(make([]byte, 8), F32, make([]float32, 1)) },
		"no dtype":     func() { NarrowF32(nil, 0, nil) },
		"shape":        func() { Of("x", []float32{1, 2}, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("did not panic")
				}
			}()
			fn()
		})
	}
}

func TestViews(t *testing.T) {
	nan := math.Float32frombits(0x7f800001) // signalling: bits must survive
	onBothHosts(t, func(t *testing.T) {
		x := Of("x", []float32{1, nan, 3, 4}, 2, 2)
		if x.DType != F32 || x.Elems() != 4 || len(x.Data) != 16 {
			t.Fatalf("Of: %+v", x)
		}
		got := Float32s(x)
		if got[0] != 1 || math.Float32bits(got[1]) != 0x7f800001 || got[3] != 4 {
			t.Errorf("Float32s = %v", got)
		}
		if viewed := unsafe.SliceData(x.Data) == (*byte)(unsafe.Pointer(unsafe.SliceData(got))); viewed != littleEndian {
			t.Errorf("shares memory: %v, want %v", viewed, littleEndian)
		}

		// One byte off: no float may live there, so a copy with the right values is due.
		shifted := append(make([]byte, 1, 17), x.Data...)[1:]
		x.Data = shifted
		got = Float32s(x)
		if got[0] != 1 || got[2] != 3 || unsafe.SliceData(shifted) == (*byte)(unsafe.Pointer(unsafe.SliceData(got))) {
			t.Errorf("misaligned: %v", got)
		}

		y := Of("y", []float64{0.1, -0.2}, 2)
		if v := Float64s(y); v[0] != 0.1 || v[1] != -0.2 {
			t.Errorf("Float64s = %v", v)
		}
		if v := Float32s(y); v[0] != 0.1 || v[1] != -0.2 {
			t.Errorf("Float32s of F64 = %v", v)
		}
		if v := Float32s(Of[float32]("empty", nil, 0)); v == nil || len(v) != 0 {
			t.Errorf("empty: %v", v)
		}
		if s := Of("scalar", []float32{7}); s.Shape == nil || len(s.Shape) != 0 {
			t.Errorf("scalar shape %v", s.Shape)
		}
	})
}

func TestInt64s(t *testing.T) {
	onBothHosts(t, func(t *testing.T) {
		tests := []struct {
			t    Tensor
			want []int64
			ok   bool
		}{
			{Of("i64", []int64{1, -2, math.MaxInt64}, 3), []int64{1, -2, math.MaxInt64}, true},
			{Of("i32", []int32{1, -2, math.MinInt32}, 3), []int64{1, -2, math.MinInt32}, true},
			{Tensor{DType: I16, Data: []byte{0xfe, 0xff, 3, 0}}, []int64{-2, 3}, true},
			{Tensor{DType: I8, Data: []byte{0x80, 1}}, []int64{-128, 1}, true},
			{Tensor{DType: U8, Data: []byte{0x80, 1}}, []int64{128, 1}, true},
			{Tensor{DType: U32, Data: []byte{0xff, 0xff, 0xff, 0xff}}, []int64{math.MaxUint32}, true},
			{Tensor{DType: U64, Data: []byte{0, 0, 0, 0, 0, 0, 0, 0x80}}, nil, false},
			{Tensor{DType: Bool, Data: []byte{1}}, nil, false},
			{Of("f", []float32{1}, 1), nil, false},
		}
		for _, c := range tests {
			got, ok := Int64s(c.t)
			if ok != c.ok || len(got) != len(c.want) {
				t.Errorf("%v: %v, %v", c.t.DType, got, ok)
				continue
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("%v: %v, want %v", c.t.DType, got, c.want)
				}
			}
		}
	})
}

func BenchmarkWidenF32(b *testing.B) {
	for _, dt := range []DType{F32, F16, BF16, F64} {
		b.Run(dt.String(), func(b *testing.B) {
			dst := make([]float32, 1<<16)
			r := rand.New(rand.NewPCG(5, 6))
			for i := range dst {
				dst[i] = float32(r.NormFloat64()) * 0.05 // as weights are distributed
			}
			src := make([]byte, len(dst)*dt.Size())
			NarrowF32(src, dt, dst)
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				WidenF32(dst, dt, src)
			}
		})
	}
}
