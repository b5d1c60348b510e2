package scheme

import (
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/kernel"
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
	kind   *kernel.Codes
	scales numbers
	zeros  numbers // of each scale; without data: none
	cols   int     // of a block's rows; 0: groups are numbered as if there was one row
	// A scale is that of some rows, those of all experts counted on, and of some columns; a row of scales has perRow.
	rows, group, perRow int
}

// tile is the size of blocks that share a scale, which may be cut off at the end of rows and columns.
type tile struct {
	rows, cols int  // 0: none is usual
	stated     bool // there are no others
}

// newScaled reads the codes of one part, the scales of another and the zero points of a third, if there are any.
func newScaled(m *module, codesPart, scalePart, zeroPart string, blocks tile) (tensor.Coding, error) {
	codes := m.parts[codesPart]
	c := &scaled{name: "FP8", codes: codes.Data, kind: kernel.E4M3, stored: m.bytes(codesPart, scalePart, zeroPart)}
	if codes.DType == tensor.I8 {
		c.name, c.kind = "INT8", kernel.Int8
	}
	if err := c.share(m, scalePart, codes.Shape, blocks); err != nil {
		return nil, err
	}
	types := scaleTypes
	if codes.DType != tensor.I8 {
		types = append(slices.Clone(types), tensor.F8_E8M0, tensor.U8)
	}
	shape := m.parts[scalePart].Shape
	var err error
	if c.scales, err = m.numbers(scalePart, types, shape); err != nil {
		return nil, err
	}
	p := &plainBytes{scaled: c, values: map[tensor.DType]*[256]float32{tensor.F8_E4M3: &e4m3, tensor.F8_E5M2: &e5m2}[codes.DType]}
	if m.has(zeroPart) {
		c.zeros, err = m.numbers(zeroPart, append(slices.Clone(scaleTypes), tensor.I8, tensor.F8_E4M3), shape)
	}
	if c.onlyZeros(codes.Shape) {
		c.zeros = numbers{}
	}
	if codes.DType == tensor.I8 || codes.DType == tensor.F8_E4M3 && c.zeros.data == nil {
		return c, err
	}
	return p, err
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
		c.group = experts * rows * cols
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
		c.group = cols / wide
	case divides && wide == 1 && (tiles || !blocks.stated):
		c.group = rows / tall * cols
	case tiles && last == 1:
		c.cols, c.rows, c.group, c.perRow = cols, min(blocks.rows, rows), min(blocks.cols, cols), wide
	case tiles && (tall > 1 && rows%blocks.rows != 0 || wide > 1 && cols%blocks.cols != 0):
		return m.cannot(part, "is of blocks of %d by %d, which do not divide the experts %s", blocks.rows, blocks.cols, badfile.Shape(shape))
	case divides && (tiles || !blocks.stated):
		c.cols, c.rows, c.group, c.perRow = cols, rows/tall, cols/wide, wide
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

// Widen implements tensor.Coding.
func (c *scaled) Widen(dst []float32, first int) { kernel.WidenStream(dst, c, first) }

// Stream implements kernel.Streams.
func (c *scaled) Stream() kernel.Stream {
	return kernel.Stream{Codes: c.kind, Data: c.codes, Group: c.group, Zeros: c.zeros.data != nil, Cols: c.cols, RowBytes: c.cols}
}

// Groups implements kernel.Streams.
func (c *scaled) Groups(scales, zeros, _ []float32, first int) {
	c.scales.fill(scales, c.number(first))
	if zeros != nil {
		c.zeros.fill(zeros, c.number(first))
	}
}

// number is that of the scale of an element.
func (c *scaled) number(first int) int {
	if c.cols == 0 {
		return first / c.group
	}
	return first/c.cols/c.rows*c.perRow + first%c.cols/c.group
}

// onlyZeros reports whether there are no zero points but 0. Only if rows have one each are they looked at.
func (c *scaled) onlyZeros(shape []int) bool {
	return c.cols == 0 && c.group%shape[len(shape)-1] == 0 && !slices.ContainsFunc(c.zeros.data, func(b byte) bool { return b != 0 })
}

// plainBytes are codes of a byte that the kernel does not have: floats with zero points, or other floats.
type plainBytes struct {
	scaled *scaled
	values *[256]float32
}

func (c *plainBytes) String() string { return c.scaled.String() }

// Parts implements tensor.Coding.
func (c *plainBytes) Parts() [][]byte { return c.scaled.Parts() }

// Widen implements tensor.Coding.
func (c *plainBytes) Widen(dst []float32, first int) {
	cols := c.scaled.cols
	if cols == 0 {
		cols = len(c.scaled.codes)
	}
	runs(dst, first, cols, c.scaled.group, func(dst []float32, row, col int) {
		at := row*cols + col
		lookUpBytes(dst, c.values, c.scaled.codes[at:])
		i := c.scaled.number(at)
		s, z := c.scaled.scales.at(i), float32(0)
		if c.scaled.zeros.data != nil {
			z = c.scaled.zeros.at(i)
		}
		for i, v := range dst {
			dst[i] = float32(v-z) * s
		}
	})
}
