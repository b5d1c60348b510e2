package kernel

// Each folder of _asm is a module of its own that writes the assembly of one architecture.
//go:generate sh -c "ls -d _asm/*/ | xargs -I{} go -C {} generate"

// isa is an instruction set: its leaf functions, which do the arithmetic of a few rows, a tile or a piece of a row at a time,
// and the blocking that they like. What is above the leaves (padding, tiling, threads) is the same for all of them.
//
// A new one needs isa_GOARCH.go, whose available returns it, its assembly and a generator in _asm; isa_other.go leaves out its
// GOARCH. A leaf that it does not have yet may be that of generic.
//
// A leaf returns the bits of the plain Go that its comment names. A pointer stands for as many elements as the sizes ask for.
// Sizes are positive and, unless a comment says otherwise, n, cols and states are multiples of lanes; n of a leaf that
// computes in float64 (conv, gate, gateRank, negExp, squares, scaleRow, turn, rotate) is one of lanes/2, as narrow heads have
// fewer channels.
type isa struct {
	name string

	formats formats
	tiling  tiling

	// maxAbsBits is maxAbsBitsGeneric of v[:n].
	maxAbsBits func(v *float32, n int) uint32

	scanStep  scanStep
	scanBlock scanBlock
	headStep  headStep
	headBlock headBlock
	convBlock convBlock

	trapezoid      [5]trapezoidStep // by rank; of others there is none
	trapezoidBlock trapezoidBlock

	// conv is convRowGeneric of k rows for n channels.
	conv func(out *float32, rows *[]float32, taps *float32, tapStride int, bias *float32, k, n int)
	// gate is gateGeneric of n elements.
	gate func(y *float32, sums *float64, d, x, z *float32, n int)
	// gateRank is gateRankGeneric of n elements.
	gateRank func(out, sums *float64, d, x, z, mixZ, mixY *float32, n int)
	// turn is turnGeneric of n angles.
	turn func(angles, rates, low *float32, dt float64, cos, sin *float64, n int)
	// rotateNeighbours is rotateNeighboursGeneric of n pairs, rotateHalves rotateHalvesGeneric of n of at most half.
	rotateNeighbours func(y, x, bias *float32, cos, sin *float64, n int)
	rotateHalves     func(y, x, bias *float32, cos, sin *float64, half, n int)
	// softplus is softplusRowGeneric of n elements.
	softplus func(dt, bias *float32, n int)
	// negExp is negExpGeneric of n elements.
	negExp func(a, aLog *float32, n int)
	// squares is addSquaresGeneric of x[:n] to lanes of 0.
	squares func(x *float32, n int) [8]float64
	// scaleRow is scaleRowGeneric of n elements.
	scaleRow func(y, x, weight *float32, scale float64, n int)
	// addTo is addToGeneric of n elements.
	addTo func(y, x *float32, n int)

	// addRows is addRowsGeneric; columns is a multiple of lanes, n is positive.
	addRows func(y *float64, yStride int, x *float32, xStride int, w *float32, wStride, n, rows, columns int)
	// weigh is weighGeneric.
	weigh func(w *float32, scores *float64, scale, most float64) (top, sum float64)
	// roundTrials is roundTrialsGeneric of n elements, any number.
	roundTrials func(t *Trials, x, w *float32, n int, lo, hi float32)
	// scanTrials is scanTrialsGeneric of n elements, any number.
	scanTrials func(t *Trials, x, w, wx *float32, n int, lo, hi float32)

	// codes are what it does with codes of each kind, and codeRows how many rows its products take.
	codes    [codeKinds]codeLeaf
	codeRows int
	// columns are what it does with codes that are stored by columns; without leaves they are widened.
	columns columnLeaves
	// times is timesGeneric of n elements.
	times func(v *float32, s float32, n int)

	// fetch brings lines of memory, cacheLine bytes each, into the second-level cache, fetchRows the line at p and those at
	// every stride values from there. Both are nil if the CPU does that best by itself.
	fetch     func(p *float32, lines int)
	fetchRows func(p *float32, stride, rows int)

	// xor is xorGeneric of 8·eighth bytes; eighth is a multiple of 64. multiplyAdd does n operations, a multiple of
	// fmaRounds. They are the yardsticks.
	xor         func(data *byte, eighth int) uint64
	multiplyAdd func(n int)
}

// tiling is how an instruction set multiplies several rows with several tokens at a time.
type tiling struct {
	rows, tokens int // of the largest tile
	// tile[n] multiplies rows with n tokens. If it is nil, or there is none, n tokens are multiplied one by one.
	tile []tileFunc
	// block returns how many bytes of tokens meet a piece of rows before others come: most of a second-level cache.
	block func() int
	// chain is nil if the instruction set has none.
	chain *chain
}

