package scheme

import (
	"fmt"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/tensor"
)

// The format pack-quantized of compressed-tensors (pack_quantized/helpers.py): w = (q - z)·scale, q and z signed and stored with
// 2^(bits-1) added. A row of codes is a stream of bits, low ones first, padded to whole words; those of z run along the rows of
// the weight. With g_idx a column says of which group it is.
var packed = scheme{
	program: "compressed-tensors", parts: []string{"weight_packed", "weight_scale", "weight_shape"},
	optional: []string{"weight_zero_point", "weight_g_idx"},
	match:    func(m *module) bool { return m.has("weight_packed", tensor.I32) || m.has("weight_shape") },
	weight: func(m *module) (tensor.Coding, []int, error) {
		codes, err := m.codes("weight_packed", 2, tensor.I32)
		if err != nil {
			return nil, nil, err
		}
		shape, ok := tensor.Int64s(m.parts["weight_shape"])
		rows, words := codes.Shape[0], codes.Shape[1]
		if !ok || len(shape) != 2 || shape[0] != int64(rows) || shape[1] < 1 || shape[1] > 32*int64(words) {
			return nil, nil, m.bad("weight_shape", "found %v, expected the rows of weight_packed, %d, and the columns in its %d words", shape, rows, words)
		}
		c := &packedInts{codes: codes.Data, cols: int(shape[1]), rowBytes: 4 * words, stored: m.bytes("weight_packed", "weight_scale", "weight_zero_point", "weight_g_idx")}
		c.bits = 32 * words / c.cols
		if c.bits > 8 || (c.cols*c.bits+31)/32 != words {
			return nil, nil, m.cannot("weight_packed", "has %d words for %d codes; only dense codes of 1 to 8 bits are read", words, c.cols)
		}
		c.kind, c.span = kernel.Integers(c.bits), c.cols
		if c.cols*c.bits == 8*c.rowBytes {
			c.span = rows * c.cols
		}
		return c, []int{rows, c.cols}, c.groups(m, rows)
	},
}

// packedInts are integers of a few bits, with scales and perhaps zero points for groups of columns.
type packedInts struct {
	stored
	codes          []byte
	kind           *kernel.Codes
	rowBytes, bits int
	cols, group    int
	span           int // columns of a row, or of all rows if nothing lies between their codes
	scales         numbers
	perRow         int // scales
	zeros          []byte
	zeroBits       int    // 0: they are signed bytes
	index          []byte // the group of each column; nil: they are in order
}

// groups reads scales, zero points and the groups of columns.
func (c *packedInts) groups(m *module, rows int) (err error) {
	const scale = "weight_scale"
	shape := m.parts[scale].Shape
	if c.perRow = 1; len(shape) == 2 {
		c.perRow = shape[1]
	}
	one := m.parts[scale].Elems() == 1 && rows > 1
	if c.perRow < 1 || c.cols%c.perRow != 0 || one {
		return m.bad(scale, "found %s, expected %d rows of scales, as many in each as groups divide %d columns", badfile.Shape(shape), rows, c.cols)
	}
	c.group = c.cols / c.perRow
	if c.scales, err = m.numbers(scale, scaleTypes, []int{rows, c.perRow}); err != nil {
		return err
	}
	if zeros, ok := m.parts["weight_zero_point"]; ok {
		want := []int{(rows*c.bits + 31) / 32, c.perRow}
		if c.zeros, c.zeroBits = zeros.Data, c.bits; zeros.DType == tensor.I8 {
			want, c.zeroBits = []int{rows, c.perRow}, 0
		} else if zeros.DType != tensor.I32 {
			return m.bad("weight_zero_point", "found dtype %s, expected I32 or I8", zeros.DType)
		}
		if fmt.Sprint(squeeze(zeros.Shape)) != fmt.Sprint(squeeze(want)) {
			return m.bad("weight_zero_point", "found %s, expected %s", badfile.Shape(zeros.Shape), badfile.Shape(want))
		}
	}
	if m.has("weight_g_idx") {
		c.index, err = m.columnGroups("weight_g_idx", c.cols, c.perRow)
	}
	return err
}

// columnGroups returns a tensor that has a group for each column, as stored; nil if it was never filled in, with -1, or says
// what is so without it.
func (m *module) columnGroups(part string, cols, groups int) ([]byte, error) {
	t := m.parts[part]
	list, ok := tensor.Int64s(t)
	if !ok || t.DType != tensor.I32 || len(list) != cols {
		return nil, m.bad(part, "found %s %s, expected I32 [%d]", t.DType, badfile.Shape(t.Shape), cols)
	}
	inOrder := cols%groups == 0
	for i, g := range list {
		if g == -1 {
			return nil, nil
		}
		if g < 0 || g >= int64(groups) {
			return nil, m.bad(part, "found group %d for column %d, expected one of %d groups", g, i, groups)
		}
		inOrder = inOrder && int(g) == i/(cols/groups)
	}
	if inOrder {
		return nil, nil
	}
	return t.Data, nil
}

func (c *packedInts) String() string { return fmt.Sprintf("INT%d", c.bits) }

func (c *packedInts) Widen(dst []float32, first int) {
	if c.index != nil {
		c.widenByIndex(dst, first)
		return
	}
	r := newRoom()
	defer r.free()
	spans(dst, first, c.span, c.group, func(dst []float32, row, col, group, count int) {
		g := kernel.Groups{Size: c.group, Within: col % c.group, Scales: r.scales[:count], Zeros: r.zeros[:count]}
		c.fill(g.Scales, g.Zeros, row*c.perRow+group)
		c.kind.Widen(dst, c.codes[row*c.rowBytes:], col, g)
	})
}

// fill sets scales and zeros to those of the groups from number first on: zeros are what is subtracted from what is stored.
func (c *packedInts) fill(scales, zeros []float32, first int) {
	c.scales.fill(scales, first)
	half := int32(1) << (c.bits - 1)
	for i := range zeros {
		zeros[i] = float32(half + c.zero((first+i)/c.perRow, (first+i)%c.perRow))
	}
}

func (c *packedInts) widenByIndex(dst []float32, first int) {
	r := newRoom()
	defer r.free()
	spans(dst, first, c.cols, c.cols, func(dst []float32, row, col, _, _ int) {
		scales, zeros := r.allGroups(c.perRow)
		c.fill(scales, zeros, row*c.perRow)
		r.byIndex(dst, c.kind, c.codes[row*c.rowBytes:], col, c.index[4*col:])
	})
}

// zero returns a zero point, signed.
func (c *packedInts) zero(row, group int) int32 {
	switch {
	case c.zeros == nil:
		return 0
	case c.zeroBits == 0:
		return int32(int8(c.zeros[row*c.perRow+group]))
	}
	return int32(column(c.zeros, c.perRow, group, row, c.bits)) - 1<<(c.bits-1)
}
