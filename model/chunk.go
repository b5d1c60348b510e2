package model

import (
	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/parallel"
)

// chunkTokens is how many tokens are worked on at a time at most: enough to read each weight once for many tokens,
// few enough to keep scratch memory small whatever the length of the prompt.
const chunkTokens = 264

// parallelTokens is chunkTokens for a parallel scan, whose blocks must keep many threads busy.
const parallelTokens = 4 * chunkTokens

// chunkWidth divides tokens of each sequence into chunks of about the same number, of atMost tokens in all: a last one with a few tokens would
// read all weights for these. They are multiples of what a kernel takes.
func chunkWidth(tokens, sequences, atMost int) int {
	most := max(1, atMost/sequences)
	chunks := (tokens + most - 1) / most
	width := (tokens + chunks - 1) / chunks
	if chunks > 1 {
		atOnce := kernel.TokensAtOnce()
		width = (width + atOnce - 1) / atOnce * atOnce
	}
	return min(width, most)
}

// channelBlock is how many channels of one sequence make a piece of work. Their states stay in the first-level cache.
const channelBlock = 64

// longTokens is how many tokens make it worth while to share out single blocks of channels.
const longTokens = 8

// span is the part of one sequence that falls into a chunk, without its padding.
type span struct {
	seq    int // index in the batch
	from   int // row of its first token in the chunk's arrays
	tokens int
}

// chunk is a window of positions, the same for all sequences, and the memory that the network works on it in. Its arrays
// have a row for each sequence and position, sequence by sequence. One chunk after the other uses the same memory.
type chunk struct {
	model  *Model
	start  int    // position of the window
	width  int    // positions in it
	rows   int    // B · width
	spans  []span // of the sequences that have tokens here
	padded bool   // some rows are padding

	hidden []float32 // [rows, D] the residual stream
	u      []float32 // [rows, D] normed, what a block reads; of a step that reads the embeddings too [rows, 2·D]
	out    []float32 // [rows, D] what a block adds

	embedded []float32 // [rows, D] the embeddings, if a step reads them
	joined   []float32 // [rows, 2·D] the residual stream with them
	branch   []float32 // [rows, D] of a layer that has one

	logits []float32 // [rows, V], only as many rows as logits are wanted

	scratch [][]float32 // of the blocks, by array

	inputs func(Inputs) // Want.Inputs

	// Of the current block: its states, and for a parallel scan where each sequence stands.
	states  []blocks.State[float32]
	carries []kernel.Carry
	routes  routes // of a mixture of experts
	parts   []part // of several MLPs

	// Products that are to be computed, and what is added to each.
	products []kernel.Product
	biases   [][]float32
	changes  []*change // of products, by an adapter
	low, sum []float32 // that these work in

	// What runs in parallel now. The task is made once, so that a token allocates nothing.
	doing           pieceFunc
	run             channelFunc
	channels, block int // of them that make a piece of work
	norm            rowNorm

	working *parallel.Task
}

func (m *Model) newChunk() *chunk {
	c := &chunk{model: m, scratch: make([][]float32, len(m.scratch.names))}
	c.working = parallel.NewTask(func(lo, hi int) { c.doing(c, lo, hi) })
	return c
}

// moveTo makes c the window of the batch at positions start to start+width, with room for the logits of logitRows rows.
func (c *chunk) moveTo(b *Batch, start, width, logitRows int) {
	c.start, c.width, c.rows, c.spans = start, width, b.Sequences*width, c.spans[:0]
	real := 0
	for seq := range b.Sequences {
		from, to := b.Real(seq)
		from, to = max(from-start, 0), min(to-start, width)
		if from < to {
			c.spans = append(c.spans, span{seq: seq, from: seq*width + from, tokens: to - from})
			real += to - from
		}
	}
	c.padded = real < c.rows
	c.resize(c.rows, logitRows)
}

// resize makes room for rows rows, keeping memory that is large enough.
func (c *chunk) resize(rows, logitRows int) {
	D, V := c.model.cfg.Shared().HiddenSize, c.model.cfg.Shared().VocabSize
	c.hidden, c.u, c.out = resized(c.hidden, rows*D), resized(c.u, rows*D), resized(c.out, rows*D)
	if c.model.scratch.embedded {
		c.embedded, c.joined = resized(c.embedded, rows*D), resized(c.joined, 2*rows*D)
	}
	if c.model.scratch.branched {
		c.branch = resized(c.branch, rows*D)
	}
	for i, width := range c.model.scratch.widths {
		c.scratch[i] = resized(c.scratch[i], rowsOf(rows, c.model.scratch.copies[i])*width)
	}
	c.logits = resized(c.logits, logitRows*V)
}

// matMul sets y [rows, w.Rows] to x·wᵀ + bias for x [rows, w.Cols], whose rows are xStride apart; bias may be nil.
func (c *chunk) matMul(y []float32, w *weight, x []float32, xStride int, bias []float32) {
	c.product(tokens{c.spans, c.rows}, y, w.Rows, w, x, xStride, bias)
	c.multiply()
}

