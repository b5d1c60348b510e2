package scheme

import (
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/tensor"
)

// Weights of a byte each: w = code·scale, where a scale is that of the whole weight, of a row, of a group of columns or of a
// block. The codes are E4M3 floats in ModelOpt's FP8, in the formats float-quantized of compressed-tensors and fp8 of
// transformers (finegrained_fp8.py, which calls the scales weight_scale_inv), or signed integers in int-quantized.
var scaledBytes = scheme{
	parts: []string{partWeight}, optional: []string{"weight_scale", "weight_scale_inv", "weight_zero_point", "pre_quant_scale"},
	match: func(m *module) bool {
		scale := m.has("weight_scale") || m.has("weight_scale_inv")
		return m.has(partWeight, tensor.F8_E4M3) && (scale || len(m.parts[partWeight].Shape) == 2) || m.has(partWeight, tensor.I8) && scale
	},
	weight: func(m *module) (tensor.Coding, []int, error) {
		codes, err := m.codes(partWeight, 2, tensor.F8_E4M3, tensor.I8)
		if err != nil {
			return nil, nil, err
		}
		scale := "weight_scale"
		if !m.has(scale) {
			scale += "_inv"
		}
		switch {
		case !m.has(scale):
			return nil, nil, m.bad(partWeight, "found %s and no tensor weight_scale beside it; it may be in a shard that is missing", codes.DType)
		case m.has("weight_zero_point"):
			return nil, nil, m.cannot("weight_zero_point", "8-bit codes with zero points; only symmetric ones are read")
		case m.has("pre_quant_scale"):
			return nil, nil, m.cannot("pre_quant_scale", "scales the input of a product, which is not done here; use a checkpoint without it")
		}
		c := &scaled{name: "FP8", codes: codes.Data, kind: kernel.E4M3, stored: m.bytes(partWeight, scale)}
		if codes.DType == tensor.I8 {
			c.name, c.kind = "INT8", kernel.Int8
		}
		return c, codes.Shape, c.share(m, scale, codes.Shape[0], codes.Shape[1])
	},
}

// scaled are codes of a byte and what they are multiplied by.
type scaled struct {
	stored
	name   string
	codes  []byte
	kind   *kernel.Codes
	scales numbers
	cols   int // of a block's rows; 0: groups are numbered as if there was one row
	// A scale is that of some rows and columns; a row of scales has perRow.
	rows, group, perRow int
}

// share finds out by the shape of the scales which codes have one in common.
func (c *scaled) share(m *module, part string, rows, cols int) (err error) {
	shape := m.parts[part].Shape
	n := m.parts[part].Elems()
	switch {
	case n == 1:
		c.group = rows * cols
	case n == rows && len(squeeze(shape)) == 1 && len(shape) <= 2 && shape[0] == rows:
		c.group = cols
	case len(shape) == 2 && shape[0] == rows && shape[1] > 0 && cols%shape[1] == 0:
		c.group = cols / shape[1]
	default:
		block := m.settings.numbers("weight_block_size")
		if len(block) != 2 || block[0] < 1 || block[1] < 1 {
			block = []int{128, 128}
		}
		tiles := []int{(rows-1)/block[0] + 1, (cols-1)/block[1] + 1}
		if !slices.Equal(shape, tiles) {
			return m.bad(part, "found %s for a weight %s, expected one scale, %d of them, one for each group of columns, or %s for blocks of %d by %d",
				badfile.Shape(shape), badfile.Shape([]int{rows, cols}), rows, badfile.Shape(tiles), block[0], block[1])
		}
		c.cols, c.rows, c.group, c.perRow = cols, block[0], block[1], tiles[1]
	}
	c.scales, err = m.numbers(part, scaleTypes, shape)
	return err
}

func (c *scaled) String() string { return c.name }

// Widen implements tensor.Coding.
func (c *scaled) Widen(dst []float32, first int) { kernel.WidenStream(dst, c, first) }

// Stream implements kernel.Streams.
func (c *scaled) Stream() kernel.Stream {
	return kernel.Stream{Codes: c.kind, Data: c.codes, Group: c.group, Cols: c.cols, RowBytes: c.cols}
}

// Groups implements kernel.Streams.
func (c *scaled) Groups(scales, _, _ []float32, first int) {
	if c.cols == 0 {
		c.scales.fill(scales, first/c.group)
		return
	}
	c.scales.fill(scales, first/c.cols/c.rows*c.perRow+first%c.cols/c.group)
}
