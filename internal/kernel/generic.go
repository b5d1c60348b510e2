package kernel

import (
	"unsafe"

	"github.com/gomamba/gomamba/tensor"
)

// generic is plain Go as an instruction set: what runs on a CPU that has no other, and the specification of those that do.
// Its leaves are the functions ending in Generic.
var generic = isa{
	name:   "go",
	f32:    format[float32]{dotOne: dotF32},
	f16:    format[uint16]{dotOne: dotHalves(widenF16Generic), widen: widenLeaf(widenF16Generic), narrow: narrowLeaf(tensor.F16)},
	bf16:   format[uint16]{dotOne: dotHalves(widenBF16Generic), widen: widenLeaf(widenBF16Generic), narrow: narrowLeaf(tensor.BF16)},
	q8:     format[byte]{dotOne: dotQ8, widen: widenQ8Leaf, narrow: narrowLeaf(tensor.Q8_0)},
	tiling: tiling{rows: 1, tokens: 1},
	maxAbsBits: func(v *float32, n int) uint32 {
		return maxAbsBitsGeneric(at(v, n))
	},
	scanStep: scanStep{one: func(h, rate, b, c, dt, x *float32, sums *float64, states, channels int) {
		all := channels * states
		scanStepsGeneric(at(sums, channels), at(h, all), at(rate, all), at(b, states), at(c, states), at(dt, channels), at(x, channels))
	}},
	headStep: headStep{one: func(sums *float64, h *float32, dt float64, high, low float32, x, b, c *float32, states, rounds int) {
		stepHeadGeneric(at(sums, rounds), at(h, rounds*states), dt, high, low, at(x, rounds), at(b, states), at(c, states))
	}},
	conv: func(out *float32, rows *[]float32, taps *float32, tapStride int, bias *float32, k, n int) {
		convRowGeneric(at(out, n), at(rows, k), at(taps, (k-1)*tapStride+n), tapStride, at(bias, n), 0)
	},
	gate: func(y *float32, sums *float64, d, x, z *float32, n int) {
		gateGeneric(at(y, n), at(sums, n), at(d, n), at(x, n), at(z, n))
	},
	softplus: func(dt, bias *float32, n int) { softplusRowGeneric(at(dt, n), at(bias, n)) },
	negExp:   func(a, aLog *float32, n int) { negExpGeneric(at(a, n), at(aLog, n)) },
	squares: func(x *float32, n int) (lane [8]float64) {
		addSquaresGeneric(&lane, at(x, n))
		return lane
	},
	scaleRow: func(y, x, weight *float32, scale float64, n int) {
		scaleRowGeneric(at(y, n), at(x, n), at(weight, n), scale)
	},
	addTo:       func(y, x *float32, n int) { addToGeneric(at(y, n), at(x, n)) },
	xor:         func(data *byte, quarter int) uint64 { return xorGeneric(at(data, 4*quarter)) },
	multiplyAdd: multiplyAddGeneric,
}

// at returns the n elements that p points to.
func at[T any](p *T, n int) []T { return unsafe.Slice(p, n) }

func dotF32(y, w, x *float32, cols, rows int) {
	all, v := at(w, rows*cols), at(x, cols)
	for r, out := 0, at(y, rows); r < rows; r++ {
		out[r] = dotGeneric(all[r*cols:][:cols], v)
	}
}

// dotWidened is dotF32 for rows that widen sets a buffer to.
func dotWidened(y, x *float32, cols, rows int, widen func(row []float32, r int)) {
	out, v := at(y, rows), at(x, cols)
	buf := buffer(cols)
	defer buffers.Put(buf)
	for r := range out {
		widen(*buf, r)
		out[r] = dotGeneric(*buf, v)
	}
}

func dotHalves(widen func([]float32, []uint16)) func(y *float32, w *uint16, x *float32, cols, rows int) {
	return func(y *float32, w *uint16, x *float32, cols, rows int) {
		all := at(w, rows*cols)
		dotWidened(y, x, cols, rows, func(row []float32, r int) { widen(row, all[r*cols:][:cols]) })
	}
}

func dotQ8(y *float32, w *byte, x *float32, cols, rows int) {
	size := tensor.Q8_0.Bytes(cols)
	all := at(w, rows*size)
	dotWidened(y, x, cols, rows, func(row []float32, r int) { widenQ8Generic(row, all[r*size:][:size]) })
}

func widenLeaf(widen func([]float32, []uint16)) func(dst *float32, src *uint16, n int) {
	return func(dst *float32, src *uint16, n int) { widen(at(dst, n), at(src, n)) }
}

func widenQ8Leaf(dst *float32, src *byte, n int) {
	widenQ8Generic(at(dst, n), at(src, tensor.Q8_0.Bytes(n)))
}

func narrowLeaf(dtype tensor.DType) func(dst *byte, src *float32, n int) {
	return func(dst *byte, src *float32, n int) {
		tensor.NarrowF32(at(dst, dtype.Bytes(n)), dtype, at(src, n))
	}
}

// widenF16Generic sets dst to the values of the float16 bits in src, exactly.
func widenF16Generic(dst []float32, src []uint16) {
	for i, b := range src {
		dst[i] = tensor.F16ToF32(b)
	}
}

// widenBF16Generic sets dst to the values of the bfloat16 bits in src, exactly.
func widenBF16Generic(dst []float32, src []uint16) {
	for i, b := range src {
		dst[i] = tensor.BF16ToF32(b)
	}
}

// widenQ8Generic sets dst to the elements of the Q8_0 blocks in src, exactly.
func widenQ8Generic(dst []float32, src []byte) { tensor.WidenF32(dst, tensor.Q8_0, src) }
