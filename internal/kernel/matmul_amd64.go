//go:build !purego

package kernel

const (
	asmCols = 16 // the assembly takes whole blocks of columns
	asmRows = 4  // rows of dot4
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
	r := 0
	for ; r+asmRows <= len(y); r += asmRows {
		block := w[r*cols:][:asmRows*cols]
		dot4F32AVX2(&y[r], &block[0], &x[0], cols)
	}
	for ; r < len(y); r++ {
		row := w[r*cols:][:cols]
		dot1F32AVX2(&y[r], &row[0], &x[0], cols)
	}
}

func mulVecF16(y []float32, w []uint16, x []float32) {
	if !useAVX2 {
		mulVecF16Generic(y, w, x)
		return
	}
	mulVec16(y, w, x, dot4F16AVX2, dot1F16AVX2, widenF16Generic)
}

func mulVecBF16(y []float32, w []uint16, x []float32) {
	if !useAVX2 {
		mulVecBF16Generic(y, w, x)
		return
	}
	mulVec16(y, w, x, dot4BF16AVX2, dot1BF16AVX2, widenBF16Generic)
}

// mulVec16 is mulVecF32 for a type of 16 bits.
func mulVec16(y []float32, w []uint16, x []float32, dot4, dot1 func(y *float32, w *uint16, x *float32, cols int), widen func([]float32, []uint16)) {
	cols := len(x)
	if cols%asmCols != 0 {
		mulVecPadded(y, x, func(row []float32, r int) { widen(row, w[r*cols:][:cols]) })
		return
	}
	r := 0
	for ; r+asmRows <= len(y); r += asmRows {
		block := w[r*cols:][:asmRows*cols]
		dot4(&y[r], &block[0], &x[0], cols)
	}
	for ; r < len(y); r++ {
		row := w[r*cols:][:cols]
		dot1(&y[r], &row[0], &x[0], cols)
	}
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
		dot1F32AVX2(&y[r], &row[0], &v[0], cols)
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
				dot1F32AVX2(&out[i*yStride+r], &row[0], &v[i*xStride], cols)
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
