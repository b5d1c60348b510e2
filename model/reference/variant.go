package reference

import (
	"math"

	"golang.org/x/exp/constraints"

	"github.com/gomamba/gomamba/tensor"
)

// Variant is another way to compute the same network, or nearly the same. The zero value is the textbook computation.
type Variant struct {
	// Chunked evaluates the scans of Mamba-2 in chunks of chunk_size, as the Mamba-2 paper's Listing 1, transformers and
	// mamba_ssm do: the same values but for rounding. Other families do not have such a form.
	Chunked bool

	// Narrow rounds weights and the result of every operation to F16 or BF16, as a model in that dtype computes.
	Narrow tensor.DType

	// Dither, if not 0, makes Narrow round down or up by chance, the more likely the nearer. Each number is a draw of its
	// own, where rounding to the nearest is always the same.
	Dither uint64

	// WideStates leaves the residual stream and the SSM states as they are in spite of Narrow: residual_in_fp32 and
	// most scans do so.
	WideStates bool

	// DtFloor raises the dt of Nemotron-H and Zamba2 to their time_step_min: model.Options.DtFloor. Other families refuse it.
	DtFloor bool

	// Rescaled divides out_proj.weight by the square root of the number of layers, as transformers 5 does while loading
	// if rescale_prenorm_residual is true.
	Rescaled bool

	// Routing notes and replaces the choices of routers; nil: they choose.
	Routing *Routing
}

// String returns what to add to a description of the textbook computation.
func (v Variant) String() string {
	var text string
	if v.Narrow != 0 {
		text += " rounded to " + v.Narrow.String()
	}
	if v.Dither != 0 {
		text += " by chance"
	}
	if v.Chunked {
		text += " in chunks"
	}
	if v.Rescaled {
		text += " with rescaled weights"
	}
	if v.DtFloor {
		text += " with dt of time_step_min at least"
	}
	return text
}

// narrow rounds v, weights or the result of an operation, in place to what the variant computes in, and returns it.
func (o *oracle[F]) narrow(v []F) []F {
	switch o.variant.Narrow {
	case tensor.BF16:
		for i, x := range v {
			v[i] = F(o.variant.round(float32(x), i, tensor.F32ToBF16, tensor.BF16ToF32))
		}
	case tensor.F16:
		for i, x := range v {
			v[i] = F(o.variant.round(float32(x), i, tensor.F32ToF16, tensor.F16ToF32))
		}
	}
	return v
}

// round returns the 16-bit value nearest to x, or with Dither one of the two on either side.
func (v Variant) round(x float32, i int, encode func(float32) uint16, decode func(uint16) float32) float32 {
	bits := encode(x)
	near := decode(bits)
	if v.Dither == 0 || near == x || x != x {
		return near
	}
	if math.Abs(float64(near)) < math.Abs(float64(x)) {
		bits++ // the next in magnitude
	} else {
		bits--
	}
	far := decode(bits)
	// A hash of the value and its place is as good as chance here, and the same in every run.
	hash := (uint64(math.Float32bits(x))<<20 ^ uint64(i) ^ v.Dither<<56) * 0x9e3779b97f4a7c15
	hash = (hash ^ hash>>29) * 0xbf58476d1ce4e5b9
	if float64(hash>>11)*0x1p-53 < float64(x-near)/float64(far-near) {
		return far
	}
	return near
}

// narrowState is narrow for the residual stream and the SSM states.
func (o *oracle[F]) narrowState(v []F) []F {
	if o.variant.WideStates {
		return v
	}
	return o.narrow(v)
}

// outProj is the last projection of a mixer, of y [B·T, I].
func (o *oracle[F]) outProj(b binder, y, bias []F) []F {
	o.narrow(y)
	if o.variant.Rescaled {
		root := F(math.Sqrt(float64(o.cfg.NumHiddenLayers)))
		for i := range y {
			y[i] /= root
		}
	}
	return o.linear(b.Take("out_proj.weight"), y, bias)
}

// narrowed is narrow for a single value.
func narrowed[F constraints.Float](o *oracle[F], x F) F {
	if o.variant.Narrow == 0 {
		return x
	}
	one := [1]F{x}
	return o.narrow(one[:])[0]
}
