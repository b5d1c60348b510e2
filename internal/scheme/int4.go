package scheme

import (
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/tensor"
)

// The 4-bit integers of ModelOpt, W4A16_AWQ (quant_utils.py, pack_int4_in_uint8): w = code·scale, and by AWQ the input of the product
// has factors. A byte has the codes of two rows of the same column, signed, that of the even row in the low four bits.
var int4ModelOpt = scheme{
	program: "ModelOpt", parts: []string{partWeight, "weight_scale"}, optional: []string{"weight_scale_2", partInput},
	match: func(m *module) bool {
		return m.has(partWeight, tensor.U8) && m.has("weight_scale", scaleTypes...)
	},
	weight: func(m *module) (tensor.Coding, []int, error) {
		codes, err := m.codes(partWeight, 2, tensor.U8)
		if err != nil {
			return nil, nil, err
		}
		if m.has("weight_scale_2") {
			return nil, nil, m.cannot("weight_scale_2", "is that of W4A8_AWQ of ModelOpt, whose weights are rounded again to FP8 as they are used; only W4A16_AWQ is read")
		}
		c := &rowPairs{codes: codes.Data, cols: codes.Shape[1], stored: m.bytes(partWeight, "weight_scale")}
		rows := 2 * codes.Shape[0]
		shape := m.parts["weight_scale"].Shape
		if len(shape) != 2 || shape[0] != rows || shape[1] < 1 || c.cols%shape[1] != 0 {
			return nil, nil, m.bad("weight_scale", "found %s, expected %d rows of scales, as many in each as groups divide %d columns", badfile.Shape(shape), rows, c.cols)
		}
		c.perRow, c.group = shape[1], c.cols/shape[1]
		c.scales, err = m.numbers("weight_scale", scaleTypes, shape)
		return c, []int{rows, c.cols}, err
	},
}

// rowPairs are the codes of two rows each, and the scales of groups of columns.
type rowPairs struct {
	stored
	codes         []byte
	scales        numbers
	cols          int
	group, perRow int
}

func (c *rowPairs) String() string { return "INT4" }

func (c *rowPairs) Widen(dst []float32, first int) {
	runs(dst, first, c.cols, c.group, func(dst []float32, row, col int) {
		s, shift := c.scales.at(row*c.perRow+col/c.group), row%2*4
		for i, b := range c.codes[row/2*c.cols+col:][:len(dst)] {
			dst[i] = int4s[b>>shift&15] * s
		}
	})
}
