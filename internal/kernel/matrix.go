package kernel

import "github.com/gomamba/gomamba/tensor"

// Matrix is a weight matrix [Rows, Cols], row-major, used in place, in whatever dtype it is stored.
type Matrix struct {
	Rows, Cols int

	dtype    tensor.DType
	data     []byte        // if they are F32, in the byte order of this machine and aligned
	coding   tensor.Coding // in place of data, if they are coded; else nil
	streams  *streamRows   // beside coding, if rows can be multiplied as they are stored
	columns  *columnRows   // the same if they are stored by columns
	together int           // rows of coding to be widened together
	rowBytes int           // that are stored for a row
}

// NewMatrix returns the matrix of a two-dimensional tensor of one of tensor.Floats, without copying it, but for F64, which is
// rounded to float32, and for F32 that is not aligned.
func NewMatrix(t tensor.Tensor) Matrix {
	m := Matrix{Rows: t.Shape[0], Cols: t.Shape[1], dtype: t.DType, data: t.Data, coding: t.Coding}
	if m.coding != nil { // whatever the dtype of what it gives, it has no rows of that
		m.dtype, m.rowBytes = tensor.Coded, m.Cols // about: most codings have 4 to 8 bits
		m.streams, m.together = rowsOf(m.coding, m.Cols), max(4, codedFloats/m.Cols&^3)
		if whole, _ := tensor.Whole(m.coding); byColumns(whole) {
			m.columns, m.together = columnsOf(m.coding, m.Cols), columnRowsWidened
		}
		return m
	}
	if t.DType == tensor.F32 || t.DType == tensor.F64 {
		m.dtype, m.data = tensor.F32, stored(tensor.Float32s(t))
	}
	m.rowBytes = m.dtype.Bytes(m.Cols)
	return m
}

// Row sets dst, of Cols values, to row i, widened exactly.
func (m *Matrix) Row(dst []float32, i int) {
	m.widen(dst[:m.Cols], i, i+1)
}

// widen sets dst to the rows lo to hi.
func (m *Matrix) widen(dst []float32, lo, hi int) {
	switch {
	case m.coding != nil:
		m.coding.Widen(dst, lo*m.Cols)
	case m.dtype == tensor.F32:
		copy(dst, floats(m.rows(lo, hi)))
	default:
		Widen(dst, m.dtype, m.rows(lo, hi))
	}
}

// rows returns the rows lo to hi, as far as there are such rows; none of a coded matrix.
func (m *Matrix) rows(lo, hi int) []byte {
	if m.coding != nil {
		return nil
	}
	return m.data[min(lo, m.Rows)*m.rowBytes : min(hi, m.Rows)*m.rowBytes]
}

// mulVec sets y to the product of the rows from lo on, len(y) of them, with x.
func (m *Matrix) mulVec(y, x []float32, lo int) {
	switch {
	case m.Cols%lanes != 0:
		m.mulVecPadded(y, x, lo)
	case m.columns != nil:
		m.columns.mulVec(y, x, lo)
	case m.coding != nil:
		done := m.mulVecStreams(y, x, lo)
		m.mulVecCoded(y[done:], x, lo+done)
	default:
		mulRows(&cpu.formats[m.dtype], y, m.rows(lo, lo+len(y)), x, m.rowBytes)
	}
}

// codedFloats is how many values mulVecCoded widens at a time: half of a first-level cache, or four rows. columnRowsWidened is how
// many rows it widens if they are stored by columns: those of a line of the cache.
const (
	codedFloats       = 1 << 12
	columnRowsWidened = 16
)

// mulVecCoded is mulVec for rows that are coded.
func (m *Matrix) mulVecCoded(y, x []float32, lo int) {
	if len(y) == 0 {
		return
	}
	rows := buffer(min(m.together, len(y)) * m.Cols)
	defer buffers.Put(rows)
	for len(y) > 0 {
		n := min(len(y), m.together)
		part := (*rows)[:n*m.Cols]
		m.widen(part, lo, lo+n)
		mulFloats(y[:n], part, x)
		y, lo = y[n:], lo+n
	}
}

// paddedRows is how many rows mulVecPadded copies at a time.
const paddedRows = 32

// mulVecPadded is mulVec for rows whose length is not a multiple of lanes, by copies that end in zeros.
func (m *Matrix) mulVecPadded(y, x []float32, lo int) {
	cols := roundUp(m.Cols)
	v, rows := padColumns(x, m.Cols, m.Cols, cols, 1), buffer(paddedRows*cols)
	defer buffers.Put(v)
	defer buffers.Put(rows)
	clear(*rows)
	for len(y) > 0 {
		n := min(len(y), paddedRows)
		for r := range n {
			m.widen((*rows)[r*cols:][:m.Cols], lo+r, lo+r+1)
		}
		mulFloats(y[:n], (*rows)[:n*cols], *v)
		y, lo = y[n:], lo+n
	}
}

// abreast is how many rows are multiplied together.
func (m *Matrix) abreast() int {
	if m.columns != nil {
		return m.columns.leaf.rows
	}
	return 4
}

// few is the most tokens for which it is faster to widen rows for each than once for all.
func (m *Matrix) few() int {
	switch {
	case m.columns != nil:
		return 4 // widening takes as long as five products
	case m.coding != nil:
		return 1
	}
	return cpu.formats[m.dtype].few
}
