package model

import (
	"slices"

	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/parallel"
)

// chunkTokens is how many tokens are worked on at a time at most: enough to read each weight once for many tokens,
// few enough to keep scratch memory small whatever the length of the prompt.
const chunkTokens = 264

// parallelTokens is chunkTokens for a parallel scan, whose blocks are to keep many threads busy.
const parallelTokens = 4 * chunkTokens

// chunkWidth divides tokens of each sequence into chunks of about the same number, of atMost tokens in all, for a last one with a few tokens would
// read all weights for these, and of multiples of what a kernel takes.
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
	u      []float32 // [rows, D] normed, what a mixer reads
	out    []float32 // [rows, D] what a mixer adds
	logits []float32 // [rows, V], only as many rows as logits are wanted

	proj []float32 // what in_proj gives
	conv []float32 // what the convolution gives, and the scan after it
	dbc  []float32 // [rows, R+2N] in Mamba-1: what x_proj gives
	dt   []float32 // [rows, I] in Mamba-1: step sizes

	mixer mixer      // of the layer at hand
	state layerState // that it moves on
	norm  rowNorm    // at hand

	convolving, recurring, norming *parallel.Task // made once, so that a token allocates nothing
}

// widths are the values that a mixer keeps for each row of a chunk.
type widths struct{ proj, conv, dbc, dt int }

func (m *Model) newChunk() *chunk {
	c := &chunk{model: m}
	c.convolving = c.channelTask(func(row span, lo, hi int) { c.mixer.convolve(c, row, lo, hi) }, func() int { return c.mixer.widths().conv })
	c.recurring = c.channelTask(func(row span, lo, hi int) { c.mixer.recur(c, row, lo, hi) }, m.cfg.DInner)
	c.norming = parallel.NewTask(func(lo, hi int) {
		for row := lo; row < hi; row++ {
			c.norm.run(row)
		}
	})
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
	common := c.model.cfg.Shared()
	D, V, w := common.HiddenSize, common.VocabSize, c.model.mixers[0].widths()
	for _, part := range [...]struct {
		p    *[]float32
		size int
	}{
		{&c.hidden, rows * D}, {&c.u, rows * D}, {&c.out, rows * D},
		{&c.proj, rows * w.proj}, {&c.conv, rows * w.conv}, {&c.dbc, rows * w.dbc}, {&c.dt, rows * w.dt},
		{&c.logits, logitRows * V},
	} {
		*part.p = slices.Grow((*part.p)[:0], part.size)[:part.size]
	}
}

// matMul sets y [rows, w.Rows] to x·wᵀ + bias for x [rows, w.Cols], whose rows are xStride apart; bias may be nil.
func (c *chunk) matMul(y []float32, w *kernel.Matrix, x []float32, xStride int, bias []float32) {
	kernel.MatMul(c.model.pool, y, w, x, xStride, c.rows)
	if bias != nil {
		kernel.AddBias(y[:c.rows*w.Rows], bias)
	}
}

// convolve runs the convolution of the mixer at hand over blocks of its channels, in parallel.
func (c *chunk) convolve() { c.eachChannel(c.convolving, c.mixer.widths().conv) }

// recur runs the recurrence of the current mixer in parallel: over blocks of its channels, or of its channels and of time.
func (c *chunk) recur() {
	if !c.model.parallelScan {
		c.eachChannel(c.recurring, c.model.cfg.DInner())
		return
	}
	for _, row := range c.spans {
		scan, rows, state := c.mixer.recurrence(c, row)
		kernel.RunParallel(c.model.pool, scan, &rows, state, &c.state.scan[row.seq])
	}
}

func (c *chunk) eachChannel(t *parallel.Task, channels int) {
	n := len(c.spans) * channelBlocks(channels)
	grain := 1
	if c.width < longTokens {
		grain = max(1, n/(2*c.model.pool.Threads())) // to read states takes longer than to move them: in few long streams
	}
	c.model.pool.RunTask(t, n, grain)
}

func channelBlocks(channels int) int { return (channels + channelBlock - 1) / channelBlock }

// channelTask is the task of calling f for each block of channels of every sequence.
func (c *chunk) channelTask(f func(row span, lo, hi int), channels func() int) *parallel.Task {
	return parallel.NewTask(func(from, to int) {
		n := channels()
		blocks := channelBlocks(n)
		for i := from; i < to; i++ {
			lo := i % blocks * channelBlock
			f(c.spans[i/blocks], lo, min(lo+channelBlock, n))
		}
	})
}

// rowNorm is the RMS norm of each row, or of each of its parts by itself.
type rowNorm struct {
	y, x   []float32
	stride int       // of rows, in both
	parts  []int     // widths
	weight []float32 // of all parts, or nil for ones
	eps    float64
}

func (n *rowNorm) run(row int) {
	at := row * n.stride
	weight := n.weight
	for _, width := range n.parts {
		kernel.RMSNorm(n.y[at:][:width], n.x[at:][:width], weight[:min(width, len(weight))], n.eps)
		at, weight = at+width, weight[min(width, len(weight)):]
	}
}

// normRows norms every row, in parallel.
func (c *chunk) normRows(n rowNorm) {
	c.norm = n
	c.model.pool.RunTask(c.norming, c.rows, 8)
	c.norm = rowNorm{}
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
