package scheme

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/kernel"
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
		c.kind, c.inWords = kernel.Integers(4), true
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
	c.bits = 32 * zeros.Shape[1] / c.rows
	if !slices.Contains([]int{2, 3, 4, 8}, c.bits) || 32*zeros.Shape[1]%c.rows != 0 || 32*codes.Shape[0]%c.bits != 0 {
		return nil, nil, m.bad("qzeros", "found %s beside qweight %s, expected codes of 2, 3, 4 or 8 bits", badfile.Shape(zeros.Shape), badfile.Shape(codes.Shape))
	}
	if m.settings.text("checkpoint_format") == "gptq_v2" {
		c.less = 0
	}
	c.cols = 32 * codes.Shape[0] / c.bits
	c.name, c.kind = fmt.Sprintf("GPTQ-%d", c.bits), kernel.Integers(c.bits)
	if err := c.groups(m, zeros.Shape[1]); err != nil {
		return nil, nil, err
	}
	c.index, err = m.columnGroups("g_idx", c.cols, c.count)
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
	zeroWords  int    // in a row
	less       int32  // what is stored is the zero point less this
	index      []byte // the group of each column; nil: they are in order
	kind       *kernel.Codes
	inWords    bool // a word holds codes of eight rows, not of one
}

// The codes of a tile of a weight are brought to rows, which can be widened as others are. A line of 64 bytes of qweight has codes
// of 16 rows, or 128.
const (
	tileRows  = 16
	tileCols  = 1024
	tileStep  = 32
	tileBytes = tileCols + 16 // in a row of codes of 8 bits, and what may be loaded beyond
)

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

// toRows sets dst to the codes of rows from row on, for as many columns as cols says from col on: streams that begin stride bytes
// apart. col is a multiple of 32.
func (c *byColumns) toRows(dst []byte, stride, row, rows, col, cols int) {
	if c.inWords {
		c.wordsToRows(dst, stride, row, rows, col, cols)
		return
	}
	from, end := col*c.bits/32, min(((col+cols)*c.bits+31)/32, c.cols*c.bits/32)
	for w := from; w < end; w++ {
		words, to := c.codes[4*(w*c.rows+row):][:4*rows], dst[4*(w-from):]
		for r, at := 0, 0; r < rows; r, at = r+1, at+stride {
			binary.LittleEndian.PutUint32(to[at:], binary.LittleEndian.Uint32(words[4*r:]))
		}
	}
}

// zero returns a zero point as it is stored.
func (c *byColumns) zero(row, group int) int32 {
	if c.inWords {
		word := binary.LittleEndian.Uint32(c.zeros[4*(group*c.zeroWords+row/8):])
		return int32(word >> (4 * awqOrder[row%8]) & 15)
	}
	return int32(code(c.zeros[4*c.zeroWords*group:][:4*c.zeroWords], row, c.bits))
}

// wordsToRows is toRows if words hold codes of eight rows of the weight.
func (c *byColumns) wordsToRows(dst []byte, stride, row, rows, col, cols int) {
	first, step := row/8, 4*c.zeroWords
	for at := 0; at < cols; at += 8 {
		columns := c.codes[(col+at)*step+4*first:]
		for r := 8*first - row; r < rows; r += 8 {
			var words [8]uint32 // of eight columns
			for i := range min(8, cols-at) {
				words[i] = binary.LittleEndian.Uint32(columns[i*step:])
			}
			columns = columns[4:]
			transpose(&words)
			for i, order := range awqOrder {
				if r+i >= 0 && r+i < rows {
					binary.LittleEndian.PutUint32(dst[(r+i)*stride+at/2:], words[order])
				}
			}
		}
	}
}

// transpose makes four bits number i of word j those number j of word i.
func transpose(words *[8]uint32) {
	a, b, c, d, e, f, g, h := words[0], words[1], words[2], words[3], words[4], words[5], words[6], words[7]
	a, e = swap(a, e, 16, 0xffff)
	b, f = swap(b, f, 16, 0xffff)
	c, g = swap(c, g, 16, 0xffff)
	d, h = swap(d, h, 16, 0xffff)
	a, c = swap(a, c, 8, 0xff00ff)
	b, d = swap(b, d, 8, 0xff00ff)
	e, g = swap(e, g, 8, 0xff00ff)
	f, h = swap(f, h, 8, 0xff00ff)
	a, b = swap(a, b, 4, 0xf0f0f0f)
	c, d = swap(c, d, 4, 0xf0f0f0f)
	e, f = swap(e, f, 4, 0xf0f0f0f)
	g, h = swap(g, h, 4, 0xf0f0f0f)
	*words = [8]uint32{a, b, c, d, e, f, g, h}
}

