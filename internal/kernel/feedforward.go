package kernel

import (
	"math"
	"sync"

	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/internal/samebits"
)

// SwiGLU sets up[t, i] = silu(scale·gate[t, i])·up[t, i], for rows rows of width values, which are stride apart in both (Shazeer
// 2020, arXiv:2002.05202). The gate is overwritten with what is scaled, and the rest rounded once.
func SwiGLU(p *parallel.Pool, up, gate []float32, scale float64, stride, width, rows int) {
	activate(p, activation{up: up, gate: gate, scale: scale, stride: stride, width: width}, rows)
}

// GeGLU sets up[t, i] = gelu(gate[t, i])·up[t, i], rounded once, as SwiGLU does with silu (Shazeer 2020, arXiv:2002.05202). Here
// gelu(x) = x/2·(1 + erf(x/√2)) (Hendrycks and Gimpel 2016, arXiv:1606.08415).
func GeGLU(p *parallel.Pool, up, gate []float32, stride, width, rows int) {
	activate(p, activation{up: up, gate: gate, gelu: true, stride: stride, width: width}, rows)
}

// GELU sets y[i] = gelu(y[i]), rounded once.
func GELU(p *parallel.Pool, y []float32, stride, width, rows int) {
	activate(p, activation{up: y, gelu: true, stride: stride, width: width}, rows)
}

// SquaredReLU sets y[i] = max(y[i], 0)², and leaves NaN (So and others 2021, arXiv:2109.08668).
func SquaredReLU(p *parallel.Pool, y []float32, stride, width, rows int) {
	activate(p, activation{up: y, stride: stride, width: width}, rows)
}

// activation is one call that is being computed.
type activation struct {
	up, gate             []float32 // no gate: a squared ReLU, or GELU
	gelu                 bool      // of the gate, rather than silu
	scale                float64   // of the gate, with silu
	stride, width, parts int
}

// activatedAtOnce is how many values make a piece of work.
const activatedAtOnce = 2048

// activating is an activation under way.
type activating struct {
	activation
	task *parallel.Task
}

// activations are reused, so that a call does not allocate.
var activations = sync.Pool{New: func() any {
	a := &activating{}
	a.task = parallel.NewTask(func(lo, hi int) {
		for i := lo; i < hi; i++ {
			a.piece(i)
		}
	})
	return a
}}

func activate(p *parallel.Pool, what activation, rows int) {
	what.parts = (what.width + activatedAtOnce - 1) / activatedAtOnce
	a := activations.Get().(*activating)
	a.activation = what
	p.RunTask(a.task, rows*what.parts, max(1, 4*activatedAtOnce/what.width))
	a.activation = activation{}
	activations.Put(a)
}

// piece activates a part of one row.
func (a *activation) piece(i int) {
	from := i % a.parts * activatedAtOnce
	at, n := i/a.parts*a.stride+from, min(activatedAtOnce, a.width-from)
	up := a.up[at:][:n]
	switch {
	case a.gate == nil && a.gelu:
		gelu(up)
	case a.gate == nil:
		squaredReLU(up)
	case a.gelu:
		geGLU(up, a.gate[at:][:n])
	default:
		Scale(a.gate[at:][:n], a.scale)
		Gate(up, a.gate[at:][:n])
	}
}

func squaredReLU(y []float32) {
	for i, v := range y {
		if v < 0 {
			v = 0
		}
		y[i] = v * v
	}
}

func gelu(y []float32) {
	for i, v := range y {
		x := float64(v)
		y[i] = float32(x / 2 * (1 + samebits.Erf(x/math.Sqrt2)))
	}
}

func geGLU(up, gates []float32) {
	for i, v := range gates {
		x := float64(v)
		up[i] = float32(x / 2 * (1 + samebits.Erf(x/math.Sqrt2)) * float64(up[i]))
	}
}

// Gate sets up[i] = up[i]·silu(gates[i]), rounding once.
func Gate(up, gates []float32) {
	for len(up) > 0 {
		n := min(len(up), len(ones))
		gate(up[:n], zeros[:n], ones[:n], up[:n], gates[:n])
		up, gates = up[n:], gates[n:]
	}
}

// zeros and ones turn gate into a product with silu alone.
var (
	zeros [64]float64
	ones  = filled()
)

func filled() (v [64]float32) {
	for i := range v {
		v[i] = 1
	}
	return v
}

// AddScaled sets y += scale·x, rounding once.
func AddScaled(y, x []float32, scale float64) {
	if scale == 1 {
		Add(y, x)
		return
	}
	x = x[:len(y)]
	for i, v := range x {
		y[i] = float32(float64(y[i]) + float64(float64(v)*scale))
	}
}

// Scale sets x = scale·x, rounding once.
func Scale(x []float32, scale float64) {
	if scale == 1 {
		return
	}
	for len(x) > 0 {
		n := min(len(x), len(ones))
		scaleRow(x[:n], x[:n], ones[:n], scale)
		x = x[n:]
	}
}

// ScaleEach sets x[i] = x[i]·factors[i].
func ScaleEach(x, factors []float32) { scaleRow(x, x, factors[:len(x)], 1) }
