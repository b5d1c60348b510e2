package scheme

import (
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/tensor"
)

// Weights of a byte each: w = code·scale or (code - zero)·scale, rounded after each step, where a scale is that of the whole
// weight, of an expert, of a row, of a group of columns or of a block. The codes are E4M3 floats in ModelOpt's FP8 and MXFP8, in the
// formats float-quantized and mxfp8-quantized of compressed-tensors and in fp8 of transformers (finegrained_fp8.py, which calls
// the scales weight_scale_inv), or signed integers in int-quantized. Experts may lie one after the other, [E, O, I].
var scaledBytes = scheme{
	parts: []string{partWeight}, optional: []string{"weight_scale", "weight_scale_inv", "weight_zero_point", partInput},
	match: func(m *module) bool {
		scale := m.has("weight_scale") || m.has("weight_scale_inv")
		return m.has(partWeight, tensor.F8_E4M3) && (scale || len(m.parts[partWeight].Shape) >= 2) || m.has(partWeight, tensor.I8) && scale
	},
	weight: func(m *module) (tensor.Coding, []int, error) {
		codes, err := m.codes(partWeight, 3, tensor.F8_E4M3, tensor.I8)
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
		case codes.DType == tensor.I8 && scale == "weight_scale_inv":
			return nil, nil, m.cannot(partWeight, "is FP4 of transformers, two codes in each I8, which is not read")
		}
		blocks, err := m.tile()
		if err != nil {
			return nil, nil, err
		}
		c, err := newScaled(m, partWeight, scale, "weight_zero_point", blocks)
		return c, codes.Shape, err
	},
}

// scaled are codes of a byte and what they are multiplied by.
type scaled struct {
	stored
	name   string
	codes  []byte
	values *[256]float32
	scales numbers
	zeros  numbers // of each scale; without data: none
	cols   int
	// A scale is that of some rows, those of all experts counted on, and of some columns; a row of scales has perRow.
	rows, group, perRow int
}

// bytesAre are the values of codes of a byte, and what they are called.
var bytesAre = map[tensor.DType]struct {
	name   string
	values *[256]float32
}{tensor.F8_E4M3: {"FP8", &e4m3}, tensor.F8_E5M2: {"FP8", &e5m2}, tensor.I8: {"INT8", &int8s}}

// tile is the size of blocks that share a scale, which may be cut off at the end of rows and columns.
type tile struct {
	rows, cols int  // 0: none is usual
	stated     bool // there are no others
}

// newScaled reads the codes of one part, the scales of another and the zero points of a third, if there are any.
func newScaled(m *module, codesPart, scalePart, zeroPart string, blocks tile) (*scaled, error) {
	codes := m.parts[codesPart]
	are := bytesAre[codes.DType]
	c := &scaled{name: are.name, codes: codes.Data, values: are.values, cols: codes.Shape[len(codes.Shape)-1], stored: m.bytes(codesPart, scalePart, zeroPart)}
	if err := c.share(m, scalePart, codes.Shape, blocks); err != nil {
		return nil, err
	}
	types := scaleTypes
	if codes.DType != tensor.I8 {
		types = append(slices.Clone(types), tensor.F8_E8M0, tensor.U8)
	}
	shape := m.parts[scalePart].Shape
	var err error
	if c.scales, err = m.numbers(scalePart, types, shape); err != nil || !m.has(zeroPart) {
		return c, err
	}
	c.zeros, err = m.numbers(zeroPart, append(slices.Clone(scaleTypes), tensor.I8, tensor.F8_E4M3), shape)
	return c, err
}

// tile is the size of blocks that the settings state, or the usual one. Without blocks, transformers has a scale for each matrix.
func (m *module) tile() (tile, error) {
	const key = "weight_block_size"
	switch v, _ := m.settings.members.Get(key); {
	case v.Kind() != jsonobj.Null:
		block := m.settings.numbers(key)
		if len(block) != 2 || block[0] < 1 || block[1] < 1 {
			return tile{}, &badfile.FormatError{Where: keyQuantization + "." + key, Detail: fmt.Sprintf("found %s, expected two numbers from 1 on", badfile.Quote(v.Compact()))}
		}
		return tile{block[0], block[1], true}, nil
	case m.settings.text("quant_method") == "fp8":
		return tile{}, nil
	}
	return tile{128, 128, false}, nil
}

// share finds out by the shape of the scales which codes have one in common.
func (c *scaled) share(m *module, part string, shape []int, blocks tile) error {
	last := len(shape) - 1
	experts, rows, cols := 1, shape[last-1], shape[last]
	if last == 2 {
		experts = shape[0]
	}
	scales := m.parts[part].Shape
	if m.parts[part].Elems() == 1 {
		c.rows, c.group, c.perRow = experts*rows, cols, 1
		return nil
	}
	// As many dimensions as the codes have, those that are missing at the end being 1.
	grid := slices.Clone(scales)
	for len(grid) <= last {
		grid = append(grid, 1)
	}
	tall, wide := 0, 0 // scales in a column and in a row
	if len(scales) > 0 && len(grid) == last+1 && (last < 2 || grid[0] == experts) {
		tall, wide = grid[last-1], grid[last]
	}
	divides := tall > 0 && wide > 0 && rows%tall == 0 && cols%wide == 0
	if tall != rows && (wide == cols && cols > 1 || len(scales) <= last && tall != 1) {
		divides = false // one for each column, or for so many rows that they are not whole
	}
	want, tiles := []int{1, 1}, false // tiles in a column and in a row
	if blocks.rows > 0 {
		want = []int{(rows-1)/blocks.rows + 1, (cols-1)/blocks.cols + 1}
		tiles = tall == want[0] && wide == want[1]
	}
	switch {
	case divides && tall == rows:
		c.rows, c.group, c.perRow = 1, cols/wide, wide
	case tiles && last == 1:
		c.rows, c.group, c.perRow = blocks.rows, blocks.cols, wide
	case tiles && (tall > 1 && rows%blocks.rows != 0 || wide > 1 && cols%blocks.cols != 0):
		return m.cannot(part, "is of blocks of %d by %d, which do not divide the experts %s", blocks.rows, blocks.cols, badfile.Shape(shape))
	case divides && (tiles || !blocks.stated):
		c.rows, c.group, c.perRow = rows/tall, cols/wide, wide
	default:
		of := "one for each block that divides it"
		if blocks.rows > 0 {
			of = fmt.Sprintf("%s for blocks of %d by %d", badfile.Shape(want), blocks.rows, blocks.cols)
		}
		return m.bad(part, "found %s for a weight %s, expected one scale, %s, one for each group of columns, or %s",
			badfile.Shape(scales), badfile.Shape(shape), badfile.Shape(shape[:last]), of)
	}
	return nil
}

func (c *scaled) String() string { return c.name }

func (c *scaled) Widen(dst []float32, first int) {
	runs(dst, first, c.cols, c.group, func(dst []float32, row, col int) {
		at := row/c.rows*c.perRow + col/c.group
		s, codes := c.scales.at(at), c.codes[row*c.cols+col:][:len(dst)]
		if c.zeros.data != nil {
			z := c.zeros.at(at)
			for i, code := range codes {
				dst[i] = float32(c.values[code]-z) * s
			}
			return
		}
		for i, code := range codes {
			dst[i] = c.values[code] * s
		}
	})
}
