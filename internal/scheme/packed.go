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
		c.kind = kernel.Integers(c.bits)
		if err := c.groups(m, rows); err != nil {
			return nil, nil, err
		}
		whole := []int{rows, c.cols}
		index, err := m.columnGroups("weight_g_idx", c.cols, c.perRow)
		if index != nil {
			return &indexedInts{c, index}, whole, nil
		}
		return c, whole, err
	},
}

// packedInts are integers of a few bits, with scales and perhaps zero points for groups of columns.
type packedInts struct {
	stored
	codes          []byte
	kind           *kernel.Codes
	rowBytes, bits int
	cols, group    int
	scales         numbers
	perRow         int // scales
	zeros          []byte
	zeroBits       int // 0: they are signed bytes
}

// groups reads scales and zero points.
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
	return nil
}

// columnGroups returns a tensor that has a group for each column, as stored; nil if there is none, it was never filled in, with -1,
// or it says what is so without it.
func (m *module) columnGroups(part string, cols, groups int) ([]byte, error) {
	t, there := m.parts[part]
	if !there {
		return nil, nil
	}
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

// Widen implements tensor.Coding.
func (c *packedInts) Widen(dst []float32, first int) { kernel.WidenStream(dst, c, first) }

// Stream implements kernel.Streams.
func (c *packedInts) Stream() kernel.Stream {
	return kernel.Stream{Codes: c.kind, Data: c.codes, Group: c.group, Zeros: true, Cols: c.cols, RowBytes: c.rowBytes}
}

// Groups implements kernel.Streams. Zeros are what is subtracted from codes as they are stored.
func (c *packedInts) Groups(scales, zeros, _ []float32, first int) {
	row, group := first/c.cols, first%c.cols/c.group
	c.scales.fill(scales, row*c.perRow+group)
	half := int32(1) << (c.bits - 1)
	for i := range zeros {
		zeros[i] = float32(half + c.zero(row, group+i))
	}
}

// indexedInts are packedInts whose columns each say to what group they belong.
type indexedInts struct {
	ints  *packedInts
	index []byte
}

func (c *indexedInts) String() string { return c.ints.String() }

// Parts implements tensor.Coding.
func (c *indexedInts) Parts() [][]byte { return c.ints.Parts() }

// Widen implements tensor.Coding.
func (c *indexedInts) Widen(dst []float32, first int) {
	r := newRoom()
	defer r.free()
	for len(dst) > 0 {
		row, col := first/c.ints.cols, first%c.ints.cols
		n := min(len(dst), c.ints.cols-col)
		scales, zeros := r.allGroups(c.ints.perRow)
		c.ints.Groups(scales, zeros, nil, first-col)
		r.byIndex(dst[:n], c.ints.kind, c.ints.codes[row*c.ints.rowBytes:], col, c.index[4*col:])
		dst, first = dst[n:], first+n
	}
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
