package kernel

import (
	"unsafe"

	"github.com/gomamba/gomamba/tensor"
)

// generic is plain Go as an instruction set: what runs on a CPU without another, and the specification of those that do.
// Its leaves are the functions ending in Generic; package tensor widens.
var generic = isa{
	name:    "go",
	formats: newFormats(map[tensor.DType]format{tensor.F32: {dotOne: dotF32, few: 4}}),
	tiling:  tiling{rows: 1, tokens: 1, block: block1M},
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
	gateRank: func(out, sums *float64, d, x, z, mixZ, mixY *float32, n int) {
		gateRankGeneric(at(out, n), at(sums, n), at(d, n), at(x, n), at(z, n), at(mixZ, n), at(mixY, n))
	},
	turn: func(angles, rates, low *float32, dt float64, cos, sin *float64, n int) {
		turnGeneric(at(angles, n), at(rates, n), at(low, n), dt, at(cos, n), at(sin, n))
	},
	rotateNeighbours: func(y, x, bias *float32, cos, sin *float64, n int) {
		rotateNeighboursGeneric(at(y, 2*n), at(x, 2*n), at(bias, 2*n), at(cos, n), at(sin, n))
	},
	rotateHalves: func(y, x, bias *float32, cos, sin *float64, half, n int) {
		rotateHalvesGeneric(at(y, half+n), at(x, half+n), at(bias, half+n), at(cos, n), at(sin, n), half)
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
	addTo: func(y, x *float32, n int) { addToGeneric(at(y, n), at(x, n)) },
	addRows: func(y *float64, yStride int, x *float32, xStride int, w *float32, wStride, n, rows, columns int) {
		addRowsGeneric(at(y, (rows-1)*yStride+columns), yStride, at(x, (rows-1)*xStride+n), xStride, at(w, (n-1)*wStride+columns), wStride, n, rows, columns)
	},
	weigh: func(w *float32, scores *float64, scale, most float64) (top, sum float64) {
		return weighGeneric((*[PageTokens]float32)(at(w, PageTokens)), (*[PageTokens]float64)(at(scores, PageTokens)), scale, most)
	},
	roundTrials: func(t *Trials, x, w *float32, n int, lo, hi float32) {
		roundTrialsGeneric(t, at(x, n), at(w, n), lo, hi)
	},
	scanTrials: func(t *Trials, x, w, wx *float32, n int, lo, hi float32) {
		scanTrialsGeneric(t, at(x, n), at(w, n), at(wx, n), lo, hi)
	},
	times:       func(v *float32, s float32, n int) { timesGeneric(at(v, n), s) },
	xor:         func(data *byte, eighth int) uint64 { return xorGeneric(at(data, 8*eighth)) },
	multiplyAdd: multiplyAddGeneric,
}

// at returns the n elements that p points to.
func at[T any](p *T, n int) []T { return unsafe.Slice(p, n) }

func dotF32(y *float32, w *byte, x *float32, cols, rows int) {
	all, v := floats(at(w, 4*rows*cols)), at(x, cols)
	for r, out := 0, at(y, rows); r < rows; r++ {
		out[r] = dotGeneric(all[r*cols:][:cols], v)
	}
}
