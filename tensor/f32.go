package tensor

import (
	"encoding/binary"
	"math"
)

// f32 is IEEE 754 single precision, which computation runs in.
var f32 = codec{
	name: "F32", elems: 1, bytes: 4, kind: floatKind, torch: "float32", ggml: 0,
	widen32: func(dst []float32, src []byte) {
		if littleEndian {
			copy(raw(dst), src)
			return
		}
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		}
	},
	widen64: func(dst []float64, src []byte) {
		for i := range dst {
			dst[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:])))
		}
	},
	narrow: func(dst []byte, src []float32) {
		if littleEndian {
			copy(dst, raw(src))
			return
		}
		for i, x := range src {
			binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(x))
		}
	},
}
