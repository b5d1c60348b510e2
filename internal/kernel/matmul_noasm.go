//go:build !amd64 || purego

package kernel

func mulTile(y []float32, yStride int, w, x []float32, xStride, cols, rows, tokens int, _ []byte) {
	mulTileGeneric(y, yStride, w, x, xStride, cols, rows, tokens)
}
func mulVecF32(y, w, x []float32)                     { mulVecF32Generic(y, w, x) }
func mulVecF16(y []float32, w []uint16, x []float32)  { mulVecF16Generic(y, w, x) }
func mulVecBF16(y []float32, w []uint16, x []float32) { mulVecBF16Generic(y, w, x) }
func widenF16(dst []float32, src []uint16)            { widenF16Generic(dst, src) }
func widenBF16(dst []float32, src []uint16)           { widenBF16Generic(dst, src) }
func mulVecQ8(y []float32, w []byte, x []float32)     { mulVecQ8Generic(y, w, x) }
func widenQ8(dst []float32, src []byte)               { widenQ8Generic(dst, src) }
