package scheme

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/tensor"
)

// GPTQ stores weights by columns of the transposed matrix: qweight [I·bits/32, O] has the codes of a row of the weight as a
// stream over a column of words, low bits first; qzeros [groups, O·bits/32] one zero point for each row and group; g_idx the group
// of each column. w = scale·(code - zero). What is stored in the format "gptq" is zero - 1, in "gptq_v2" zero itself.
var gptq = scheme{
	program: "GPTQ", parts: []string{"qweight", "qzeros", "scales"}, optional: []string{"g_idx"},
	match: func(m *module) bool {
		return m.has("g_idx") || m.has("qweight") && m.settings.text("quant_method") == "gptq" || m.has("qweight") && !m.packedByRows()
	},
	weight: newGPTQ,
}

// AWQ (version gemm) has the codes of eight rows of the weight in a word: qweight [I, O/8], qzeros [groups, O/8]. Row 8j + r is in
// the bits from 4·awqOrder[r] on. w = scale·(code - zero).
var awq = scheme{
	program: "AWQ", parts: []string{"qweight", "qzeros", "scales"},
	match: func(m *module) bool { return m.has("qweight") },
	weight: func(m *module) (tensor.Coding, []int, error) {
		if v := m.settings.text("version"); v != "" && v != "gemm" && v != "GEMM" {
			return nil, nil, m.cannot("qweight", "is stored by AWQ for the kernel %s; only gemm is read", badfile.Quote(v))
		}
		codes, err := m.codes("qweight", 2, tensor.I32)
		if err != nil {
			return nil, nil, err
		}
		c := &byColumns{codes: codes.Data, rows: 8 * codes.Shape[1], cols: codes.Shape[0], bits: 4, name: "AWQ-4", stored: m.bytes("qweight", "qzeros", "scales")}
		c.code, c.zero = c.inWord, c.zeroInWord
		return c, []int{c.rows, c.cols}, c.groups(m, codes.Shape[1])
	},
}

// awqOrder is where in a word each of eight rows is.
var awqOrder = [8]int{0, 4, 1, 5, 2, 6, 3, 7}

// packedByRows reports whether qweight has the shape of AWQ: as many words in a row as qzeros.
func (m *module) packedByRows() bool {
	w, z := m.parts["qweight"].Shape, m.parts["qzeros"].Shape
	return len(w) == 2 && len(z) == 2 && w[1] == z[1]
}

func newGPTQ(m *module) (tensor.Coding, []int, error) {
	codes, err := m.codes("qweight", 2, tensor.I32)
	if err != nil {
		return nil, nil, err
	}
	zeros, err := m.codes("qzeros", 2, tensor.I32)
	if err != nil {
		return nil, nil, err
	}
	c := &byColumns{codes: codes.Data, rows: codes.Shape[1], less: 1, stored: m.bytes("qweight", "qzeros", "scales", "g_idx")}
	c.code, c.zero = c.inColumn, c.zeroInRow
	c.bits = 32 * zeros.Shape[1] / c.rows
	if !slices.Contains([]int{2, 3, 4, 8}, c.bits) || 32*zeros.Shape[1]%c.rows != 0 || 32*codes.Shape[0]%c.bits != 0 {
		return nil, nil, m.bad("qzeros", "found %s beside qweight %s, expected codes of 2, 3, 4 or 8 bits", badfile.Shape(zeros.Shape), badfile.Shape(codes.Shape))
	}
	if m.settings.text("checkpoint_format") == "gptq_v2" {
		c.less = 0
	}
	c.cols = 32 * codes.Shape[0] / c.bits
	c.name = fmt.Sprintf("GPTQ-%d", c.bits)
	if err := c.groups(m, zeros.Shape[1]); err != nil {
		return nil, nil, err
	}
	if m.has("g_idx") {
		c.index, err = m.columnGroups("g_idx", c.cols, c.count)
	}
	return c, []int{c.rows, c.cols}, err
}

// byColumns are codes of a transposed weight.
type byColumns struct {
	stored
	name       string
	codes      []byte
	rows, cols int // of the weight
	bits       int
	group      int
	count      int // of groups
	scales     numbers
	zeros      []byte
	zeroWords  int                        // in a row
	less       int32                      // what is stored is the zero point less this
	index      []byte                     // the group of each column; nil: they are in order
	code       func(row, col int) uint32  // of the weight
	zero       func(row, group int) int32 // as it is stored
}

// groups reads scales and zero points, of which a row has some words.
func (c *byColumns) groups(m *module, words int) (err error) {
	shape := m.parts["scales"].Shape
	if len(shape) != 2 || shape[0] < 1 || shape[1] != c.rows {
		return m.bad("scales", "found %s, expected [groups, %d]", badfile.Shape(shape), c.rows)
	}
	c.count, c.zeroWords = shape[0], words
	if c.group = (c.cols-1)/c.count + 1; c.cols%c.count != 0 && !m.has("g_idx") {
		return m.bad("scales", "found %s for %d columns, which are not whole groups", badfile.Shape(shape), c.cols)
	}
	if c.scales, err = m.numbers("scales", scaleTypes, shape); err != nil {
		return err
	}
	zeros := m.parts["qzeros"]
	if zeros.DType != tensor.I32 || !slices.Equal(zeros.Shape, []int{c.count, words}) {
		return m.bad("qzeros", "found %s %s, expected I32 %s", zeros.DType, badfile.Shape(zeros.Shape), badfile.Shape([]int{c.count, words}))
	}
	c.zeros = zeros.Data
	return nil
}

func (c *byColumns) inColumn(row, col int) uint32 { return column(c.codes, c.rows, row, col, c.bits) }

func (c *byColumns) zeroInRow(row, group int) int32 {
	return int32(code(c.zeros[4*c.zeroWords*group:][:4*c.zeroWords], row, c.bits))
}

func (c *byColumns) inWord(row, col int) uint32 {
	word := binary.LittleEndian.Uint32(c.codes[4*(col*c.zeroWords+row/8):])
	return word >> (4 * awqOrder[row%8]) & 15
}

func (c *byColumns) zeroInWord(row, group int) int32 {
	word := binary.LittleEndian.Uint32(c.zeros[4*(group*c.zeroWords+row/8):])
	return int32(word >> (4 * awqOrder[row%8]) & 15)
}

func (c *byColumns) String() string { return c.name }

func (c *byColumns) Widen(dst []float32, first int) {
	runs(dst, first, c.cols, c.group, func(dst []float32, row, col int) {
		if c.index == nil {
			g := col / c.group
			s, z := c.scales.at(g*c.rows+row), c.zero(row, g)+c.less
			for i := range dst {
				dst[i] = float32(int32(c.code(row, col+i))-z) * s
			}
			return
		}
		for i := range dst {
			g := int(binary.LittleEndian.Uint32(c.index[4*(col+i):]))
			dst[i] = float32(int32(c.code(row, col+i))-c.zero(row, g)-c.less) * c.scales.at(g*c.rows+row)
		}
	})
}
