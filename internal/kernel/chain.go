package kernel

// mulChained is mulTile for whole tiles of an instruction set that has a chain, and at least as many columns as that takes.
//
// The tokens of a tile should stay in a first-level cache while they meet all rows, so columns come in passes. The lanes of
// every tile wait in memory for the next pass, which goes on from them: the sums are those of a single pass.
func mulChained(y []float32, yStride int, w, x []float32, xStride, cols, rows, tokens int, next []byte) {
	k := &cpu.tiling
	tiles := tokens / k.tokens * (rows / k.rows)
	if tiles == 0 {
		return
	}
	passes := (cols + k.chain.most - 1) / k.chain.most
	c := chained{k: k, y: y, yStride: yStride, xStride: xStride, wStride: cols, rows: rows, tokens: tokens, passes: passes}
	width := roundUp((cols + passes - 1) / passes)
	slots := 1
	if passes > 1 {
		slots = tiles
	}
	c.lanes = buffer(slots * c.slot())
	defer buffers.Put(c.lanes)
	c.ahead = newFetcher(next, tiles*passes, width-k.chain.least)
	for i := range passes {
		from := i * width
		c.pass(i, w[from:], x[from:], min(width, cols-from))
	}
}

// chained is the tiles of some rows with some tokens.
type chained struct {
	k *tiling

	y                         []float32
	yStride, xStride, wStride int
	rows, tokens, passes      int

	lanes *[]float32 // a slot for each tile, or one for all if there is a single pass
	ahead fetcher
}

// slot is how many lanes a tile has.
func (c *chained) slot() int { return c.k.rows * c.k.tokens * lanes }

// of returns where the lanes of a tile are.
func (c *chained) of(tile int) *float32 {
	if c.passes == 1 {
		return &(*c.lanes)[0]
	}
	return &(*c.lanes)[tile*c.slot()]
}

// pass multiplies some columns, those of w and x that are given. In the last pass, the lanes of each tile are added beside
// the work on the next.
func (c *chained) pass(pass int, w, x []float32, cols int) {
	last := pass == c.passes-1
	tile := 0
	var (
		sums *float32 // where those of the tile before go
		done *float32
	)
	for t := 0; t < c.tokens; t += c.k.tokens {
		if n := c.k.tokens; last {
			fetchAfter(c.y, c.yStride, t+n, min(n, c.tokens-t-n))
		}
		for r := 0; r < c.rows; r += c.k.rows {
			acc, from := c.of(tile), (*float32)(nil)
			if pass > 0 {
				from = acc
			}
			c.k.chain.multiply(acc, from, &w[r*c.wStride], c.wStride, &x[t*c.xStride], c.xStride, cols, sums, c.yStride, done, c.ahead.take(), c.ahead.step)
			if last {
				sums, done = &c.y[t*c.yStride+r], acc
			}
			tile++
		}
	}
	if last {
		c.k.chain.sum(sums, c.yStride, done)
	}
}

// fetcher hands out what is needed soon in portions, one for each tile.
type fetcher struct {
	left    []byte
	portion int // bytes of a tile
	step    int // and of a block of its columns
}

// newFetcher divides next among some tiles, each of which fetches a line for each block of its columns.
func newFetcher(next []byte, tiles, cols int) fetcher {
	if len(next) == 0 || tiles == 0 || cols == 0 {
		return fetcher{left: idle[:]}
	}
	portion, blocks := (len(next)+tiles-1)/tiles, cols/lanes
	return fetcher{next, portion, (portion + blocks - 1) / blocks}
}

// idle is what there is to fetch when nothing is needed.
var idle [cacheLine]byte

// take returns where the next portion begins.
func (f *fetcher) take() *byte {
	p := &f.left[0]
	f.left = f.left[min(f.portion, len(f.left)-1):]
	return p
}
