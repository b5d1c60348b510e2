package kernel

import (
	"slices"
	"sync"

	"github.com/gomamba/gomamba/internal/tensor"
)

// Matrix is a weight matrix [Rows, Cols], row-major, used where it lies in whatever type it is stored.
type Matrix struct {
	Rows, Cols int

	dtype tensor.DType
	f32   []float32 // the elements, where they are float32
	u16   []uint16  // their bits, where they are F16 or BF16
	q8    []byte    // blocks, where they are Q8_0
}

// NewMatrix returns the matrix of a two-dimensional tensor of dtype F32, F16, BF16, Q8_0 or F64, without copying it,
// but for F64, which is rounded to float32, and for data that is not aligned for its type.
func NewMatrix(t tensor.Tensor) Matrix {
	m := Matrix{Rows: t.Shape[0], Cols: t.Shape[1], dtype: t.DType}
	switch t.DType {
	case tensor.F16, tensor.BF16:
		m.u16 = tensor.Uint16s(t)
	case tensor.Q8_0:
		m.q8 = t.Data
	default:
		m.dtype = tensor.F32
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

const (
	tileFloats = 1 << 15 // weights handed out at a time when there are many tokens: 128 KiB of a second-level cache
	tileRows   = 16      // the most rows of them
	sliceBytes = 1 << 18 // weights handed out at a time when there is one token
)

// MatMul sets y[t, r] = Σ_c w[r, c]·x[t, c] for T tokens, in the summation order of the package comment.
// x is [T, w.Cols] with rows xStride apart, y is [T, w.Rows]. y must not overlap x.
func (p *Pool) MatMul(y []float32, w *Matrix, x []float32, xStride, tokens int) {
	if tokens < 1 {
		return
	}
	p.turn.Lock()
	defer p.turn.Unlock()
	m := &p.product
	m.y, m.w, m.x, m.xStride, m.tokens = y, w, x, xStride, tokens
	if tokens == 1 {
		grain := min(sliceBytes/w.dtype.Bytes(w.Cols), w.Rows/(2*p.threads)) + 3
		p.run(m.oneToken, w.Rows, grain&^3)
	} else {
		p.run(m.manyTokens, w.Rows, min(tileRows, max(4, tileFloats/w.Cols&^3)))
	}
	m.y, m.w, m.x = nil, nil, nil
}

// product is the matrix product that a pool is computing, and the two ways to do so.
type product struct {
	y, x            []float32
	w               *Matrix
	xStride, tokens int

	oneToken, manyTokens *Task
}

func (m *product) init() {
	m.oneToken = NewTask(func(lo, hi int) { m.w.mulVec(m.y[lo:hi], m.x[:m.w.Cols], lo) })
	m.manyTokens = NewTask(m.tile)
}

// tile computes the rows lo to hi for all tokens.
func (m *product) tile(lo, hi int) {
	w := m.w
	if w.dtype == tensor.F32 {
		mulTile(m.y[lo:], w.Rows, w.f32[lo*w.Cols:hi*w.Cols], m.x, m.xStride, w.Cols, hi-lo, m.tokens)
		return
	}
	rows := tile((hi - lo) * w.Cols)
	defer tiles.Put(rows)
	w.widen(*rows, lo, hi)
	mulTile(m.y[lo:], w.Rows, *rows, m.x, m.xStride, w.Cols, hi-lo, m.tokens)
}

// tiles are buffers for rows that were widened or padded, kept from one piece of work to the next.
var tiles = sync.Pool{New: func() any { return new([]float32) }}

// tile returns a buffer of n values from tiles, to be put back. It holds anything.
func tile(n int) *[]float32 {
	t := tiles.Get().(*[]float32)
	*t = slices.Grow((*t)[:0], n)[:n]
	return t
}

// mulVec sets y to the product of the rows from lo on, len(y) of them, with x.
func (m *Matrix) mulVec(y []float32, x []float32, lo int) {
	from, to := lo*m.Cols, (lo+len(y))*m.Cols
	switch m.dtype {
	case tensor.F16:
		mulVecF16(y, m.u16[from:to], x)
	case tensor.BF16:
		mulVecBF16(y, m.u16[from:to], x)
	case tensor.Q8_0:
		mulVecQ8(y, m.blocks(from, to), x)
	default:
		mulVecF32(y, m.f32[from:to], x)
	}
}

// blocks returns the bytes of the elements from to to of a Q8_0 matrix.
func (m *Matrix) blocks(from, to int) []byte { return m.q8[m.dtype.Bytes(from):m.dtype.Bytes(to)] }
