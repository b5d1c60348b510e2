package kernel

import (
	"slices"
	"sync"
	"unsafe"

	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/tensor"
)

const (
	tileFloats = 1 << 15 // weights handed out at a time when there are many tokens: 128 KiB of a second-level cache
	tileRows   = 16      // the most rows of them
	blockLeast = 36      // the fewest tokens of a block, so that rows need not be widened, or copied, too often
	sliceBytes = 1 << 18 // weights handed out at a time when there are few tokens, at most: a part of a second-level cache
	longBytes  = 1 << 21 // the same for a single token, which needs no cache
	leastBytes = 1 << 16 // the same, at least, unless a thread has less in all
	cacheLine  = 64
	setFloats  = 256 // x whose rows are so far apart, or twice as far and so on, compete for the same few sets of a cache
)

// Product is a matrix product of some tokens: y[t, r] = Σ_c w[r, c]·x[t, c], in the summation order of the package comment. Y must
// not overlap X.
type Product struct {
	Y       []float32 // [Tokens, W.Rows], rows YStride apart
	YStride int
	W       *Matrix
	X       []float32 // [Tokens, W.Cols], rows XStride apart
	XStride int
	Tokens  int
}

// MatMul computes the product of one matrix, on the pool's threads, with rows of y that lie one after the other.
func MatMul(p *parallel.Pool, y []float32, w *Matrix, x []float32, xStride, tokens int) {
	MatMulEach(p, Product{y, w.Rows, w, x, xStride, tokens})
}

// MatMulEach computes products of which none reads what another one writes, all at once on the pool's threads.
func MatMulEach(p *parallel.Pool, all ...Product) {
	m := multiplications.Get().(*multiplication)
	m.products, m.ends = slices.Grow(m.products[:0], len(all)), m.ends[:0]
	pieces := 0
	for i := range all {
		if all[i].Tokens < 1 {
			continue
		}
		n := len(m.ends)
		m.products = m.products[:n+1]
		m.products[n].Product = all[i]
		pieces += m.products[n].divide(p.Threads())
		m.ends = append(m.ends, pieces)
	}
	p.RunTask(m.task, pieces, 1)
	for i := range m.products {
		m.products[i].Product = Product{}
	}
	multiplications.Put(m)
}

// multiplication is some products that are being computed.
type multiplication struct {
	products []product
	ends     []int // of each among the pieces of all
	task     *parallel.Task
}

// multiplications are reused, so that a call does not allocate.
var multiplications = sync.Pool{New: func() any {
	m := &multiplication{}
	m.task = parallel.NewTask(m.pieces)
	return m
}}

// pieces computes the pieces lo to hi, counted over all products.
func (m *multiplication) pieces(lo, hi int) {
	i, _ := slices.BinarySearch(m.ends, lo+1)
	for ; lo < hi; lo++ {
		for lo >= m.ends[i] {
			i++
		}
		m.products[i].piece(lo - m.ends[i] + m.products[i].pieces)
	}
}

// product is one that is being computed, and how it is divided.
type product struct {
	Product
	few     bool  // for so few tokens that reading the weights is the work
	ends    []int // of pieces of rows then
	pieces  int
	threads int

	// When there are many tokens: rows of the matrix in a piece, and blocks of tokens, in each of which all rows come.
	rows            int
	block, perBlock int
	padded          []float32 // x with rows at a better distance
}

// divide divides the product, and says into how many pieces. For a few tokens, the first of them brings rows into a second-level
// cache, in a few long streams, and the others find them there.
func (m *product) divide(threads int) int {
	w := m.W
	m.threads, m.few = threads, m.Tokens <= w.few()
	if m.few {
		m.divideRows(threads)
		m.pieces = len(m.ends)
		return m.pieces
	}
	atOnce := TokensAtOnce()
	most := max(blockLeast, cpu.tiling.block()/(4*w.Cols))
	blocks := (m.Tokens + most - 1) / most
	m.block = (m.Tokens + blocks - 1) / blocks
	m.block = (m.block + atOnce - 1) / atOnce * atOnce
	m.rows = max(4, min(tileRows, tileFloats/w.Cols&^3, w.Rows/(4*threads)&^3))
	m.perBlock = (w.Rows + m.rows - 1) / m.rows
	if (m.XStride%setFloats == 0 || !aligned(m.X)) && m.Tokens >= atOnce {
		m.padRows()
	}
	m.pieces = (m.Tokens + m.block - 1) / m.block * m.perBlock
	return m.pieces
}

// divideRows divides the rows for a few tokens, the larger pieces first. Each begins with memory that nothing has asked for ahead of
// time, so there should be few, and small ones at the end let all threads finish at about the same time. A thread takes two thirds of
// its share of what is left: one that is half as fast as another still keeps up with it.
func (m *product) divideRows(threads int) {
	abreast := m.W.abreast()
	groups, bytes, most := (m.W.Rows-1)/abreast+1, abreast*m.W.rowBytes, longBytes
	if m.Tokens > 1 {
		most = sliceBytes
	}
	m.ends = m.ends[:0]
	for done := 0; done < groups; {
		share := (groups - done + threads - 1) / threads
		each := share - share/3
		if share/3*bytes < leastBytes {
			each = share
		}
		each = max(1, min(each, most/bytes))
		for t := 0; t < threads && done < groups; t++ {
			done += each
			m.ends = append(m.ends, min(abreast*done, m.W.Rows))
		}
	}
}

// piece computes piece i.
func (m *product) piece(i int) {
	if !m.few {
		m.tile(i)
		return
	}
	lo, hi := 0, m.ends[i]
	if i > 0 {
		lo = m.ends[i-1]
	}
	for t := range m.Tokens {
		m.W.mulVec(m.Y[t*m.YStride+lo:t*m.YStride+hi], m.X[t*m.XStride:][:m.W.Cols], lo)
	}
}

// aligned reports whether v begins with a line of the cache. If not, every load of a wide register takes two.
func aligned(v []float32) bool { return uintptr(unsafe.Pointer(unsafe.SliceData(v)))%cacheLine == 0 }

// padRows replaces x by a copy whose rows are aligned and do not fall on each other in a cache.
func (m *product) padRows() {
	stride := m.W.Cols + lanes
	m.padded = slices.Grow(m.padded[:0], m.Tokens*stride)[:m.Tokens*stride]
	for t := range m.Tokens {
		copy(m.padded[t*stride:], m.X[t*m.XStride:][:m.W.Cols])
	}
	m.X, m.XStride = m.padded, stride
}

// tile computes one piece of rows for one block of tokens.
func (m *product) tile(i int) {
	w := m.W
	lo := i % m.perBlock * m.rows
	hi := min(lo+m.rows, w.Rows)
	from := i / m.perBlock * m.block
	tokens := min(m.block, m.Tokens-from)
	y, x := m.Y[from*m.YStride+lo:], m.X[from*m.XStride:]
	next := w.rows(lo+m.threads*m.rows, hi+m.threads*m.rows)
	if w.dtype == tensor.F32 && (tokens < blockLeast || aligned(floats(w.rows(lo, hi)))) {
		mulTile(y, m.YStride, floats(w.rows(lo, hi)), x, m.XStride, w.Cols, hi-lo, tokens, next)
		return
	}
	rows := buffer((hi - lo) * w.Cols)
	defer buffers.Put(rows)
	w.widen(*rows, lo, hi)
	mulTile(y, m.YStride, *rows, x, m.XStride, w.Cols, hi-lo, tokens, next)
}
