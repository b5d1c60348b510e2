package model

import (
	"slices"

	"github.com/gomamba/gomamba/internal/kernel"
)

// chunkTokens is how many tokens are worked on at a time: enough to read each weight once for many tokens,
// few enough to keep scratch memory small whatever the length of the prompt. A multiple of the tokens that kernels
// take at once.
const chunkTokens = 252

// channelBlock is how many channels of one sequence make a piece of work. Their states stay in the first-level cache.
const channelBlock = 64

// span is the part of one sequence that falls into a chunk, without its padding.
type span struct {
	seq    int // index in the batch
	from   int // row of its first token in the chunk's arrays
	tokens int
}

// chunk is a window of positions, the same for all sequences. Its arrays have a row for each sequence and position,
// sequence by sequence.
type chunk struct {
	pool   *kernel.Pool
	start  int    // position of the window
	width  int    // positions in it
	rows   int    // B · width
	spans  []span // of the sequences that have tokens here
	padded bool   // some rows are padding

	scanByTime bool // divide the scan by time, not by channels
}

// newChunk returns the window of the batch at positions start to start+width.
func (m *Model) newChunk(b *Batch, start, width int) *chunk {
	c := &chunk{pool: m.pool, scanByTime: m.parallelScan, start: start, width: width, rows: b.Sequences * width}
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
	return c
}

// matMul sets y [rows, w.Rows] to x·wᵀ + bias for x [rows, w.Cols], whose rows are xStride apart; bias may be nil.
func (c *chunk) matMul(y []float32, w *kernel.Matrix, x []float32, xStride int, bias []float32) {
	c.pool.MatMul(y, w, x, xStride, c.rows)
	if bias != nil {
		kernel.AddBias(y[:c.rows*w.Rows], bias)
	}
}

// eachChannel calls f for blocks of channels of every sequence, in parallel.
func (c *chunk) eachChannel(channels int, f func(row span, lo, hi int)) {
	blocks := (channels + channelBlock - 1) / channelBlock
	c.pool.Run(len(c.spans)*blocks, 1, func(from, to int) {
		for i := from; i < to; i++ {
			lo := i % blocks * channelBlock
			f(c.spans[i/blocks], lo, min(lo+channelBlock, channels))
		}
	})
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

// scratch is the memory of one call, a row for each row of its chunks.
type scratch struct {
	hidden []float32 // [rows, D] the residual stream
	u      []float32 // [rows, D] normed, what a mixer reads
	out    []float32 // [rows, D] what a mixer adds
	xz     []float32 // [rows, 2I]
	xc     []float32 // [rows, I]
	dbc    []float32 // [rows, R+2N]
	dt     []float32 // [rows, I]
	logits []float32 // [rows, V], only as many rows as logits are wanted
}

// resize makes room for rows rows, keeping memory that is large enough.
func (s *scratch) resize(m *Model, rows, logitRows int) {
	D, I, V := m.cfg.HiddenSize, m.cfg.DInner(), m.cfg.VocabSize
	for _, part := range []struct {
		p    *[]float32
		size int
	}{
		{&s.hidden, rows * D}, {&s.u, rows * D}, {&s.out, rows * D},
		{&s.xz, rows * 2 * I}, {&s.xc, rows * I}, {&s.dt, rows * I},
		{&s.dbc, rows * (m.cfg.TimeStepRank + 2*m.cfg.StateSize)},
		{&s.logits, logitRows * V},
	} {
		*part.p = slices.Grow((*part.p)[:0], part.size)[:part.size]
	}
}
