package kernel

import (
	"slices"
	"sync"

	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/tensor"
)

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
	// For a few tokens, reading the weights is the work: the first token brings rows into a second-level cache, in a few long
	// streams, and the others find them there.
	if tokens <= w.few() {
		grain := min(sliceBytes/w.rowBytes, w.Rows/(2*p.Threads())) + 3
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
	w, atOnce := m.w, TokensAtOnce()
	most := max(blockLeast, blockBytes/(4*w.Cols))
	blocks := (m.tokens + most - 1) / most
	m.block = (m.tokens + blocks - 1) / blocks
	m.block = (m.block + atOnce - 1) / atOnce * atOnce
	m.threads = threads
	m.rows = max(4, min(tileRows, tileFloats/w.Cols&^3, w.Rows/(4*threads)&^3))
	m.pieces = (w.Rows + m.rows - 1) / m.rows
	if m.xStride%pageFloats == 0 && m.tokens >= atOnce {
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
	next := w.rows(lo+m.threads*m.rows, hi+m.threads*m.rows)
	if w.dtype == tensor.F32 {
		mulTile(y, w.Rows, floats(w.rows(lo, hi)), x, m.xStride, w.Cols, hi-lo, tokens, next)
		return
	}
	rows := buffer((hi - lo) * w.Cols)
	defer buffers.Put(rows)
	w.widen(*rows, lo, hi)
	mulTile(y, w.Rows, *rows, x, m.xStride, w.Cols, hi-lo, tokens, next)
}
