//go:build !purego

package kernel

import "github.com/gomamba/gomamba/internal/tensor"

const (
	asmCols = 16 // the assembly takes whole blocks of columns
	tileR   = 2  // rows and
	tileT   = 3  // tokens of tile2x3
	wideR   = 4  // rows of tile4x6, and its tokens
	wideT   = TokensAtOnce

	// chainCols is the fewest columns for which the sums of one tile go on beside the multiply-adds of the next.
	chainCols = 368
)

func mulVecF32(y, w, x []float32) {
	if !useAVX2 {
		mulVecF32Generic(y, w, x)
		return
	}
	cols := len(x)
	if cols%asmCols != 0 {
		mulVecPadded(y, x, func(row []float32, r int) { copy(row, w[r*cols:][:cols]) })
		return
	}
	if useAVX512 {
		mulRows(y, w, x, dotFourF32AVX512, dotOneF32AVX512)
		return
	}
	mulRows(y, w, x, dotFourF32AVX2, dotOneF32AVX2)
}

// mulRows computes y with rows of whole blocks of columns: most of them in four streams, the rest in one.
func mulRows[W float32 | uint16](y []float32, w []W, x []float32, four, one func(y *float32, w *W, x *float32, cols, rows int)) {
	cols := len(x)
	w = w[:len(y)*cols]
	each := len(y) / 4
	if each > 0 {
		four(&y[0], &w[0], &x[0], cols, each)
	}
	if done := 4 * each; done < len(y) {
		one(&y[done], &w[done*cols], &x[0], cols, len(y)-done)
	}
}

func mulVecF16(y []float32, w []uint16, x []float32) {
	if !useAVX2 {
		mulVecF16Generic(y, w, x)
		return
	}
	if useAVX512 {
		mulVec16(y, w, x, dotFourF16AVX512, dotOneF16AVX512, widenF16Generic)
		return
	}
	mulVec16(y, w, x, dotFourF16AVX2, dotOneF16AVX2, widenF16Generic)
}

func mulVecBF16(y []float32, w []uint16, x []float32) {
	if !useAVX2 {
		mulVecBF16Generic(y, w, x)
		return
	}
	if useAVX512 {
		mulVec16(y, w, x, dotFourBF16AVX512, dotOneBF16AVX512, widenBF16Generic)
		return
	}
	mulVec16(y, w, x, dotFourBF16AVX2, dotOneBF16AVX2, widenBF16Generic)
}

// mulVecQ8 needs no padded copies: rows of whole Q8_0 blocks are rows of whole blocks of columns.
func mulVecQ8(y []float32, w []byte, x []float32) {
	if !useAVX2 {
		mulVecQ8Generic(y, w, x)
		return
	}
	four, one := dotFourQ8AVX2, dotOneQ8AVX2
	if useAVX512 {
		four, one = dotFourQ8AVX512, dotOneQ8AVX512
	}
	cols, size := len(x), tensor.Q8_0.Bytes(len(x))
	w = w[:len(y)*size]
	each := len(y) / 4
	if each > 0 {
		four(&y[0], &w[0], &x[0], cols, each)
	}
	if done := 4 * each; done < len(y) {
		one(&y[done], &w[done*size], &x[0], cols, len(y)-done)
	}
}

// mulVec16 is mulVecF32 for a type of 16 bits.
func mulVec16(y []float32, w []uint16, x []float32, four, one func(y *float32, w *uint16, x *float32, cols, rows int), widen func([]float32, []uint16)) {
	cols := len(x)
	if cols%asmCols != 0 {
		mulVecPadded(y, x, func(row []float32, r int) { widen(row, w[r*cols:][:cols]) })
		return
	}
	mulRows(y, w, x, four, one)
}

// mulVecPadded computes y for rows whose length is not a multiple of 16, from copies that are.
func mulVecPadded(y, x []float32, copyRow func(row []float32, r int)) {
	cols := roundUp(len(x))
	buf := tile(2 * cols)
	defer tiles.Put(buf)
	clear(*buf)
	v, row := (*buf)[:cols], (*buf)[cols:]
	copy(v, x)
	for r := range y {
		copyRow(row, r)
		dotOneF32AVX2(&y[r], &row[0], &v[0], cols, 1)
	}
}

func roundUp(cols int) int { return (cols + asmCols - 1) / asmCols * asmCols }

func mulTile(y []float32, yStride int, w, x []float32, xStride, cols, rows, tokens int, next []byte) {
	if !useAVX2 {
		mulTileGeneric(y, yStride, w, x, xStride, cols, rows, tokens)
		return
	}
	if cols%asmCols != 0 {
		padded := roundUp(cols)
		wRows, xRows := padRows(w, cols, cols, padded, rows), padRows(x, xStride, cols, padded, tokens)
		defer tiles.Put(wRows)
		defer tiles.Put(xRows)
		w, x, cols, xStride = *wRows, *xRows, padded, padded
	}
	if useAVX512 {
		mulTileWide(y, yStride, w, x, xStride, cols, rows, tokens, next)
		return
	}
	t := 0
	for ; t+tileT <= tokens; t += tileT {
		v := x[t*xStride:][:(tileT-1)*xStride+cols]
		out := y[t*yStride:][:(tileT-1)*yStride+rows]
		r := 0
		for ; r+tileR <= rows; r += tileR {
			block := w[r*cols:][:tileR*cols]
			tile2x3AVX2(&out[r], yStride, &block[0], &v[0], xStride, cols)
		}
		for ; r < rows; r++ {
			row := w[r*cols:][:cols]
			for i := range tileT {
				dotOneF32AVX2(&out[i*yStride+r], &row[0], &v[i*xStride], cols, 1)
			}
		}
	}
	for ; t < tokens; t++ {
		mulVecF32(y[t*yStride:][:rows], w, x[t*xStride:][:cols])
	}
}

