package kernel

import (
	"math"

	"github.com/gomamba/gomamba/tensor"
)

// Codes are weights whose codes lie apart from their scales: a stream of codes of the same number of bits, of which consecutive ones
// share what they are multiplied with. An element is (value - zero)·scale + bias, where value is what its code stands for; each
// step is rounded to float32.
type Codes struct {
	bits   int
	kind   codeKind
	table  *[256]float32 // what a code of a byte stands for; nil: of a code of fewer bits, or of an unsigned byte
	layout codeLayout
}

type codeKind uint8

const (
	levelCodes       codeKind = iota // up to 4 bits, any values
	affineLevelCodes                 // the same with zeros and biases, for leaves
	integerCodes                     // unsigned integers
	int8Codes                        // signed bytes
	affineInt8Codes                  // the same with zeros and biases, for leaves
	e4m3Codes                        // 8-bit floats
	codeKinds
)

// codeLayout says where 16 codes are in the bytes that hold them, and what they stand for. Assembly reads it.
type codeLayout struct {
	shuffle [64]byte    // for each code as a word of 32 bits: the bytes that it has bits in, or 0x80
	shifts  [16]uint32  // how far above the lowest bit of the word it begins
	levels  [16]float32 // what the low four bits of a word stand for
	step    int         // bytes of 16 codes
	mask    uint32      // of a code
}

// Integers are codes of 1 to 8 bits that stand for themselves, low bits first.
func Integers(bits int) *Codes {
	c := &Codes{bits: bits, kind: integerCodes}
	if bits <= 4 {
		c.kind = levelCodes
	}
	c.lay(func(i int) int { return i * bits }, func(q int) float32 { return float32(q) })
	return c
}

// Levels are codes of four bits that stand for any 16 values, the first code of a byte in its low bits, or in the high ones.
func Levels(values *[16]float32, highFirst bool) *Codes {
	c := &Codes{bits: 4, kind: levelCodes}
	at := func(i int) int { return 4 * i }
	if highFirst {
		at = func(i int) int { return 4 * (i ^ 1) }
	}
	c.lay(at, func(q int) float32 { return values[q] })
	return c
}

// lay fills in the layout: bit at(i) is the lowest one of code i.
func (c *Codes) lay(at func(i int) int, value func(q int) float32) {
	l := &c.layout
	l.step, l.mask = 2*c.bits, 1<<c.bits-1
	for i := range l.shifts {
		first, last := at(i)/8, (at(i)+c.bits-1)/8
		l.shifts[i] = uint32(at(i) % 8)
		copy(l.shuffle[4*i:], []byte{byte(first), 0x80, 0x80, 0x80})
		if last > first {
			l.shuffle[4*i+1] = byte(last)
		}
	}
	for i := range l.levels { // bits above a code are not its own
		l.levels[i] = value(i & int(l.mask))
	}
}

// byteCodes are codes of a byte.
func byteCodes(kind codeKind, value func(b byte) float32) *Codes {
	c := &Codes{bits: 8, kind: kind, table: new([256]float32)}
	for i := range c.table {
		c.table[i] = value(byte(i))
	}
	c.layout.step = 16
	return c
}

// Int8 are signed bytes. E4M3 are floats with 4 bits of exponent and 3 of fraction that have no infinity: 0x7f and 0xff are NaN.
// Those of E4M3 do not have zeros or biases.
var (
	Int8 = byteCodes(int8Codes, func(b byte) float32 { return float32(int8(b)) })
	E4M3 = byteCodes(e4m3Codes, e4m3)
)

// e4m3 returns the value of a code, of which without its sign the float16 of the same bits is 2^-8.
func e4m3(b byte) float32 {
	v := tensor.F16ToF32(uint16(b&0x7f)<<7) * 256
	if b&0x7f == 0x7f {
		v = float32(math.NaN())
	}
	return float32(math.Copysign(float64(v), float64(int8(b))))
}

// Value returns what a code stands for.
func (c *Codes) Value(code byte) float32 {
	switch {
	case c.table != nil:
		return c.table[code]
	case c.kind == levelCodes:
		return c.layout.levels[code&15]
	}
	return float32(code)
}

// Groups are what consecutive codes share, Size of them each. The first group begins Within elements before the first one that is
// widened. Zeros and Biases may be nil: there are none.
type Groups struct {
	Size, Within          int
	Scales, Zeros, Biases []float32
}

// MostGroups is in how many groups elements that are widened at once may lie, if there are no zeros or no biases.
const MostGroups = 257

// Without zeros or biases, 0 is subtracted and -0 added, which change nothing.
var (
	noZeros  [MostGroups]float32
	noBiases = func() (v [MostGroups]float32) {
		for i := range v {
			v[i] = float32(math.Copysign(0, -1))
		}
		return v
	}()
)