// tokens are rows of which spans hold tokens.
type tokens struct {
	spans []span
	rows  int
}

// product plans a product for multiply: y, rows yStride apart, becomes x·wᵀ + bias for some rows.
func (c *chunk) product(t tokens, y []float32, yStride int, w *weight, x []float32, xStride int, bias []float32) {
	c.products = append(c.products, kernel.Product{Y: y, YStride: yStride, W: &w.Matrix, X: x, XStride: xStride, Tokens: t.rows})
	c.biases, c.changes = append(c.biases, bias), append(c.changes, w.change)
	if c.inputs == nil {
		return
	}
	for _, s := range t.spans {
		for _, name := range w.names {
			c.inputs(Inputs{Weight: name, X: x[s.from*xStride:], Rows: s.tokens, Cols: w.Cols, Stride: xStride})
		}
	}
}

// multiply computes what product has planned, all at once.
func (c *chunk) multiply() {
	kernel.MatMulEach(c.model.pool, c.products...)
	for i, bias := range c.biases {
		if n := c.changes[i]; n != nil {
			n.apply(c, &c.products[i])
		}
		if bias == nil {
			continue
		}
		for t := range c.products[i].Tokens {
			kernel.Add(c.products[i].Y[t*c.products[i].YStride:][:len(bias)], bias)
		}
	}
	clear(c.products)
	c.products, c.biases, c.changes = c.products[:0], c.biases[:0], c.changes[:0]
}

// predict sets the logits to those of rows of the final norm's output.
func (c *chunk) predict(x []float32, rows int) {
	w := &c.model.weights.head
	kernel.MatMul(c.model.pool, c.logits, &w.Matrix, x, w.Cols, rows)
	if w.change != nil {
		w.change.apply(c, &kernel.Product{Y: c.logits, YStride: w.Rows, W: &w.Matrix, X: x, XStride: w.Cols, Tokens: rows})
	}
	kernel.Scale(c.logits, c.model.weights.scales.Logits/c.model.weights.scales.Divisor)
}

// pieceFunc does the pieces lo to hi of some work.
type pieceFunc func(c *chunk, lo, hi int)

// inPieces calls do for 0..n, at most grain of them at a time, in parallel.
func (c *chunk) inPieces(n, grain int, do pieceFunc) {
	c.doing = do
	c.model.pool.RunTask(c.working, n, grain)
}

// channelFunc does the work of a block for the channels lo to hi of one sequence.
type channelFunc func(c *chunk, row span, lo, hi int)

// eachChannel calls run for blocks of the channels of every sequence, in parallel.
func (c *chunk) eachChannel(channels int, run channelFunc) { c.each(channels, channelBlock, run) }

// each calls run for the channels of every sequence, block of them at a time, in parallel.
func (c *chunk) each(channels, block int, run channelFunc) {
	c.channels, c.block, c.run = channels, block, run
	n := len(c.spans) * c.blocks()
	grain := 1
	if c.width < longTokens {
		grain = max(1, n/(2*c.model.pool.Threads())) // to read states takes longer than to move them: in few long streams
	}
	c.inPieces(n, grain, (*chunk).runBlocks)
}

func (c *chunk) blocks() int { return (c.channels + c.block - 1) / c.block }

// runBlocks calls c.run for the blocks from to to, counted over all sequences.
func (c *chunk) runBlocks(from, to int) {
	each := c.blocks()
	for i := from; i < to; i++ {
		lo := i % each * c.block
		c.run(c, c.spans[i/each], lo, min(lo+c.block, c.channels))
	}
}

// rowNorm is the RMS norm of each row, or of each of its parts by itself; with a bias the LayerNorm of each row.
type rowNorm struct {
	y, x   []float32
	stride int       // of rows, in both
	parts  []int     // widths
	weight []float32 // of all parts, or nil for ones
	bias   []float32 // of LayerNorm
	eps    float64
}

func (n *rowNorm) run(row int) {
	at := row * n.stride
	if n.bias != nil {
		kernel.LayerNorm(n.y[at:][:n.stride], n.x[at:][:n.stride], n.weight, n.bias, n.eps)
		return
	}
	weight := n.weight
	for _, width := range n.parts {
		kernel.RMSNorm(n.y[at:][:width], n.x[at:][:width], weight[:min(width, len(weight))], n.eps)
		at, weight = at+width, weight[min(width, len(weight)):]
	}
}

// normRows norms every row, in parallel.
func (c *chunk) normRows(n rowNorm) {
	c.norm = n
	c.inPieces(c.rows, 8, (*chunk).normPieces)
	c.norm = rowNorm{}
}

func (c *chunk) normPieces(lo, hi int) {
	for row := lo; row < hi; row++ {
		c.norm.run(row)
	}
}

// clearPadding zeroes the rows of v, width values each, that hold no token.
func (c *chunk) clearPadding(v []float32, width int) {
	if !c.padded {
		return
	}
	row := 0
	for _, s := range c.spans {
		clear(v[row*width : s.from*width])
		row = s.from + s.tokens
	}
	clear(v[row*width : c.rows*width])
}
