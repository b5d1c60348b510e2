package kernel

import "github.com/gomamba/gomamba/internal/parallel"

// Recurrence is a scan that can be divided by time: Scan or HeadScan.
type Recurrence interface {
	// scan is Run, but for what p says.
	scan(r *ScanRows, h []float32, lo, hi int, p pass)
	// leap moves the states of the channels lo to hi, at most stepChannels, over tokens without input that together take
	// the time [I].
	leap(h []float32, time []float64, lo, hi int)
	// size returns the number of channels and of states of each.
	size() (channels, states int)
}

// ScanBlock is how many tokens make a block of a parallel scan. Blocks begin at multiples of it, whatever the pieces in which
// a sequence comes.
const ScanBlock = 64

// Carry is what a parallel scan knows of the block that it stands in, beside the state. With Tokens of 0, the rest is not read.
type Carry struct {
	Tokens int       // of the block, that are done
	Start  []float32 // [I, N]: the state before the block
	Input  []float32 // [I, N]: the state that the block's tokens make of zeros
	Time   []float64 // [I]: the sum of their dt
}

// RunParallel is Run with blocks of tokens, not the channels alone, divided among the pool's threads: the work-efficient
// parallel scan over (decay, input) pairs (Blelloch 1990; Mamba paper, section 3.3.2), in its reduce-then-scan form.
//
//  1. Reduce: every block from a state of zeros, which gives its input, and the sum of its dt, which gives its decay.
//  2. Carry:  from block to block, state = exp(Σdt·A)·state + input.
//  3. Scan:   every block from its own state.
//
// That is twice the work of Run, so it pays only if there are more than twice as many threads as blocks of channels. A
// block's state comes from step 2, not from the token before it: results agree with Run to rounding, not to the bit. As blocks
// begin at fixed positions, they are the same bits for every division of a sequence and number of threads. c is where the
// sequence stands, and is moved on with h.
func RunParallel(p *parallel.Pool, s Recurrence, r *ScanRows, h []float32, c *Carry) {
	if r.Tokens == 0 {
		return
	}
	b := newBlocks(s, r, h, c)
	defer buffers.Put(b.buf)
	groups := (b.channels + stepChannels - 1) / stepChannels
	each := func(n int, f func(block, lo, hi int)) {
		p.Run(n*groups, 1, func(from, to int) {
			for i := from; i < to; i++ {
				lo := i % groups * stepChannels
				f(i/groups, lo, min(lo+stepChannels, b.channels))
			}
		})
	}
	each(b.n, b.reduce)
	each(1, func(_, lo, hi int) { b.carry(lo, hi) })
	each(b.n, b.finish)
	b.leave(h, c)
}

// blocks are the blocks of a parallel scan that is being computed.
type blocks struct {
	s                   Recurrence
	rows                *ScanRows
	channels, states, n int
	done                int // tokens of the first block that came before
	begun               int // blocks that begin after it, one that begins after the last token included
	buf                 *[]float32

	// Of each block: where it stands, and its state on the way from Start.
	carries []Carry
	state   [][]float32
}

func newBlocks(s Recurrence, r *ScanRows, h []float32, c *Carry) *blocks {
	b := &blocks{s: s, rows: r, done: c.Tokens}
	b.channels, b.states = s.size()
	b.n, b.begun = (c.Tokens+r.Tokens+ScanBlock-1)/ScanBlock, (c.Tokens+r.Tokens)/ScanBlock
	if c.Tokens == 0 {
		c.begin(h)
	}
	size := b.channels * b.states
	b.buf = buffer(3 * b.begun * size)
	clear(*b.buf)
	part := func(i int) []float32 { return (*b.buf)[i*size:][:size] }
	b.carries, b.state = []Carry{*c}, [][]float32{h}
	for i := range b.begun {
		b.carries = append(b.carries, Carry{Start: part(3 * i), Input: part(3*i + 1), Time: make([]float64, b.channels)})
		b.state = append(b.state, part(3*i+2))
	}
	return b
}