// Widen sets dst to the elements from number first on of the stream src.
func (c *Codes) Widen(dst []float32, src []byte, first int, g Groups) {
	run := c.leaf(g.Scales, g.Zeros != nil || g.Biases != nil)
	if g.Zeros == nil {
		g.Zeros = noZeros[:]
	}
	if g.Biases == nil {
		g.Biases = noBiases[:]
	}
	for len(dst) > 0 {
		// A leaf takes many groups if they begin where its lanes do, and what lies in one group otherwise.
		n, group, head := len(dst), g.Size, 0
		if g.Within != 0 || g.Size%lanes != 0 || first*c.bits%8 != 0 {
			n = min(n, g.Size-g.Within)
			group = roundUp(n)
		}
		for head < n && (first+head)*c.bits%8 != 0 {
			head++
		}
		c.plain(dst[:head], src, first, g)
		done := head + c.most(run.widen, dst[head:n], src[(first+head)*c.bits/8:], group, &g)
		c.plain(dst[done:n], src, first+done, g.after(done))
		dst, first, g = dst[n:], first+n, g.after(n)
	}
}

// after returns the groups n elements further on.
func (g Groups) after(n int) Groups {
	n += g.Within
	moved := n / g.Size
	return Groups{g.Size, n % g.Size, g.Scales[moved:], g.Zeros[moved:], g.Biases[moved:]}
}

// most widens as many elements as a leaf takes, from the beginning of a byte on, and returns how many.
func (c *Codes) most(widen widenCodes, dst []float32, src []byte, group int, g *Groups) int {
	if widen == nil || len(src) < codeBytes {
		return 0
	}
	n := min(whole(len(dst)), ((len(src)-codeBytes)/c.layout.step+1)*lanes)
	if n > 0 {
		last := (n - 1) / group
		_, _, _ = g.Scales[last], g.Zeros[last], g.Biases[last]
		widen(&dst[0], &src[0], &c.layout.shuffle[0], &g.Scales[0], &g.Zeros[0], &g.Biases[0], n, group)
	}
	return n
}

// codeBytes is how many bytes leaves load for 16 codes, whatever these need.
const codeBytes = 16

// codeLeaf is what an instruction set does with codes of a kind: widen n of them, as plainGroup does, and multiply codeRows rows of
// n with x, as dotGeneric does of what they are widened to. A group has as many codes as group says, a multiple of lanes, the last
// one perhaps fewer. l is a codeLayout. Rows begin rowBytes apart, and what their groups are widened with perRow values. Those
// of a kind without zeros and biases do not read these. nil: plain Go does, and there is no product.
type codeLeaf struct {
	widen widenCodes
	dot   func(y *float32, yStride int, src *byte, rowBytes int, l *byte, x, scales, zeros, biases *float32, perRow, n, group int)
}

type widenCodes func(dst *float32, src, l *byte, scales, zeros, biases *float32, n, group int)

// leaf returns the leaf for codes with some scales. Those of E4M3 multiply scales by 2^8, which must stay finite.
func (c *Codes) leaf(scales []float32, affine bool) codeLeaf {
	switch {
	case c.kind == levelCodes && affine:
		return cpu.codes[affineLevelCodes]
	case c.kind == int8Codes && affine:
		return cpu.codes[affineInt8Codes]
	case c.kind == e4m3Codes && !(MaxAbs(scales) < 0x1p119):
		return codeLeaf{}
	}
	return cpu.codes[c.kind]
}

// plain is Widen in plain Go, the specification of leaves.
func (c *Codes) plain(dst []float32, src []byte, first int, g Groups) {
	for len(dst) > 0 {
		n := min(len(dst), g.Size-g.Within)
		c.plainGroup(dst[:n], src, first, g.Scales[0], g.Zeros[0], g.Biases[0])
		dst, first, g = dst[n:], first+n, g.after(n)
	}
}

// plainGroup is Widen of elements that lie in one group.
func (c *Codes) plainGroup(dst []float32, src []byte, first int, scale, zero, bias float32) {
	switch c.kind {
	case int8Codes:
		for i, q := range src[first:][:len(dst)] {
			dst[i] = float32((c.table[q]-zero)*scale) + bias
		}
	case e4m3Codes:
		for i, q := range src[first:][:len(dst)] {
			dst[i] = c.table[q] * scale
		}
	case levelCodes:
		var t [16]float32
		for q, v := range c.layout.levels {
			t[q] = float32((v-zero)*scale) + bias
		}
		if c.bits == 4 {
			even, odd := c.layout.shifts[0], c.layout.shifts[1]
			for i := range dst {
				shift := even
				if (first+i)%2 != 0 {
					shift = odd
				}
				dst[i] = t[src[(first+i)/2]>>shift&15]
			}
			return
		}
		for i := range dst {
			dst[i] = t[code(src, first+i, c.bits)&15]
		}
	default:
		for i := range dst {
			dst[i] = float32((float32(code(src, first+i, c.bits))-zero)*scale) + bias
		}
	}
}

// code returns code number i of a stream of codes, of up to 8 bits each, low bits first.
func code(src []byte, i, bits int) uint32 {
	at := i * bits
	v := uint32(src[at/8])
	if at%8+bits > 8 {
		v |= uint32(src[at/8+1]) << 8
	}
	return v >> (at % 8) & (1<<bits - 1)
}

// Times multiplies v by s.
func Times(v []float32, s float32) {
	n := whole(len(v))
	if n > 0 {
		cpu.times(&v[0], s, n)
	}
	timesGeneric(v[n:], s)
}

func timesGeneric(v []float32, s float32) {
	for i := range v {
		v[i] *= s
	}
}
