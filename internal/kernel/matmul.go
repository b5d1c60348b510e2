package kernel

import (
	"slices"
	"sync"

	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/internal/tensor"
)

// Matrix is a weight matrix [Rows, Cols], row-major, used where it lies in whatever type it is stored.
type Matrix struct {
	Rows, Cols int

	dtype tensor.DType
	f32   []float32 // the elements, where they are float32
	u16   []uint16  // their bits, where they are F16 or BF16
	q8    []byte    // blocks, where they are Q8_0
	raw   []byte    // all of it, as stored; nil where that was converted
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

// fewTokens are so few that reading the weights is the work: the first token brings rows into a second-level cache, in a few
// long streams, and the others find them there. Where widening is slow, that is sooner more than widening once for all.
func (m *Matrix) fewTokens() int {
	if m.dtype == tensor.Q8_0 {
		return 3
	}
	return 4
}

// TokensAtOnce is how many tokens the widest kernel takes at a time: of a multiple of it, none go by a slower one.
const TokensAtOnce = 6

const (
	tileFloats = 1 << 15   // weights handed out at a time when there are many tokens: 128 KiB of a second-level cache
	tileRows   = 16        // the most rows of them
	blockBytes = 800 << 10 // of the tokens that they meet before others come: most of a second-level cache
	blockLeast = 36        // the fewest tokens of a block, so that rows need not be widened too often
	sliceBytes = 1 << 18   // weights handed out at a time when there are few tokens
	cacheLine  = 64
	pageFloats = 1024 // x whose rows are so far apart, or twice as far and so on, all want the same few places of a cache
)

// MatMul sets y[t, r] = Σ_c w[r, c]·x[t, c] for T tokens, on the pool's threads, in the summation order of the package
// comment. x is [T, w.Cols] with rows xStride apart, y is [T, w.Rows]. y must not overlap x.
func MatMul(p *parallel.Pool, y []float32, w *Matrix, x []float32, xStride, tokens int) {
	if tokens < 1 {
		return
	}
	m := products.Get().(*product)
	m.y, m.w, m.x, m.xStride, m.tokens = y, w, x, xStride, tokens
	if tokens <= w.fewTokens() {
		grain := min(sliceBytes/w.dtype.Bytes(w.Cols), w.Rows/(2*p.Threads())) + 3
		p.RunTask(m.few, w.Rows, grain&^3)
	} else {
		p.RunTask(m.many, m.divide(p.Threads()), 1)
	}
	m.y, m.w, m.x = nil, nil, nil
	products.Put(m)
}

// product is a matrix product that is being computed, and the two ways to do so.
type product struct {
	y, x            []float32
	w               *Matrix
	xStride, tokens int

	// How the work is divided when there are many tokens: blocks of tokens, pieces of rows within them.
	threads, block, rows, pieces int
	padded                       []float32 // x with rows at a better distance

	few, many *parallel.Task
}

// products are kept from one matrix product to the next, so that one allocates nothing.
var products = sync.Pool{New: func() any { return newProduct() }}

func newProduct() *product {
	m := &product{}
	m.few = parallel.NewTask(func(lo, hi int) {
		for t := range m.tokens {
			m.w.mulVec(m.y[t*m.w.Rows+lo:t*m.w.Rows+hi], m.x[t*m.xStride:][:m.w.Cols], lo)
		}
	})
	m.many = parallel.NewTask(func(lo, hi int) {
		for i := lo; i < hi; i++ {
			m.tile(i)
		}
	})
	return m
}

// divide says how the product is divided, and into how many tiles.
func (m *product) divide(threads int) int {
	w := m.w
	most := max(blockLeast, blockBytes/(4*w.Cols))
	blocks := (m.tokens + most - 1) / most
	m.block = (m.tokens + blocks - 1) / blocks
	m.block += (TokensAtOnce - m.block%TokensAtOnce) % TokensAtOnce
	m.threads = threads
	m.rows = max(4, min(tileRows, tileFloats/w.Cols&^3, w.Rows/(4*threads)&^3))
	m.pieces = (w.Rows + m.rows - 1) / m.rows
	if m.xStride%pageFloats == 0 && m.tokens >= TokensAtOnce {
		m.padRows()
	}
	return (m.tokens + m.block - 1) / m.block * m.pieces
}

// padRows replaces x by a copy whose rows do not fall on each other in a cache.
func (m *product) padRows() {
	stride := m.w.Cols + lanes
	m.padded = slices.Grow(m.padded[:0], m.tokens*stride)[:m.tokens*stride]
	for t := range m.tokens {
		copy(m.padded[t*stride:], m.x[t*m.xStride:][:m.w.Cols])
	}
	m.x, m.xStride = m.padded, stride
}

// tile computes one piece of rows for one block of tokens.
func (m *product) tile(i int) {
	w := m.w
	lo := i % m.pieces * m.rows
	hi := min(lo+m.rows, w.Rows)
	from := i / m.pieces * m.block
	tokens := min(m.block, m.tokens-from)
	y, x := m.y[from*w.Rows+lo:], m.x[from*m.xStride:]
	next := w.stored(lo+m.threads*m.rows, hi+m.threads*m.rows)
	if w.dtype == tensor.F32 {
		mulTile(y, w.Rows, w.f32[lo*w.Cols:hi*w.Cols], x, m.xStride, w.Cols, hi-lo, tokens, next)
		return
	}
	rows := tile((hi - lo) * w.Cols)
	defer tiles.Put(rows)
	w.widen(*rows, lo, hi)
	mulTile(y, w.Rows, *rows, x, m.xStride, w.Cols, hi-lo, tokens, next)
}

// stored returns the bytes of the rows lo to hi, as far as there are such rows, where they are used as they are stored.
func (m *Matrix) stored(lo, hi int) []byte {
	if m.raw == nil {
		return nil
	}
	return m.raw[m.dtype.Bytes(min(lo, m.Rows)*m.Cols):m.dtype.Bytes(min(hi, m.Rows)*m.Cols)]
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
