package scheme

import (
	"encoding/binary"
	"math"
	"slices"
	"sync"

	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/tensor"
)

// most is how many codes are unpacked at a time.
const most = 256

// room is what widening needs beside its result. It is kept from one piece of work to the next.
type room struct {
	scales, zeros     [kernel.MostGroups]float32 // of as many codes as are widened at a time
	streams           [tileRows * tileBytes]byte
	scalesOf, zerosOf []float32 // of all groups of a row
}

var rooms = sync.Pool{New: func() any { return new(room) }}

func newRoom() *room { return rooms.Get().(*room) }

func (r *room) free() { rooms.Put(r) }

// runs calls do for the parts of dst, which begins with element first of rows of cols elements: each part lies in one group of
// one row, begins at column col and has at most as many elements as are unpacked at a time.
func runs(dst []float32, first, cols, group int, do func(dst []float32, row, col int)) {
	for len(dst) > 0 {
		row, col := first/cols, first%cols
		n := min(len(dst), most, group-col%group, cols-col)
		do(dst[:n], row, col)
		dst, first = dst[n:], first+n
	}
}

// unpack sets dst to the codes from number first on, of up to 8 bits each, of which src is a stream, low bits first.
func unpack(dst, src []byte, first, bits int) {
	switch bits {
	case 8:
		copy(dst, src[first:])
	case 4:
		for len(dst) > 0 && first%2 != 0 {
			dst[0] = src[first/2] >> 4
			dst, first = dst[1:], first+1
		}
		src = src[first/2:]
		for len(dst) >= 2 {
			dst[0], dst[1] = src[0]&15, src[0]>>4
			dst, src = dst[2:], src[1:]
		}
		if len(dst) > 0 {
			dst[0] = src[0] & 15
		}
	default:
		for i := range dst {
			dst[i] = byte(code(src, first+i, bits))
		}
	}
}

// allGroups makes room for the scales and zero points of so many groups.
func (r *room) allGroups(n int) (scales, zeros []float32) {
	r.scalesOf, r.zerosOf = slices.Grow(r.scalesOf[:0], n)[:n], slices.Grow(r.zerosOf[:0], n)[:n]
	return r.scalesOf, r.zerosOf
}

// byIndex sets dst to the elements from number first on of a stream of integers, each of the group that index says: of those that
// there was made room for.
func (r *room) byIndex(dst []float32, kind *kernel.Codes, src []byte, first int, index []byte) {
	r.scales[0] = 1
	kind.Widen(dst, src, first, kernel.Groups{Size: len(dst), Scales: r.scales[:1]})
	for i, code := range dst {
		g := binary.LittleEndian.Uint32(index[4*i:])
		dst[i] = (code - r.zerosOf[g]) * r.scalesOf[g]
	}
}

// code returns code number i of a stream of codes, of up to 8 bits each, low bits first.
func code(src []byte, i, bits int) uint32 {
	at := i * bits
	v := uint32(src[at/8])
	if at/8+1 < len(src) {
		v |= uint32(src[at/8+1]) << 8
	}
	return v >> (at % 8) & (1<<bits - 1)
}

// column returns code number i of column c of a matrix of 32-bit words [rows, cols]: the codes of a column are a stream over its
// words, low bits first.
func column(words []byte, cols, c, i, bits int) uint32 {
	at := i * bits
	word := func(r int) uint64 { return uint64(binary.LittleEndian.Uint32(words[4*(r*cols+c):])) }
	v := word(at/32) >> (at % 32)
	if at%32+bits > 32 {
		v |= word(at/32+1) << (32 - at%32)
	}
	return uint32(v) & (1<<bits - 1)
}

// numbers are scales and the like, in the dtype that they are stored in.
type numbers struct {
	dtype tensor.DType
	data  []byte
}

// at returns number i, exactly. U8 stands for F8_E8M0, the exponent of a power of two.
func (n numbers) at(i int) float32 {
	switch n.dtype {
	case tensor.F32:
		return math.Float32frombits(binary.LittleEndian.Uint32(n.data[4*i:]))
	case tensor.BF16:
		return tensor.BF16ToF32(binary.LittleEndian.Uint16(n.data[2*i:]))
	case tensor.F16:
		return tensor.F16ToF32(binary.LittleEndian.Uint16(n.data[2*i:]))
	case tensor.F8_E4M3:
		return e4m3[n.data[i]]
	case tensor.I8:
		return int8s[n.data[i]]
	case tensor.U8, tensor.F8_E8M0:
		return powers[n.data[i]]
	}
	panic("scheme: numbers of dtype " + n.dtype.String())
}

// fill sets dst to the numbers from number first on.
func (n numbers) fill(dst []float32, first int) {
	if n.dtype.Float() {
		kernel.Widen(dst, n.dtype, n.data[n.dtype.Bytes(first):n.dtype.Bytes(first+len(dst))])
		return
	}
	table := &powers
	switch n.dtype {
	case tensor.F8_E4M3:
		table = &e4m3
	case tensor.I8:
		table = &int8s
	}
	lookUpBytes(dst, table, n.data[first:])
}

// lookUpBytes sets dst to the values of bytes.
func lookUpBytes(dst []float32, values *[256]float32, bytes []byte) {
	for i, b := range bytes[:len(dst)] {
		dst[i] = values[b]
	}
}

// e4m3 are the values of the 8-bit floats with 4 bits of exponent that have no infinity: 0x7f and 0xff are NaN.
var e4m3 = tableOf(kernel.E4M3.Value)

// e5m2 are the values of the 8-bit floats with 5 bits of exponent, the upper halves of F16.
var e5m2 = tableOf(func(b byte) float32 { return tensor.F16ToF32(uint16(b) << 8) })

// int8s are the values of signed bytes.
var int8s = func() (values [256]float32) {
	for b := range values {
		values[b] = float32(int8(b))
	}
	return values
}()

// powers are 2^(b-127); 255 is NaN.
var powers = tableOf(func(b byte) float32 {
	if b == 255 {
		return float32(math.NaN())
	}
	return float32(math.Ldexp(1, int(b)-127))
})

func tableOf(value func(b byte) float32) (values [256]float32) {
	for b := range values {
		values[b] = value(byte(b))
	}
	return values
}

// e2m1 are the values of 4-bit floats. Code 8 is -0 here; negative zero does not exist in GGUF and in ModelOpt.
var e2m1 = [16]float32{0, .5, 1, 1.5, 2, 3, 4, 6, float32(math.Copysign(0, -1)), -.5, -1, -1.5, -2, -3, -4, -6}
