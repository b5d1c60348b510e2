package reference

import (
	"math"

	"golang.org/x/exp/constraints"

	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/samebits"
	"github.com/gomamba/gomamba/tensor"
)

// convolve is filter with SiLU.
func (o *oracle[F]) convolve(x []F, stride, channels int, state *blocks.State[F], weight, bias []F) []F {
	out := o.filter(x, stride, channels, state, weight, bias)
	for i, v := range out {
		out[i] = silu(v)
	}
	return o.narrow(out)
}

// filter is the causal depthwise convolution of C channels. x [B·T, C] has rows stride apart; state [B, C, K] holds the inputs
// before the first token.
func (o *oracle[F]) filter(x []F, stride, channels int, state *blocks.State[F], weight, bias []F) []F {
	K := state.Shape[1]
	out := make([]F, o.rows*channels)
	for seq := range o.batch.Sequences {
		from, to := o.batch.Real(seq)
		for c := range channels {
			if o.stopped() {
				break
			}
			window := state.Of(seq)[c*K:][:K]
			for t := from; t < to; t++ {
				row := seq*o.batch.Tokens + t
				copy(window, window[1:])
				window[K-1] = x[row*stride+c]
				var sum F
				for k := range K {
					sum += F(weight[c*K+k] * window[k])
				}
				if bias != nil {
					sum += bias[c]
				}
				out[row*channels+c] = narrowed(o, sum)
			}
		}
	}
	return out
}

// linear returns x·wᵀ + bias for every row of x. Rows of w are shared out among the cores.
func (o *oracle[F]) linear(w tensor.Tensor, x, bias []F) []F {
	if o.bind.Err() != nil {
		return x
	}
	out, in := w.Shape[0], w.Shape[1]
	rows := len(x) / in
	y := make([]F, rows*out)
	o.pool.Run(out, 16, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			weight := o.values(slice(w, r, in))
			for t := range rows {
				if t%checkEvery == 0 && o.stopped() {
					return
				}
				y[t*out+r] = dot(weight, x[t*in:(t+1)*in])
				if bias != nil {
					y[t*out+r] += bias[r]
				}
			}
		}
	})
	return o.narrow(y)
}

// norm returns the RMS norm of every row.
func (o *oracle[F]) norm(x []F, weight tensor.Tensor) []F {
	width, w := len(x)/o.rows, o.values(weight)
	y := append([]F(nil), x...)
	for row := range o.rows {
		if o.stopped() {
			break
		}
		rmsNorm(y[row*width:][:width], w, F(o.cfg.LayerNormEpsilon))
	}
	return o.narrow(y)
}

// rmsNorm replaces x by x / sqrt(mean(x²) + eps) · weight; a nil weight stands for ones.
func rmsNorm[F constraints.Float](x, weight []F, eps F) {
	var sum F
	for _, v := range x {
		sum += F(v * v)
	}
	scale := 1 / F(math.Sqrt(float64(sum/F(len(x))+eps)))
	for i := range x {
		x[i] *= scale
		if weight != nil {
			x[i] *= weight[i]
		}
	}
}

// scaled returns x times a number, 0 standing for 1.
func scaled[F constraints.Float](o *oracle[F], x []F, scale float64) []F {
	if scale == 0 || scale == 1 {
		return x
	}
	y := make([]F, len(x))
	for i, v := range x {
		y[i] = v * F(scale)
	}
	return o.narrow(y)
}

// bias returns a bias that the configuration may do without; nil then.
func (o *oracle[F]) bias(b binder, name string, used bool) []F {
	if !used {
		return nil
	}
	return o.vector(b, name)
}

func (o *oracle[F]) vector(b binder, name string) []F { return o.values(b.Take(name)) }

// values returns a tensor's elements in type F.
func (o *oracle[F]) values(t tensor.Tensor) []F {
	if o.bind.Err() != nil {
		return nil
	}
	wide := make([]float64, t.Elems())
	t.Widen64(wide)
	if same, ok := any(wide).([]F); ok {
		return o.narrow(same)
	}
	v := make([]F, len(wide))
	for i, x := range wide {
		v[i] = F(x)
	}
	return o.narrow(v)
}

// slice returns row r of a tensor [rows, width].
func slice(t tensor.Tensor, r, width int) tensor.Tensor {
	return t.Piece(r*width, (r+1)*width)
}

// slab returns matrix i of a stack.
func slab(t tensor.Tensor, i int) tensor.Tensor {
	n := t.Shape[1] * t.Shape[2]
	part := t.Piece(i*n, (i+1)*n)
	part.Shape = t.Shape[1:]
	return part
}

// columns returns the first n columns of rows that are width wide.
func columns[F any](v []F, width, n int) []F {
	var out []F
	for ; len(v) > 0; v = v[min(width, len(v)):] {
		out = append(out, v[:n]...)
	}
	return out
}

// dot is the sum of products, in order.
func dot[F constraints.Float](w, x []F) F {
	var sum F
	for i, v := range x {
		sum += F(w[i] * v)
	}
	return sum
}

func exp[F constraints.Float](x F) F { return F(samebits.Exp(float64(x))) }

func silu[F constraints.Float](x F) F { return x / (1 + exp(-x)) }

// gelu is x·Φ(x), of the normal distribution (Hendrycks and Gimpel 2016).
func gelu[F constraints.Float](x F) F { return x / 2 * (1 + F(samebits.Erf(float64(x)/math.Sqrt2))) }

func softplus[F constraints.Float](x F) F {
	if x > 20 {
		return x
	}
	return F(samebits.Log1p(float64(exp(x))))
}
