// Package quantize encodes rows of weights as blocks of ggml's quantized types, with the scales that a search finds best.
//
// llama-quantize rounds to scales that it derives from a block's extreme values, or tries some twenty. Here the error of
// every scale worth a look is known before one is chosen. If codes are evenly spaced, sixteen scales are tried at once: first
// all over the range, then each where its codes fit best, and then next to the best (trials.go, even.go, affine.go). If not, the codes of a block are followed as
// its scale grows: they change one at a time, and the sums that decide the error are carried along (profile.go). Scales of
// sub-blocks, which are small integers themselves, are then chosen together with what they multiply (evensuper.go,
// superaffine.go, super.go).
//
// No product is fused with a sum, in float32 or float64, so every machine writes the same bytes.
package quantize

import (
	"fmt"
	"math"
	"sync"

	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/tensor"
)

// encoder writes the blocks of one dtype.
type encoder struct {
	encode func(b *block, dst []byte) // one block, of b.x and b.w
	alike  bool                       // importance counts alike for values of all sizes
	steep  bool                       // it grows with them from smaller ones on: below three bits large values decide more

	largest float64 // magnitude that every block can hold
}

// block is one block on its way into bytes, and what its encoder needs meanwhile.
type block struct {
	x, w []float64 // values and weights; a view of the arrays below
	q    [256]int8 // codes
	tmp  [256]int8 // codes of a trial

	values, weights [256]float64
	profiles        [16]profile
	supers          [2]superBlock

	// For the search in float32 (trials.go).
	unit, perUnit    float64 // the block's, a power of two
	narrowX, narrowW [256]float32
	narrowWX         [256]float32
	groups           [16]group
	trials           kernel.Trials

	gridFits           [16]gridFit
	grids              [2]gridBlock
	signs              [32]byte
	tmpRows, otherRows [64]uint16
}

var blocks = sync.Pool{New: func() any { return new(block) }}

// Supports reports whether Row encodes d.
func Supports(d tensor.DType) bool { return encoders[d].encode != nil }

// Largest returns the largest magnitude of values that d can hold, whatever else is in their block.
func Largest(d tensor.DType) float64 { return encoders[d].largest }

// Row encodes src, whole blocks of one row of a matrix, as dtype d into dst. importance is the mean square of the input
// that each of the columns is multiplied with, or nil if all count the same.
//
// What is kept small is the sum of squared errors or, with importance, of importance times squared error, counted somewhat
// more for large values: errors of columns are not independent of each other. Both were chosen by the logits of trained
// models. The bytes of a block depend on nothing but its values and its columns' importance.
//
// Values out of the dtype's range become the nearest that it has. A value or importance that is not finite, or a negative
// importance, is an error. Row panics if Supports(d) is false or lengths do not match.
func Row(dst []byte, d tensor.DType, src, importance []float32) error {
	if !Supports(d) {
		panic(fmt.Sprintf("quantize: Row of %s", d))
	}
	elems, bytes := d.Block()
	if len(src)%elems != 0 || len(dst) != len(src)/elems*bytes || importance != nil && len(importance) != len(src) {
		panic(fmt.Sprintf("quantize: %d elements with %d of importance into %d bytes of %s",
			len(src), len(importance), len(dst), d))
	}
	e := &encoders[d]
	b := blocks.Get().(*block)
	defer blocks.Put(b)
	for i := 0; i < len(src); i += elems {
		if err := b.load(src[i:i+elems], importance, i, e); err != nil {
			return err
		}
		e.encode(b, dst[i/elems*bytes:][:bytes])
	}
	return nil
}

// load readies b for the values src, which are elements at and after first of their row. Their importance grows with their
// size as e says.
func (b *block) load(src, importance []float32, first int, e *encoder) error {
	b.x, b.w = b.values[:len(src)], b.weights[:len(src)]
	for i, v := range src {
		x := float64(v)
		if x-x != 0 {
			return fmt.Errorf("element %d is %v: expected a finite value", first+i, v)
		}
		b.x[i], b.w[i] = x, 1
	}
	if importance == nil {
		return nil
	}
	square := 0.0
	for _, x := range b.x {
		square += float64(x * x)
	}
	square /= float64(len(src))
	if !e.steep {
		square *= 4
	}
	sum := 0.0
	for i, v := range importance[first : first+len(src)] {
		h := float64(v)
		if h-h != 0 || h < 0 {
			return fmt.Errorf("importance of column %d is %v: expected a finite value that is not negative", first+i, v)
		}
		if b.w[i] = h; !e.alike {
			b.w[i] = float64(h * math.Sqrt(square+float64(b.x[i]*b.x[i])))
		}
		sum += b.w[i]
	}
	// A column without importance still decides what nothing else does.
	scale, least := inverse(sum/float64(len(src))), 1e-6
	if sum == 0 {
		least = 1
	}
	for i, w := range b.w {
		b.w[i] = float64(w*scale) + least
	}
	return nil
}

// half rounds a scale to what F16 holds, finite, and not to zero, which would lose the block.
func half(scale float64) (bits uint16, value float64) {
	bits = tensor.F32ToF16(float32(max(-65504, min(65504, scale))))
	if bits&0x7fff == 0 && scale != 0 {
		bits |= 1
	}
	return bits, halfValue(bits)
}

// halfValue is the value of an F16.
func halfValue(bits uint16) float64 { return float64(tensor.F16ToF32(bits)) }

// inverse is 1/scale, 0 for a scale of 0.
func inverse(scale float64) float64 {
	if scale == 0 {
		return 0
	}
	return 1 / scale
}

// round returns the integer nearest x, which is of a magnitude below 2^20; halves go up.
func round(x float64) int { return int(x+(1<<20+0.5)) - 1<<20 }

// clamp returns x, but lo if it is below and hi if above.
func clamp(x, lo, hi float64) float64 {
	if x > hi {
		return hi
	}
	if x < lo {
		return lo
	}
	return x
}
