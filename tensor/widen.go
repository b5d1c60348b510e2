package tensor

import (
	"encoding/binary"
	"fmt"
	"math"
)

// checkConvert panics unless count elements of dt take exactly size bytes and dt is a float.
func checkConvert(fn string, count int, dt DType, size int) {
	if !dt.Float() {
		panic(fmt.Sprintf("tensor: %s of %s, which is not a float type", fn, dt))
	}
	if block, bytes := dt.Block(); count%block != 0 || size != count/block*bytes {
		panic(fmt.Sprintf("tensor: %s between %d elements and %d bytes of %s", fn, count, size, dt))
	}
}

// WidenF32 decodes the little-endian float elements of src into dst.
// F32, F16, BF16 and Q8_0 are exact (a signalling F16 NaN becomes quiet); F64 rounds to nearest, ties to even.
// It panics when dt is not a float or src does not hold exactly len(dst) elements.
func WidenF32(dst []float32, dt DType, src []byte) {
	checkConvert("WidenF32", len(dst), dt, len(src))
	switch dt {
	case F32:
		if littleEndian {
			copy(raw(dst), src)
			return
		}
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		}
	case F16:
		widenF16(dst, src)
	case BF16:
		widenBF16(dst, src)
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:])))
		}
	case Q8_0:
		dequantizeQ8(dst, src)
	}
}

// widenBF16 decodes len(dst) elements, four to a load.
func widenBF16(dst []float32, src []byte) {
	for len(dst) >= 4 && len(src) >= 8 {
		u := binary.LittleEndian.Uint64(src)
		dst[0] = math.Float32frombits(uint32(u) << 16)
		dst[1] = math.Float32frombits(uint32(u) & 0xffff0000)
		dst[2] = math.Float32frombits(uint32(u>>16) & 0xffff0000)
		dst[3] = math.Float32frombits(uint32(u>>32) & 0xffff0000)
		dst, src = dst[4:], src[8:]
	}
	for i := range dst {
		dst[i] = BF16ToF32(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

// widenF16 decodes len(dst) elements, four to a load.
func widenF16(dst []float32, src []byte) {
	for len(dst) >= 4 && len(src) >= 8 {
		u := binary.LittleEndian.Uint64(src)
		dst[0] = F16ToF32(uint16(u))
		dst[1] = F16ToF32(uint16(u >> 16))
		dst[2] = F16ToF32(uint16(u >> 32))
		dst[3] = F16ToF32(uint16(u >> 48))
		dst, src = dst[4:], src[8:]
	}
	for i := range dst {
		dst[i] = F16ToF32(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

// WidenF64 decodes the little-endian float elements of src into dst; every dtype is exact.
// It panics when dt is not a float or src does not hold exactly len(dst) elements.
func WidenF64(dst []float64, dt DType, src []byte) {
	checkConvert("WidenF64", len(dst), dt, len(src))
	switch dt {
	case F64:
		if littleEndian {
			copy(raw(dst), src)
			return
		}
		for i := range dst {
			dst[i] = math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:]))
		}
	case F32:
		for i := range dst {
			dst[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:])))
		}
	case F16:
		for i := range dst {
			dst[i] = float64(F16ToF32(binary.LittleEndian.Uint16(src[2*i:])))
		}
	case BF16:
		for i := range dst {
			dst[i] = float64(BF16ToF32(binary.LittleEndian.Uint16(src[2*i:])))
		}
	case Q8_0:
		dequantizeQ8(dst, src)
	}
}

// NarrowF32 encodes src as little-endian elements of dt into dst.
// F64 and F32 are exact; F16 and BF16 round to nearest, ties to even, overflowing to infinity; Q8_0 is quantized as
// QuantizeQ8_0 does.
// It panics when dt is not a float or dst does not hold exactly len(src) elements.
func NarrowF32(dst []byte, dt DType, src []float32) {
	checkConvert("NarrowF32", len(src), dt, len(dst))
	switch dt {
	case F32:
		if littleEndian {
			copy(dst, raw(src))
			return
		}
		for i, x := range src {
			binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(x))
		}
	case F16:
		for i, x := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], F32ToF16(x))
		}
	case BF16:
		for i, x := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], F32ToBF16(x))
		}
	case F64:
		for i, x := range src {
			binary.LittleEndian.PutUint64(dst[8*i:], math.Float64bits(float64(x)))
		}
	case Q8_0:
		QuantizeQ8_0(dst, src)
	}
}
