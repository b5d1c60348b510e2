package tensor

import (
	"encoding/binary"
	"math"
)

// f64 is IEEE 754 double precision. It is the one dtype that float32 does not hold exactly.
var f64 = codec{
	name: "F64", elems: 1, bytes: 8, kind: floatKind, torch: "float64", ggml: 28,
	widen32: func(dst []float32, src []byte) {
		for i := range dst {
			dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:])))
		}
	},
	widen64: func(dst []float64, src []byte) {
		if littleEndian {
			copy(raw(dst), src)
			return
		}
		for i := range dst {
			dst[i] = math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:]))
		}
	},
	narrow: func(dst []byte, src []float32) {
		for i, x := range src {
			binary.LittleEndian.PutUint64(dst[8*i:], math.Float64bits(float64(x)))
		}
	},
}
