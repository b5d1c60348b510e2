package scheme

import (
	"fmt"

	"github.com/gomamba/gomamba/tensor"
)

// OfBlocks returns the mode of MLX whose groups are the blocks of a weight from GGUF, in another order; ok is false if none is, or if
// the weight has a scale of its own, for which MLX does not have a place.
func OfBlocks(t tensor.Tensor) (m MLX, ok bool) {
	switch {
	case t.Coding != nil:
		return m, false
	case t.DType == tensor.MXFP4:
		return MLX{"mxfp4", 4, 32}, true
	case t.DType == tensor.NVFP4:
		return MLX{"nvfp4", 4, 16}, true
	}
	return m, false
}

// FromBlocks sets dst to one part, codes or scales, of whole blocks of a weight for which OfBlocks has a mode. first is the number
// of their first element, for errors. Both zeros of ggml are positive, and so are these.
func (m MLX) FromBlocks(dst []byte, part Part, dtype tensor.DType, blocks []byte, first int) error {
	elems, size := dtype.Block()
	groups := elems / m.Group
	for ; len(blocks) > 0; blocks, first = blocks[size:], first+elems {
		for g := range groups {
			codes := blocks[groups+g*m.Group/2:][:m.Group/2]
			if part == Codes {
				inOrder(dst[:m.Group/2], codes)
				dst = dst[m.Group/2:]
				continue
			}
			scale, ok := m.scaleOf(blocks[g])
			if !ok {
				return fmt.Errorf("elements from %d on have the scale %#02x, with which MLX computes otherwise than ggml; ask for another dtype", first+g*m.Group, blocks[g])
			}
			dst[0], dst = scale, dst[1:]
		}
	}
	return nil
}

// scaleOf returns the scale by which MLX has the values that ggml has with one. ggml ignores the sign of E4M3, and takes its NaN
// without one for 0.
func (m MLX) scaleOf(scale byte) (same byte, ok bool) {
	if m.Mode == "mxfp4" {
		return scale, scale <= maxE8M0
	}
	if scale == 0x7f {
		return 0, true
	}
	return scale & 0x7f, scale != 0xff
}

// inOrder sets dst to codes of 4 bits one after the other, the low bits of a byte first, of which src has the first half in its low
// bits.
func inOrder(dst, src []byte) {
	half := len(src) / 2
	zero := func(code byte) byte {
		if code == 8 { // the negative one
			return 0
		}
		return code
	}
	for i := range half {
		dst[i] = zero(src[2*i]&15) | zero(src[2*i+1]&15)<<4
		dst[half+i] = zero(src[2*i]>>4) | zero(src[2*i+1]>>4)<<4
	}
}
