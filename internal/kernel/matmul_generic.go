package kernel

import "github.com/gomamba/gomamba/internal/tensor"

// mulTileGeneric sets y[t·yStride + r] to the dot product of row r of w [rows, cols] with x[t·xStride:][:cols].
func mulTileGeneric(y []float32, yStride int, w, x []float32, xStride, cols, rows, tokens int) {
	for t := range tokens {
		v := x[t*xStride:][:cols]
		for r := range rows {
			y[t*yStride+r] = dotGeneric(w[r*cols:][:cols], v)
		}
	}
}

// mulVecF32Generic sets y[r] to the dot product of row r of w [len(y), len(x)] with x.
func mulVecF32Generic(y, w, x []float32) {
	for r := range y {
		y[r] = dotGeneric(w[r*len(x):][:len(x)], x)
	}
}

// mulVecF16Generic is mulVecF32Generic for rows stored as float16.
func mulVecF16Generic(y []float32, w []uint16, x []float32) {
	row := make([]float32, len(x))
	for r := range y {
		widenF16Generic(row, w[r*len(x):][:len(x)])
		y[r] = dotGeneric(row, x)
	}
}

// mulVecBF16Generic is mulVecF32Generic for rows stored as bfloat16.
func mulVecBF16Generic(y []float32, w []uint16, x []float32) {
	row := make([]float32, len(x))
	for r := range y {
		widenBF16Generic(row, w[r*len(x):][:len(x)])
		y[r] = dotGeneric(row, x)
	}
}

// mulVecQ8Generic is mulVecF32Generic for rows of Q8_0 blocks; len(x) is a multiple of 32.
func mulVecQ8Generic(y []float32, w []byte, x []float32) {
	row := make([]float32, len(x))
	size := tensor.Q8_0.Bytes(len(x))
	for r := range y {
		widenQ8Generic(row, w[r*size:][:size])
		y[r] = dotGeneric(row, x)
	}
}

// widenF16Generic sets dst to the values of the float16 bits in src, exactly.
func widenF16Generic(dst []float32, src []uint16) {
	for i, b := range src {
		dst[i] = tensor.F16ToF32(b)
	}
}

// widenBF16Generic sets dst to the values of the bfloat16 bits in src, exactly.
func widenBF16Generic(dst []float32, src []uint16) {
	for i, b := range src {
		dst[i] = tensor.BF16ToF32(b)
	}
}

// widenQ8Generic sets dst to the elements of the Q8_0 blocks in src, exactly.
func widenQ8Generic(dst []float32, src []byte) { tensor.WidenF32(dst, tensor.Q8_0, src) }