// block1M is tiling.block of processors with a second-level cache of a megabyte or more.
func block1M() int { return 800 << 10 }

// tileFunc sets y[t·yStride + r] to the dot product of w[r·wStride:] with x[t·xStride:], as dotGeneric does.
type tileFunc func(y *float32, yStride int, w *float32, wStride int, x *float32, xStride int, cols int)

// chain is a way to multiply the largest tiles, one after the other: in several passes over columns, and with the lanes of
// one tile being added beside the multiply-adds of the next.
type chain struct {
	least int // the fewest columns that it takes
	most  int // the most of a pass: the tokens of a tile leave room for more in a first-level cache
	// multiply is the tileFunc that leaves its lanes in acc. from is acc after the columns before, or nil; y is set to the sums
	// of the lanes in done, of another tile, unless that is nil. from and done may be acc. For each 16 columns above least
	// it brings the line at next into the second-level cache, and goes nextStep bytes on.
	multiply func(acc, from, w *float32, wStride int, x *float32, xStride, cols int, y *float32, yStride int, done *float32, next *byte, nextStep int)
	// sum sets y to the sums of the lanes in done.
	sum func(y *float32, yStride int, done *float32)
}

// scanStep moves channels of Mamba-1 over one token, as scanStepsGeneric does. one takes any number of states that is a
// multiple of lanes, four 4·fours channels of 16 states; nil: one does those too.
type scanStep struct {
	one  func(h, rate, b, c, dt, x *float32, sums *float64, states, channels int)
	four func(h, rate, b, c, dt, x *float32, sums *float64, fours int)
}

// scanBlock moves a block of channels of Mamba-1 over several tokens with their states in registers. h and rate are
// transposed: [states, channels].
type scanBlock struct {
	channels, states int // exactly; 0 if the instruction set does not have such a leaf
	tokens           int // the fewest for which it is worth while to transpose
	run              func(h, rate, dt, x, b, c *float32, sums *float64, tokens, dtStride, xStride, bStride, cStride, sumStride int)
}

// headStep moves channels of one head of Mamba-2 over one token, as stepHeadGeneric does: one takes rounds channels, two
// 2·rounds; nil: one does those too.
type headStep struct {
	two, one func(sums *float64, h *float32, dt float64, high, low float32, x, b, c *float32, states, rounds int)
}

// headBlock moves a few channels of one head of Mamba-2 over several tokens with their states in registers.
type headBlock struct {
	channels, states int // exactly; 0 if the instruction set does not have such a leaf
	run              func(h *float32, dt *float64, high, low, x, b, c *float32, sums *float64, tokens, xStride, bStride, cStride, sumStride int)
}

// trapezoidStep moves channels of one head of Mamba-3 over one token, as stepTrapezoidGeneric does, which is used where it has nil:
// one takes rounds channels, two 2·rounds. pitch is P, the number of all channels.
type trapezoidStep struct {
	two, one func(sums *float64, h *float32, high, low float32, in, k, q *float32, states, pitch, rounds int)
}

// trapezoidBlock moves a few channels of one head of Mamba-3 of rank 1 over several tokens with their states in registers.
type trapezoidBlock struct {
	channels, states int // exactly; 0 if the instruction set does not have such a leaf
	run              func(h, high, low, in, k, q *float32, sums *float64, tokens, pitch int)
}

// convBlock convolves channels·blocks adjacent channels over several tokens with their window in registers, as Conv.Run does.
type convBlock struct {
	channels, taps int // exactly; 0 if the instruction set does not have such a leaf
	run            func(out *float32, outStride int, in *float32, inStride int, state, taps *float32, tapStride int, bias *float32, tokens, blocks int)
}

// cpu is the instruction set in use: the best that this CPU has.
var cpu = all()[0]

// all returns the instruction sets that this CPU has, the best first, plain Go last.
func all() []*isa { return append(available(), &generic) }

// ISA names the instructions that the kernels use.
func ISA() string { return cpu.name }

// TokensAtOnce returns how many tokens the widest kernel takes at a time: of a multiple of it, none are left to a slower one.
func TokensAtOnce() int { return cpu.tiling.tokens }

// whole returns how many of n elements the leaves take.
func whole(n int) int { return n &^ (lanes - 1) }

// wholeWide is whole for the leaves that compute in float64.
func wholeWide(n int) int { return n &^ (lanes/2 - 1) }

// fetch hints that v will be needed soon.
func fetch(v []float32) {
	if cpu.fetch != nil && len(v) > 0 {
		cpu.fetch(&v[0], (len(v)*4+cacheLine-1)/cacheLine)
	}
}