// NewCarry returns the beginning of a block.
func NewCarry(channels, states int) Carry {
	return Carry{Start: make([]float32, channels*states), Input: make([]float32, channels*states), Time: make([]float64, channels)}
}

// begin makes c the beginning of a block at which the state is h.
func (c *Carry) begin(h []float32) {
	copy(c.Start, h)
	clear(c.Input)
	clear(c.Time)
}

// block returns the rows of block i.
func (b *blocks) block(i int) ScanRows {
	return b.rows.slice(max(0, i*ScanBlock-b.done), min(b.rows.Tokens, (i+1)*ScanBlock-b.done))
}

// reduce is step 1 for some channels of a block.
func (b *blocks) reduce(i, lo, hi int) {
	rows := b.block(i)
	b.s.scan(&rows, b.carries[i].Input, lo, hi, pass{raw: true, time: b.carries[i].Time})
}

// carry is step 2 for some channels of all blocks.
func (b *blocks) carry(lo, hi int) {
	from, to := lo*b.states, hi*b.states
	for i := range b.begun {
		c, next := &b.carries[i], b.carries[i+1].Start
		copy(next[from:to], c.Start[from:to])
		b.s.leap(next, c.Time, lo, hi)
		Add(next[from:to], c.Input[from:to])
		copy(b.state[i+1][from:to], next[from:to])
	}
}

// finish is step 3 for some channels of a block.
func (b *blocks) finish(i, lo, hi int) {
	rows := b.block(i)
	b.s.scan(&rows, b.state[i], lo, hi, pass{gated: true})
}

// leave sets h and c to what they are after the last token.
func (b *blocks) leave(h []float32, c *Carry) {
	if last := b.begun; last > 0 { // else they are those that the block moved on
		copy(h, b.state[last])
		copy(c.Start, b.carries[last].Start)
		copy(c.Input, b.carries[last].Input)
		copy(c.Time, b.carries[last].Time)
	}
	c.Tokens = (b.done + b.rows.Tokens) % ScanBlock
}

func (s *Scan) size() (channels, states int) { return len(s.Rate) / s.States, s.States }

// leap is one step with a dt of all the time, and an x of 0.
func (s *Scan) leap(h []float32, time []float64, lo, hi int) {
	scratch := scratches.Get().(*scanScratch)
	defer scratches.Put(scratch)
	zeros := buffer(max(s.States, stepChannels))
	defer buffers.Put(zeros)
	clear(*zeros)
	dt := scratch.times[:hi-lo]
	for i := range dt {
		dt[i] = float32(time[lo+i])
	}
	from, to, none := lo*s.States, hi*s.States, (*zeros)[:s.States]
	scanSteps(scratch.sums[:hi-lo], h[from:to], s.Rate[from:to], none, none, dt, (*zeros)[:hi-lo])
}

func (s *HeadScan) size() (channels, states int) { return s.Heads * s.HeadDim, s.States }

// leap is one step of each head with the decay of all the time, and an x of 0.
func (s *HeadScan) leap(h []float32, time []float64, lo, hi int) {
	scratch := scratches.Get().(*scanScratch)
	defer scratches.Put(scratch)
	zeros := buffer(max(s.States, stepChannels))
	defer buffers.Put(zeros)
	clear(*zeros)
	none := (*zeros)[:s.States]
	for from := lo; from < hi; {
		head := from / s.HeadDim
		to := min(hi, (head+1)*s.HeadDim)
		high, low := headDecay(time[from], float64(s.A[head]))
		stepHead(scratch.sums[:to-from], h[from*s.States:to*s.States], 0, high, low, (*zeros)[:to-from], none, none)
		from = to
	}
}

// slice returns the rows of tokens from to to.
func (r *ScanRows) slice(from, to int) ScanRows {
	cut := *r
	cut.Tokens = to - from
	cut.X, cut.Dt = r.X[from*r.XStride:], r.Dt[from*r.DtStride:]
	cut.Y = r.Y[from*r.YStride:]
	if r.Z != nil {
		cut.Z = r.Z[from*r.ZStride:]
	}
	cut.B, cut.C = r.B[from*r.BStride:], r.C[from*r.CStride:]
	return cut
}