// tileWide are the tiles of 4 rows by the number of tokens.
var tileWide = [wideT + 1]func(y *float32, yStride int, w *float32, wStride int, x *float32, xStride int, cols int){
	1: tile4x1AVX512, 2: tile4x2AVX512, 3: tile4x3AVX512, 4: tile4x4AVX512, 5: tile4x5AVX512, 6: tile4x6AVX512,
}

// unsummed is a tile of 6 tokens whose lanes have not been added yet: that is done beside the work on the next tile.
type unsummed struct {
	y       *float32
	yStride int
	lanes   *float32 // nil if there is no such tile
}

func (u *unsummed) sum() {
	if u.lanes != nil {
		sums4x6AVX512(u.y, u.yStride, u.lanes)
		u.lanes = nil
	}
}

// fetcher hands out what is needed soon in portions, one for each tile.
type fetcher struct {
	left    []byte
	portion int // bytes of a tile
	step    int // and of a block of its columns
}

// newFetcher divides next among some tiles with cols columns.
func newFetcher(next []byte, tiles, cols int) fetcher {
	if len(next) == 0 || tiles == 0 || cols <= chainCols {
		return fetcher{left: idle[:]}
	}
	portion := (len(next) + tiles - 1) / tiles
	blocks := (cols - chainCols) / asmCols
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

// mulTileWide is mulTile for rows of whole blocks of columns.
func mulTileWide(y []float32, yStride int, w, x []float32, xStride, cols, rows, tokens int, next []byte) {
	kept := tile(wideR * wideT * lanes) // the lanes of one tile
	defer tiles.Put(kept)
	var before unsummed
	whole := rows &^ (wideR - 1)
	ahead := newFetcher(next, (tokens+wideT-1)/wideT*(whole/wideR), cols)
	for t := 0; t < tokens; t += wideT {
		n := min(wideT, tokens-t)
		// A store to memory that is not at hand holds up all that follow it.
		if after := min(wideT, tokens-t-n); after > 0 {
			prefetchRowsAVX512(&y[(t+n)*yStride], yStride, after)
		}
		out := y[t*yStride:][:(n-1)*yStride+rows]
		v := x[t*xStride:][:(n-1)*xStride+cols]
		for r := 0; r < whole; r += wideR {
			block := w[r*cols:][:wideR*cols]
			if n == wideT && cols >= chainCols {
				lanes4x6AVX512(&(*kept)[0], &block[0], cols, &v[0], xStride, cols, before.y, yStride, before.lanes, ahead.take(), ahead.step)
				before = unsummed{&out[r], yStride, &(*kept)[0]}
				continue
			}
			before.sum()
			tileWide[n](&out[r], yStride, &block[0], cols, &v[0], xStride, cols)
		}
		for r := whole; r < rows; r++ {
			row := w[r*cols:][:cols]
			for i := range n {
				dotOneF32AVX512(&out[i*yStride+r], &row[0], &v[i*xStride], cols, 1)
			}
		}
	}
	before.sum()
}

// fetch hints that v will be needed soon.
func fetch(v []float32) {
	if useAVX512 && len(v) > 0 {
		prefetchAVX512(&v[0], (len(v)*4+cacheLine-1)/cacheLine)
	}
}

// padRows copies rows of cols values, stride apart, to rows of padded values that end in zeros, in a buffer of tiles.
func padRows(src []float32, stride, cols, padded, rows int) *[]float32 {
	dst := tile(rows * padded)
	for r := range rows {
		n := copy((*dst)[r*padded:][:cols], src[r*stride:])
		clear((*dst)[r*padded+n : (r+1)*padded])
	}
	return dst
}

func widenF16(dst []float32, src []uint16) {
	widen16(dst, src, widenF16AVX2, widenF16Generic)
}

func widenBF16(dst []float32, src []uint16) {
	widen16(dst, src, widenBF16AVX2, widenBF16Generic)
}

func widenQ8(dst []float32, src []byte) {
	if !useAVX2 || len(dst) == 0 {
		widenQ8Generic(dst, src)
		return
	}
	widenQ8AVX2(&dst[0], &src[:tensor.Q8_0.Bytes(len(dst))][0], len(dst))
}

// widen16 converts whole blocks by assembly and the rest in Go.
func widen16(dst []float32, src []uint16, asm func(dst *float32, src *uint16, n int), generic func([]float32, []uint16)) {
	dst = dst[:len(src)]
	whole := len(src) &^ (asmCols - 1)
	if !useAVX2 {
		whole = 0
	}
	if whole > 0 {
		asm(&dst[0], &src[0], whole)
	}
	generic(dst[whole:], src[whole:])
}
