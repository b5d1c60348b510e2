package kernel

import "github.com/gomamba/gomamba/tensor"

// Matrix is a weight matrix [Rows, Cols], row-major, used in place, in whatever type it is stored.
type Matrix struct {
	Rows, Cols int

	dtype tensor.DType
	f32   []float32 // the elements, if they are float32
	u16   []uint16  // their bits, if they are F16 or BF16
	q8    []byte    // blocks, if they are Q8_0
	raw   []byte    // all of it, as stored; nil if that was converted
}

// NewMatrix returns the matrix of a two-dimensional tensor of dtype F32, F16, BF16, Q8_0 or F64, without copying it,
// but for F64, which is rounded to float32, and for data that is not aligned for its type.
func NewMatrix(t tensor.Tensor) Matrix {
	m := Matrix{Rows: t.Shape[0], Cols: t.Shape[1], dtype: t.DType, raw: t.Data}
	switch t.DType {
	case tensor.F16, tensor.BF16:
		m.u16 = tensor.Uint16s(t)
	case tensor.Q8_0:
		m.q8 = t.Data
	default:
		if t.DType != tensor.F32 {
			m.dtype, m.raw = tensor.F32, nil
		}
		m.f32 = tensor.Float32s(t)
	}
	return m
}

// Row sets dst, of Cols values, to row i, widened exactly.
func (m *Matrix) Row(dst []float32, i int) {
	m.widen(dst, i, i+1)
}

// widen sets dst to the rows lo to hi.
func (m *Matrix) widen(dst []float32, lo, hi int) {
	from, to := lo*m.Cols, hi*m.Cols
	switch m.dtype {
	case tensor.F16:
		widenF16(dst, m.u16[from:to])
	case tensor.BF16:
		widenBF16(dst, m.u16[from:to])
	case tensor.Q8_0:
		widenQ8(dst[:to-from], m.blocks(from, to))
	default:
		copy(dst, m.f32[from:to])
	}
}

// stored returns the bytes of the rows lo to hi, as far as there are such rows, where they are used as they are stored.
func (m *Matrix) stored(lo, hi int) []byte {
	if m.raw == nil {
		return nil
	}
	return m.raw[m.dtype.Bytes(min(lo, m.Rows)*m.Cols):m.dtype.Bytes(min(hi, m.Rows)*m.Cols)]
}

// mulVec sets y to the product of the rows from lo on, len(y) of them, with x.
func (m *Matrix) mulVec(y, x []float32, lo int) {
	if m.Cols%lanes != 0 {
		m.mulVecPadded(y, x, lo)
		return
	}
	from, to := lo*m.Cols, (lo+len(y))*m.Cols
	switch m.dtype {
	case tensor.F16:
		mulRows(&cpu.f16, y, m.u16[from:to], x, m.Cols)
	case tensor.BF16:
		mulRows(&cpu.bf16, y, m.u16[from:to], x, m.Cols)
	case tensor.Q8_0:
		mulRows(&cpu.q8, y, m.blocks(from, to), x, tensor.Q8_0.Bytes(m.Cols))
	default:
		mulRows(&cpu.f32, y, m.f32[from:to], x, m.Cols)
	}
}

// mulVecPadded is mulVec for rows whose length is not a multiple of lanes, by copies that end in zeros.
func (m *Matrix) mulVecPadded(y, x []float32, lo int) {
	cols := roundUp(m.Cols)
	buf := buffer(2 * cols)
	defer buffers.Put(buf)
	clear(*buf)
	v, row := (*buf)[:cols], (*buf)[cols:]
	copy(v, x)
	for r := range y {
		m.widen(row[:m.Cols], lo+r, lo+r+1)
		mulRows(&cpu.f32, y[r:r+1], row, v, cols)
	}
}

// mulRows sets y to the dot products of rows of w, size values each, with x: most of them in four streams, the rest in one.
func mulRows[W float32 | uint16 | byte](f *format[W], y []float32, w []W, x []float32, size int) {
	if len(y) == 0 {
		return
	}
	w, done := w[:len(y)*size], 0
	if each := len(y) / 4; each > 0 && f.dotFour != nil {
		f.dotFour(&y[0], &w[0], &x[0], len(x), each)
		done = 4 * each
	}
	if done < len(y) {
		f.dotOne(&y[done], &w[done*size], &x[0], len(x), len(y)-done)
	}
}

// blocks returns the bytes of the elements from to to of a Q8_0 matrix.
func (m *Matrix) blocks(from, to int) []byte { return m.q8[m.dtype.Bytes(from):m.dtype.Bytes(to)] }

func widenF16(dst []float32, src []uint16)  { widenHalves(&cpu.f16, dst, src, widenF16Generic) }
func widenBF16(dst []float32, src []uint16) { widenHalves(&cpu.bf16, dst, src, widenBF16Generic) }

// widenHalves sets dst to the elements of src. generic does what the leaf leaves over.
func widenHalves(f *format[uint16], dst []float32, src []uint16, generic func([]float32, []uint16)) {
	dst = dst[:len(src)]
	n := whole(len(src))
	if n > 0 {
		f.widen(&dst[0], &src[0], n)
	}
	generic(dst[n:], src[n:])
}

func widenQ8(dst []float32, src []byte) {
	if len(dst) > 0 {
		cpu.q8.widen(&dst[0], &src[:tensor.Q8_0.Bytes(len(dst))][0], len(dst))
	}
}