// swap exchanges the bits of low that are shift above those of mask with those of high.
func swap(low, high uint32, shift uint, mask uint32) (uint32, uint32) {
	t := (low>>shift ^ high) & mask
	return low ^ t<<shift, high ^ t
}

func (c *byColumns) String() string { return c.name }

// Columns implements kernel.ByColumns.
func (c *byColumns) Columns() kernel.Columns {
	k := kernel.Columns{Data: c.codes, Bits: c.bits, Rows: c.rows, Cols: c.cols, Group: c.group, Index: c.index, Groups: c.count}
	if c.inWords {
		k.RowsInWord = &awqOrder
	}
	return k
}

// Shared implements kernel.ByColumns.
func (c *byColumns) Shared(scales, zeros []float32, row, group int) {
	c.scales.fill(scales, group*c.rows+row)
	words := c.zeros[4*c.zeroWords*group:][:4*c.zeroWords]
	if !c.inWords {
		c.kind.Widen(zeros, words, row, kernel.Groups{Size: len(zeros), Scales: one, Zeros: zeroBases[c.less]})
		return
	}
	for i := 0; i < len(zeros); i += 8 { // row and the number of rows are multiples of 8
		word := binary.LittleEndian.Uint32(words[(row+i)/2:])
		for r, place := range awqOrder {
			zeros[i+r] = float32(kernel.CodeBase + word>>(4*place)&15)
		}
	}
}

// What zero points are widened with: a scale, and what is subtracted from those that are stored as they are or less 1.
var (
	one       = []float32{1}
	zeroBases = [2][]float32{{-kernel.CodeBase}, {-kernel.CodeBase - 1}}
)

// Widen implements tensor.Coding.
func (c *byColumns) Widen(dst []float32, first int) {
	room := newRoom()
	defer room.free()
	for len(dst) > 0 {
		row, col := first/c.cols, first%c.cols
		rows, n := 1, min(len(dst), c.cols-col)
		if n == c.cols {
			rows = min(len(dst)/n, tileRows)
		}
		c.widenTile(dst[:rows*n], row, rows, col, room)
		dst, first = dst[rows*n:], first+rows*n
	}
}

// widenTile sets dst to columns of some rows, from row and col on.
func (c *byColumns) widenTile(dst []float32, row, rows, col int, room *room) {
	n := len(dst) / rows
	for done := 0; done < n; {
		at := col + done
		skip := at % tileStep // columns of the streams before those that are wanted
		part := min(tileCols-skip, n-done)
		if c.group == 1 {
			part = min(part, kernel.MostGroups)
		}
		c.toRows(room.streams[:], tileBytes, row, rows, at-skip, skip+part)
		for r := range rows {
			c.widenRow(dst[r*n+done:][:part], room.streams[r*tileBytes:][:tileBytes], row+r, at, skip, room)
		}
		done += part
	}
}

// widenRow sets dst to the columns of a row from number col on, the codes of which are in src from number first on.
func (c *byColumns) widenRow(dst []float32, src []byte, row, col, first int, room *room) {
	if c.index != nil {
		scales, zeros := room.allGroups(c.count)
		c.fill(scales, zeros, row, 0)
		room.byIndex(dst, c.kind, src, first, c.index[4*col:])
		return
	}
	count := (col+len(dst)-1)/c.group - col/c.group + 1
	g := kernel.Groups{Size: c.group, Within: col % c.group, Scales: room.scales[:count], Zeros: room.zeros[:count]}
	c.fill(g.Scales, g.Zeros, row, col/c.group)
	c.kind.Widen(dst, src, first, g)
}

// fill sets scales and zeros to those of a row in the groups from number first on.
func (c *byColumns) fill(scales, zeros []float32, row, first int) {
	for i := range scales {
		scales[i] = c.scales.at((first+i)*c.rows + row)
		zeros[i] = float32(c.zero(row, first+i) + c.less)
	}
}
