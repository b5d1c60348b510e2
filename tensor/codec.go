package tensor

import (
	"encoding/binary"
	"fmt"
)

// codec is all that is known of a dtype. To add one: a file with its codec, its constant and its line in dtypes.
type codec struct {
	name         string // as safetensors spells it, or ggml, or for what only PyTorch has a name in the same style
	elems, bytes int    // of a block; a plain dtype has blocks of one element
	kind         kind
	torch        string // PyTorch's name, which config.json uses too; "": it has none
	ggml         int    // number of the type in GGUF files (enum ggml_type); notInGGML: it has none

	// For weights, which are floats or blocks of them; nil for all else. dst and src have the same number of elements.
	widen32 func(dst []float32, src []byte) // exact, but for F64
	widen64 func(dst []float64, src []byte) // exact
	narrow  func(dst []byte, src []float32) // to the nearest; nil for blocks, which package quantize encodes

	largest  float64 // finite magnitude that it holds; 0: any of float32
	overflow float64 // the first magnitude that does not become finite; 0: no finite float32 is checked
}

// notInGGML is the number of a type that GGUF files cannot hold.
const notInGGML = -1

// Narrows reports whether NarrowF32 can encode to d, which it can for plain floats.
func (d DType) Narrows() bool { return d.Float() && dtypes[d].narrow != nil }

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
// All dtypes are exact (a signalling F16 NaN becomes quiet) but F64, which rounds to nearest, ties to even.
// It panics when dt is not a float or src does not hold exactly len(dst) elements.
func WidenF32(dst []float32, dt DType, src []byte) {
	checkConvert("WidenF32", len(dst), dt, len(src))
	dtypes[dt].widen32(dst, src)
}

// WidenF64 decodes the little-endian float elements of src into dst; every dtype is exact.
// It panics when dt is not a float or src does not hold exactly len(dst) elements.
func WidenF64(dst []float64, dt DType, src []byte) {
	checkConvert("WidenF64", len(dst), dt, len(src))
	dtypes[dt].widen64(dst, src)
}

// NarrowF32 encodes src as little-endian elements of dt into dst.
// F64 and F32 are exact; F16 and BF16 round to nearest, ties to even, overflowing to infinity.
// It panics when dt does not Narrow or dst does not hold exactly len(src) elements.
func NarrowF32(dst []byte, dt DType, src []float32) {
	checkConvert("NarrowF32", len(src), dt, len(dst))
	if !dt.Narrows() {
		panic(fmt.Sprintf("tensor: NarrowF32 to %s, which is not a plain float", dt))
	}
	dtypes[dt].narrow(dst, src)
}

// half returns the F16 that src begins with.
func half(src []byte) float32 { return F16ToF32(binary.LittleEndian.Uint16(src)) }

// scaled returns q*d, rounded to float32 before anything is added to it. It is exact for the codes and scales of blocks.
func scaled[Q byte | int8](q Q, d float32) float32 { return float32(float32(q) * d) }
