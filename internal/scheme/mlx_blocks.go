package scheme

import (
	"fmt"

	"github.com/gomamba/gomamba/tensor"
)

// mlxBlocks are mlxGroups of a mode whose groups are blocks of ggml's, in another order: MXFP4 and NVFP4.
type mlxBlocks struct {
	*mlxGroups
	dtype tensor.DType
}

// Block implements tensor.Blocks.
func (c *mlxBlocks) Block() tensor.DType { return c.dtype }

// Scale implements tensor.Blocks: there is none of the whole weight.
func (c *mlxBlocks) Scale(int) float32 { return 1 }

// Blocks implements tensor.Blocks.
func (c *mlxBlocks) Blocks(dst []byte, first int) error {
	if c.dtype == tensor.NVFP4 {
		return nvfp4Blocks(dst, c.codes, c.scales.data, first)
	}
	elems, size := c.dtype.Block()
	for ; len(dst) > 0; dst, first = dst[size:], first+elems {
		scale := c.scales.data[first/elems]
		if scale > maxE8M0 {
			return fmt.Errorf("elements from %d on have a scale of 2^%d, with which some are not finite; the file is damaged: download it again, or take another one", first, int(scale)-127)
		}
		dst[0] = scale
		from, to := c.codes[first/2:][:elems/2], dst[1:size]
		for i := range elems / 4 {
			// from[i] has the codes 2i and 2i+1, from[8+i] those 16 further.
			to[2*i] = from[i]&15 | from[elems/4+i]<<4
			to[2*i+1] = from[i]>>4 | from[elems/4+i]&0xf0
		}
	}
	return nil
}

// maxE8M0 is the largest exponent of a block whose elements are all finite.
const maxE8M0 = 252
