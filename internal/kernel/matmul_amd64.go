//go:build !purego

package kernel

import "github.com/gomamba/gomamba/internal/tensor"

const (
	asmCols = 16 // the assembly takes whole blocks of columns
	tileR   = 2  // rows and
	tileT   = 3  // tokens of tile2x3
	wideR   = 4  // rows and
	wideT   = 6  // tokens of tile4x6

	// wideCols is the most columns that the wide tiles take at a time: 6 tokens of these, used again for every 4 rows, take
	// little of a second-level cache, which is as fast as they are read. They need not stay in one of the first level:
	// to put lanes away and to take them up again costs more.
	wideCols = 8192

	// chainCols is the fewest columns for which the sums of one tile go on beside the multiply-adds of the next.
	chainCols = 368

	// Of a tile's columns, whether they are the first and whether they are the last.
	tileBegins = 1
	tileEnds   = 2
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
var tileWide = [wideT + 1]func(y *float32, yStride int, w *float32, wStride int, x *float32, xStride int, cols int, acc *float32, ends int){
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

// mulTileWide is mulTile for rows of whole blocks of columns.
func mulTileWide(y []float32, yStride int, w, x []float32, xStride, cols, rows, tokens int, next []byte) {
	parts := (cols + wideCols - 1) / wideCols
	kept := tile(tileRows * wideT * lanes) // from one part to the next, or from one tile to the next
	defer tiles.Put(kept)
	apart := 0 // in kept: the less memory is used, the more of x stays in a first-level cache
	if parts > 1 {
		apart = wideT * lanes
	}
	part := roundUp((cols + parts - 1) / parts)
	ahead := (len(next)/cacheLine*wideT + tokens - 1) / tokens * cacheLine // for each group of tokens
	var before unsummed
	for t := 0; t < tokens; t += wideT {
		if n := min(ahead, len(next)); n >= cacheLine {
			prefetchBytesAVX512(&next[0], n/cacheLine)
			next = next[n:]
		}
		n := min(wideT, tokens-t)
		out := y[t*yStride:][:(n-1)*yStride+rows]
		whole := rows &^ (wideR - 1)
		for from := 0; from < cols; from += part {
			to, ends := min(from+part, cols), 0
			if from == 0 {
				ends = tileBegins
			}
			if to == cols {
				ends |= tileEnds
			}
			v := x[t*xStride+from:][:(n-1)*xStride+to-from]
			for r := 0; r < whole; r += wideR {
				block := w[r*cols+from:][:(wideR-1)*cols+to-from]
				sums := &(*kept)[r*apart]
				if n == wideT && to-from >= chainCols {
					lanes4x6AVX512(sums, &block[0], cols, &v[0], xStride, to-from, ends, before.y, yStride, before.lanes)
					before.lanes = nil
					if ends&tileEnds != 0 {
						before = unsummed{&out[r], yStride, sums}
					}
					continue
				}
				before.sum()
				if n == wideT {
					tile4x6AVX512(&out[r], yStride, &block[0], cols, &v[0], xStride, to-from, sums, ends)
				} else {
					tileWide[n](&out[r], yStride, &block[0], cols, &v[0], xStride, to-from, sums, ends)
				}
			}
		}
		for r := whole; r < rows; r++ {
			row := w[r*cols:][:cols]
			for i := range n {
				dotOneF32AVX512(&out[i*yStride+r], &row[0], &x[(t+i)*xStride], cols, 1)
			}
		}
	}
	before.sum()
}

// fetch hints that v will be needed soon.
func fetch(v []float32) {
	if useAVX512 && len(v) > 0 {
		prefetchValuesAVX512(&v[0], (len(v)*4+cacheLine-1)/cacheLine)
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
