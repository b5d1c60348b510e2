package kernel

// mulTile sets y[t·yStride + r] to the dot product of row r of w [rows, cols] with x[t·xStride:][:cols]. next is what is
// needed after that, or nothing.
func mulTile(y []float32, yStride int, w, x []float32, xStride, cols, rows, tokens int, next []byte) {
	if cols%lanes != 0 {
		padded := roundUp(cols)
		wRows, xRows := padColumns(w, cols, cols, padded, rows), padColumns(x, xStride, cols, padded, tokens)
		defer buffers.Put(wRows)
		defer buffers.Put(xRows)
		w, x, cols, xStride = *wRows, *xRows, padded, padded
	}
	k := &cpu.tiling
	wholeRows := rows / k.rows * k.rows
	c := chained{tiling: k, yStride: yStride, xStride: xStride, cols: cols}
	c.begin(next, (tokens+k.tokens-1)/k.tokens*(wholeRows/k.rows))
	defer c.end()
	for t := 0; t < tokens; t += k.tokens {
		n := min(k.tokens, tokens-t)
		// A store that misses the cache stalls the stores behind it.
		if after := min(k.tokens, tokens-t-n); after > 0 && cpu.fetchRows != nil {
			cpu.fetchRows(&y[(t+n)*yStride], yStride, after)
		}
		out := y[t*yStride:][:(n-1)*yStride+rows]
		v := x[t*xStride:][:(n-1)*xStride+cols]
		done := 0
		if n < len(k.tile) && k.tile[n] != nil {
			for ; done < wholeRows; done += k.rows {
				c.multiply(&out[done], w[done*cols:][:k.rows*cols], &v[0], n)
			}
		}
		if done < rows {
			for i := range n {
				mulFloats(out[i*yStride+done:i*yStride+rows], w[done*cols:], v[i*xStride:][:cols])
			}
		}
	}
}

func roundUp(cols int) int { return (cols + lanes - 1) / lanes * lanes }

// padColumns copies rows of cols values, stride apart, to rows of padded values that end in zeros, in a buffer.
func padColumns(src []float32, stride, cols, padded, rows int) *[]float32 {
	dst := buffer(rows * padded)
	for r := range rows {
		n := copy((*dst)[r*padded:][:cols], src[r*stride:])
		clear((*dst)[r*padded+n : (r+1)*padded])
	}
	return dst
}

// chained runs one tile after the other. With a chain, the lanes of each of the largest tiles are added beside the work on
// the next.
type chained struct {
	*tiling
	yStride, xStride, cols int

	kept  *[]float32 // the lanes of one tile; nil without a chain
	y     *float32   // where their sums go; nil if there are none to add
	ahead fetcher
}

// begin prepares for some tiles, before next is needed.
func (c *chained) begin(next []byte, tiles int) {
	if c.chain == nil || c.cols < c.chain.cols {
		return
	}
	c.kept = buffer(c.rows * c.tokens * lanes)
	c.ahead = newFetcher(next, tiles, c.cols-c.chain.cols)
}

// multiply computes the tile of the rows in w with n tokens from x on.
func (c *chained) multiply(y *float32, w []float32, x *float32, n int) {
	if c.kept == nil || n < c.tokens {
		c.sum()
		c.tile[n](y, c.yStride, &w[0], c.cols, x, c.xStride, c.cols)
		return
	}
	acc, done := &(*c.kept)[0], (*float32)(nil)
	if c.y != nil {
		done = acc
	}
	c.chain.multiply(acc, &w[0], c.cols, x, c.xStride, c.cols, c.y, c.yStride, done, c.ahead.take(), c.ahead.step)
	c.y = y
}

// sum adds the lanes that are left.
func (c *chained) sum() {
	if c.y != nil {
		c.chain.sum(c.y, c.yStride, &(*c.kept)[0])
		c.y = nil
	}
}

func (c *chained) end() {
	c.sum()
	if c.kept != nil {
		buffers.Put(c.kept)
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
