//go:build !purego

package kernel

const (
	asmCols = 16 // the assembly takes whole blocks of columns
	tileR   = 2  // rows and
	tileT   = 3  // tokens of tile2x3
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
	mulVec16(y, w, x, dotFourF16AVX2, dotOneF16AVX2, widenF16Generic)
}

func mulVecBF16(y []float32, w []uint16, x []float32) {
	if !useAVX2 {
		mulVecBF16Generic(y, w, x)
		return
	}
	mulVec16(y, w, x, dotFourBF16AVX2, dotOneBF16AVX2, widenBF16Generic)
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

func mulTile(y []float32, yStride int, w, x []float32, xStride, cols, rows, tokens int) {
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
