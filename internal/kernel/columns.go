package kernel

import (
	"encoding/binary"

	"github.com/gomamba/gomamba/tensor"
)

// ByColumns is a tensor.Coding of integers that are stored by columns: neighbours in memory belong to different rows. An element is
// (code - zero)·scale, each step rounded to float32.
type ByColumns interface {
	tensor.Coding
	// Columns returns what it stores.
	Columns() Columns
	// Shared sets scales to those of as many rows as it has, from a row on, in one group of columns, and zeros to their zero points,
	// CodeBase added.
	Shared(scales, zeros []float32, row, group int)
}

// Columns are codes in little-endian words of 32 bits, of the transposed matrix. The codes of a row are a stream over its column
// of words [Cols·Bits/32, Rows], low bits first; or, if RowsInWord is set, codes of four bits are in words [Cols, Rows/8]: row
// 8j + r has those from number RowsInWord[r] on of word j.
type Columns struct {
	Data       []byte
	Bits       int
	RowsInWord *[8]int
	Rows, Cols int
	Group      int    // consecutive columns that share a scale
	Index      []byte // in place of Group: the group of each column, in words
	Groups     int
}

// CodeBase is what code and zero point are beside before one is subtracted from the other: a code is ORed to its float32.
const CodeBase = 1 << 23

// columnLeaf is what an instruction set does with Columns.
type columnLeaf struct {
	rows int // that it takes at a time
	// lanes adds to acc, [lanes, rows], products of rows with x. Their n columns, from one with a number that is a multiple of
	// lanes, begin at src, where stride bytes lead from words to the next ones; words that are needed later begin ahead bytes
	// further on. Column c is widened with what is offsets[c] bytes from scales and zeros on, of each row. If a word has codes of
	// eight rows, these come in the order in which they are in it.
	lanes func(acc *float32, src *byte, stride, ahead int, x, scales, zeros *float32, offsets *uint32, n int)
}

// columnLeaves are those of an instruction set: by bits of a code, and for words that hold codes of eight rows.
type columnLeaves struct {
	bits       [9]columnLeaf
	rowsInWord columnLeaf
	// sum sets y to the sums of lanes [lanes, n], n a multiple of 16, as sumLanes adds them.
	sum func(y, acc *float32, n int)
}

// Rows are multiplied spanRows at a time, so that lines of memory that lie beside each other are read one after the other, in passes of
// spanCols columns. Rows with more groups than mostColumnGroups are widened instead, so that what is prepared for a span stays in a
// second-level cache, or close to it.
const (
	spanRows         = 512
	spanCols         = 128
	mostColumnGroups = 1024
)

// columnRows are the rows of a matrix that is stored by columns.
type columnRows struct {
	ByColumns
	Columns
	first   int // row of the tensor with which the matrix begins
	leaf    columnLeaf
	offsets []uint32 // of the group of each column among numbers of spanRows rows
}

func byColumns(c tensor.Coding) bool {
	_, ok := c.(ByColumns)
	return ok
}

// columnsOf returns the rows of a matrix that is stored by columns if there is a leaf for them; else nil.
func columnsOf(c tensor.Coding, cols int) *columnRows {
	whole, first := tensor.Whole(c)
	w, ok := whole.(ByColumns)
	if !ok {
		return nil
	}
	r := &columnRows{ByColumns: w, Columns: w.Columns(), first: first / cols}
	if r.leaf = cpu.columns.bits[r.Bits]; r.RowsInWord != nil {
		r.leaf = cpu.columns.rowsInWord
	}
	if r.leaf.lanes == nil || r.Rows < r.leaf.rows || first%cols != 0 || cols != r.Cols || cols%lanes != 0 || r.Groups > mostColumnGroups {
		return nil
	}
	r.offsets = make([]uint32, cols)
	for i := range r.offsets {
		group := uint32(i / r.Group)
		if r.Index != nil {
			group = binary.LittleEndian.Uint32(r.Index[4*i:])
		}
		if group >= uint32(r.Groups) { // the file has changed since it was checked
			return nil
		}
		r.offsets[i] = group * spanRows * 4
	}
	return r
}

// mulVec sets y to the products of the rows from lo on with x.
func (r *columnRows) mulVec(y, x []float32, lo int) {
	n := r.Groups * spanRows
	room := buffer(2*n + (lanes+1)*spanRows)
	defer buffers.Put(room)
	s := span{columnRows: r, scales: (*room)[:n], zeros: (*room)[n : 2*n], acc: (*room)[2*n:][:lanes*spanRows], y: (*room)[2*n+lanes*spanRows:]}
	for lo += r.first; len(y) > 0; {
		// Whole blocks of rows, of which the first may begin earlier, and all may if the last would not end in the matrix.
		begin, block := lo, r.leaf.rows
		if r.RowsInWord != nil {
			begin -= lo % 8
		}
		s.rows = min(spanRows, (lo-begin+len(y)+block-1)/block*block, r.Rows/block*block)
		s.begin = min(begin, r.Rows-s.rows)
		s.multiply(x)
		done := copy(y, s.y[lo-s.begin:s.rows])
		y, lo = y[done:], lo+done
	}
}

// span are rows that are multiplied together.
type span struct {
	*columnRows
	begin, rows   int
	scales, zeros []float32 // [Groups, spanRows]
	acc, y        []float32 // lanes of blocks of rows, and their sums
}

// multiply sets y to the products of the rows with x.
func (s *span) multiply(x []float32) {
	block := s.leaf.rows
	for g := range s.Groups {
		s.Shared(s.scales[g*spanRows:][:s.rows], s.zeros[g*spanRows:][:s.rows], s.begin, g)
	}
	bits, stride := 32, 4*s.Rows // of a row in words, and from these to the next ones
	if s.RowsInWord != nil {
		s.sort(s.scales)
		s.sort(s.zeros)
		bits, stride = 4, s.Rows/2
	}
	clear(s.acc)
	for col := 0; col < s.Cols; col += spanCols {
		n := min(spanCols, s.Cols-col)
		words := col
		ahead := spanCols
		if s.RowsInWord == nil {
			words, ahead = col*s.Bits/32, spanCols*s.Bits/32
		}
		ahead *= stride
		if col+n == s.Cols { // then come the next rows
			ahead = s.rows*bits/8 - words*stride
		}
		for at := 0; at < s.rows; at += block {
			src := s.Data[words*stride+(s.begin+at)*bits/8:]
			s.leaf.lanes(&s.acc[at*lanes], &src[0], stride, ahead, &x[col], &s.scales[at], &s.zeros[at], &s.offsets[col], n)
		}
	}
	for at := 0; at < s.rows; at += block {
		cpu.columns.sum(&s.y[at], &s.acc[at*lanes], block)
	}
	if s.RowsInWord != nil {
		s.unsort(s.y)
	}
}

// sort brings numbers of each block of rows from the order of rows to that of where they are in their words.
func (r *columnRows) sort(v []float32) {
	n := r.leaf.rows
	var sorted [spanRows]float32
	for ; len(v) >= n; v = v[n:] {
		for i, place := range r.RowsInWord {
			to := sorted[place*n/8:][:n/8]
			for j := range to {
				to[j] = v[8*j+i]
			}
		}
		copy(v, sorted[:n])
	}
}

// unsort is the inverse of sort.
func (r *columnRows) unsort(v []float32) {
	n := r.leaf.rows
	var rows [spanRows]float32
	for ; len(v) >= n; v = v[n:] {
		for i, place := range r.RowsInWord {
			for j, sum := range v[place*n/8:][:n/8] {
				rows[8*j+i] = sum
			}
		}
		copy(v, rows[:n])
	}
}
