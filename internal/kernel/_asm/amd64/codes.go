package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Codes whose scales lie apart from them: functions that widen consecutive codes, and that multiply rows of them with a vector, for
// each kind of package kernel.

// What a codeLayout of package kernel has, by offset.
const (
	layoutShuffle = 0
	layoutShifts  = 64
	layoutLevels  = 128
	layoutStep    = 192
	layoutMask    = 200
)

// codeKind is how codes of one kind are widened.
type codeKind struct {
	name, doc string
	// begin emits what is done once, and returns the bytes of 16 codes and what makes a group ready.
	begin func(u *unpacker, layout Register) (step Op, group func(scale, zero, bias Mem) codeValues)
}

// codeValues emits the float32 values of the 16 codes that src points to.
type codeValues func(src Mem) []VecVirtual

var codeKinds = []codeKind{levelCodes, affineLevelCodes, integerCodes, int8Codes, affineInt8Codes, e4m3Codes}

// codes generates the functions of all kinds.
func codes(isa string, wide bool) {
	elems := map[bool]int{false: 4, true: 8}[wide]
	u := &unpacker{constants: namedConstants("codes"+isa, isa, elems), wide: wide}
	for _, k := range codeKinds {
		widenCodes(u, k)
		dotCodes(u, k)
	}
	times(u)
	byColumns(u)
}

func widenCodes(u *unpacker, k codeKind) {
	name := "widen" + k.name + u.isa
	TEXT(name, NOSPLIT, "func(dst *float32, src, l *byte, scales, zeros, biases *float32, n, group int)")
	Doc(name+" is plainGroup of n codes "+k.doc+", in groups of as many as group says.", "n and group are positive multiples of 16.")
	Pragma("noescape")
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	scales, zeros, biases := Load(Param("scales"), GP64()), Load(Param("zeros"), GP64()), Load(Param("biases"), GP64())
	n := Load(Param("n"), GP64())
	step, prepare := k.begin(u, Load(Param("l"), GP64()))

	left := eachGroup(n)
	values := prepare(Mem{Base: scales}, Mem{Base: zeros}, Mem{Base: biases})
	for _, p := range []Register{scales, zeros, biases} {
		ADDQ(U8(4), p)
	}
	Label("codes")
	PREFETCHT0(Mem{Base: src, Disp: ahead})
	for half, v := range values(Mem{Base: src}) {
		VMOVUPS(v, Mem{Base: dst, Disp: 32 * half})
	}
	ADDQ(step, src)
	ADDQ(U8(64), dst)
	SUBQ(U8(16), left)
	JNZ(LabelRef("codes"))
	TESTQ(n, n)
	JNZ(LabelRef("group"))
	VZEROUPPER()
	RET()
}

// eachGroup begins a loop over groups, of n codes together, and returns how many the current one has.
func eachGroup(n Register) Register {
	Label("group")
	left := Load(Param("group"), GP64())
	CMPQ(left, n)
	CMOVQGT(n, left)
	SUBQ(left, n)
	return left
}

// dotCodes generates the product of rows, four with AVX-512 and otherwise one, with a vector.
func dotCodes(u *unpacker, k codeKind) {
	rows := 1
	if u.wide {
		rows = 4
	}
	name := "dot" + k.name + u.isa
	TEXT(name, NOSPLIT, "func(y *float32, yStride int, src *byte, rowBytes int, l *byte, x, scales, zeros, biases *float32, perRow, n, group int)")
	Doc(fmt.Sprintf("%s sets y to the dot products of %d rows of n codes %s with x, as dotGeneric does of what plainGroup makes of them.", name, rows, k.doc),
		"The rows begin rowBytes apart, what their groups are widened with perRow values; n and group are positive multiples of 16.")
	Pragma("noescape")
	src := strided(Load(Param("src"), GP64()), Load(Param("rowBytes"), GP64()), rows, 1)
	perRow := Load(Param("perRow"), GP64())
	scales := strided(Load(Param("scales"), GP64()), perRow, rows, 4)
	zeros, biases := scales, scales
	zeros.base, biases.base = Load(Param("zeros"), GP64()), Load(Param("biases"), GP64())
	x, n := Load(Param("x"), GP64()), Load(Param("n"), GP64())
	step, prepare := k.begin(u, Load(Param("l"), GP64()))
	acc := make([][]VecVirtual, rows)
	for r := range acc {
		acc[r] = u.zeros()
	}

	left := eachGroup(n)
	var values []codeValues
	for r := range rows {
		values = append(values, prepare(scales.at(r), zeros.at(r), biases.at(r)))
	}
	for _, p := range []Register{scales.base, zeros.base, biases.base} {
		ADDQ(U8(4), p)
	}
	Label("codes")
	columns := []Op{Mem{Base: x}, Mem{Base: x, Disp: 32}}
	if rows > 1 {
		for half, v := range u.full(Mem{Base: x}) {
			columns[half] = v
		}
	}
	for r := range rows {
		PREFETCHT0(src.at(r).Offset(ahead))
		for half, v := range values[r](src.at(r)) {
			VFMADD231PS(columns[half], v, acc[r][half])
		}
	}
	ADDQ(step, src.base)
	ADDQ(U8(64), x)
	SUBQ(U8(16), left)
	JNZ(LabelRef("codes"))
	TESTQ(n, n)
	JNZ(LabelRef("group"))

	y, yStride := Load(Param("y"), GP64()), Load(Param("yStride"), GP64())
	for r := range rows {
		VMOVSS(u.sum(acc[r]), Mem{Base: y})
		if r+1 < rows {
			LEAQ(Mem{Base: y, Index: yStride, Scale: 4}, y)
		}
	}
	VZEROUPPER()
	RET()
}

// rowsAt are where some rows are in memory, up to four.
type rowsAt struct {
	base    Register
	strides []Register // one and three of them
	scale   uint8
}

func strided(base, stride Register, rows int, scale uint8) rowsAt {
	p := rowsAt{base, []Register{stride}, scale}
	if rows == 4 {
		three := GP64()
		LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, three)
		p.strides = append(p.strides, three)
	}
	return p
}

// at returns where row r is.
func (p rowsAt) at(r int) Mem {
	switch r {
	case 1:
		return Mem{Base: p.base, Index: p.strides[0], Scale: p.scale}
	case 2:
		return Mem{Base: p.base, Index: p.strides[0], Scale: 2 * p.scale}
	case 3:
		return Mem{Base: p.base, Index: p.strides[1], Scale: p.scale}
	}
	return Mem{Base: p.base}
}

// full returns registers full of what 16 elements need, one or two.
func (u *unpacker) full(m Mem) []VecVirtual {
	return u.sixteen(func(first int, v VecVirtual) { u.move(m.Offset(4*first), v) })
}

// broadcast returns a register full of the float32 at m.
func (u *unpacker) broadcast(m Mem) VecVirtual {
	v := u.reg()
	VBROADCASTSS(m, v)
	return v
}

// streamOf hands on registers of 16 codes, one or two.
type streamOf func(src Mem, emit func(part int, codes VecVirtual)) []VecVirtual

// stream emits what moves 16 codes of a stream to the low bits of words, with other bits above them.
func (u *unpacker) stream(layout Register) streamOf {
	shuffle, shifts := u.full(Mem{Base: layout, Disp: layoutShuffle}), u.full(Mem{Base: layout, Disp: layoutShifts})
	return func(src Mem, emit func(part int, codes VecVirtual)) []VecVirtual {
		return u.sixteen(func(first int, v VecVirtual) {
			part := first / 8
			if u.wide {
				VBROADCASTI32X4(src, v)
			} else {
				VBROADCASTI128(src, v)
			}
			VPSHUFB(shuffle[part], v, v)
			VPSRLVD(shifts[part], v, v)
			emit(part, v)
		})
	}
}

func stepOf(layout Register) Register {
	step := GP64()
	MOVQ(Mem{Base: layout, Disp: layoutStep}, step)
	return step
}

// Codes of levels look up what their group makes of 16 of these.
var (
	levelCodes = codeKind{name: "Levels", doc: "of up to four bits without zeros and biases",
		begin: func(u *unpacker, layout Register) (Op, func(scale, _, _ Mem) codeValues) {
			levels, codes := u.full(Mem{Base: layout, Disp: layoutLevels}), u.stream(layout)
			return stepOf(layout), func(scale, _, _ Mem) codeValues {
				s := u.broadcast(scale)
				return u.lookUp(codes, u.sixteen(func(first int, v VecVirtual) { VMULPS(s, levels[first/8], v) }))
			}
		}}
	affineLevelCodes = codeKind{name: "AffineLevels", doc: "of up to four bits",
		begin: func(u *unpacker, layout Register) (Op, func(scale, zero, bias Mem) codeValues) {
			levels, codes := u.full(Mem{Base: layout, Disp: layoutLevels}), u.stream(layout)
			return stepOf(layout), func(scale, zero, bias Mem) codeValues {
				z, s, b := u.broadcast(zero), u.broadcast(scale), u.broadcast(bias)
				return u.lookUp(codes, u.sixteen(func(first int, v VecVirtual) {
					VSUBPS(z, levels[first/8], v)
					VMULPS(s, v, v)
					VADDPS(b, v, v)
				}))
			}
		}}
)

// lookUp returns what looks codes up in a table of 16 values.
func (u *unpacker) lookUp(codes streamOf, table []VecVirtual) codeValues {
	return func(src Mem) []VecVirtual {
		return codes(src, func(_ int, v VecVirtual) {
			if u.wide {
				VPERMPS(table[0], v, v)
				return
			}
			low, high := YMM(), YMM()
			VPERMPS(table[0], v, low)
			VPERMPS(table[1], v, high)
			VPSLLD(U8(28), v, v) // bit 3 says which
			VBLENDVPS(v, high, low, v)
		})
	}
}

var integerCodes = codeKind{name: "Integers", doc: "of up to eight bits without signs",
	begin: func(u *unpacker, layout Register) (Op, func(scale, zero, bias Mem) codeValues) {
		codes, mask := u.stream(layout), u.reg()
		VPBROADCASTD(Mem{Base: layout, Disp: layoutMask}, mask)
		return stepOf(layout), func(scale, zero, bias Mem) codeValues {
			z, s, b := u.broadcast(zero), u.broadcast(scale), u.broadcast(bias)
			return func(src Mem) []VecVirtual {
				return codes(src, func(_ int, v VecVirtual) {
					if u.wide {
						VPANDD(mask, v, v)
					} else {
						VPAND(mask, v, v)
					}
					VCVTDQ2PS(v, v)
					VSUBPS(z, v, v)
					VMULPS(s, v, v)
					VADDPS(b, v, v)
				})
			}
		}
	}}

var (
	int8Codes = codeKind{name: "Int8", doc: "that are signed bytes without zeros and biases",
		begin: func(u *unpacker, _ Register) (Op, func(scale, _, _ Mem) codeValues) {
			return U8(16), func(scale, _, _ Mem) codeValues {
				s := u.broadcast(scale)
				return u.signedBytes(func(v VecVirtual) { VMULPS(s, v, v) })
			}
		}}
	affineInt8Codes = codeKind{name: "AffineInt8", doc: "that are signed bytes",
		begin: func(u *unpacker, _ Register) (Op, func(scale, zero, bias Mem) codeValues) {
			return U8(16), func(scale, zero, bias Mem) codeValues {
				z, s, b := u.broadcast(zero), u.broadcast(scale), u.broadcast(bias)
				return u.signedBytes(func(v VecVirtual) {
					VSUBPS(z, v, v)
					VMULPS(s, v, v)
					VADDPS(b, v, v)
				})
			}
		}}
)

// signedBytes returns what widens signed bytes and applies the numbers of a group to them.
func (u *unpacker) signedBytes(apply func(v VecVirtual)) codeValues {
	return func(src Mem) []VecVirtual {
		return u.sixteen(func(first int, v VecVirtual) {
			VPMOVSXBD(src.Offset(first), v)
			VCVTDQ2PS(v, v)
			apply(v)
		})
	}
}

// e4m3Codes are, with the seven bits below the sign moved to those of a float16 that are as far from its sign, 2^8 times that, which
// is left to the scale. 0x7f becomes the NaN of float16.
var e4m3Codes = codeKind{name: "E4M3", doc: "that are floats of 8 bits, with scales below 2^119,",
	begin: func(u *unpacker, _ Register) (Op, func(scale, _, _ Mem) codeValues) {
		words := func(bits uint32) VecVirtual {
			v := YMM()
			VMOVDQU(u.word(bits<<16|bits), v)
			return v
		}
		keep, largest, unit := words(0xbfff), words(0x3f80), u.reg()
		u.move(u.single(1<<8), unit)
		nan := words(0x7e00)
		return U8(16), func(scale, _, _ Mem) codeValues {
			s := u.broadcast(scale)
			VMULPS(unit, s, s)
			return func(src Mem) []VecVirtual {
				halves, special := YMM(), YMM()
				VPMOVSXBW(src, halves)
				VPSLLW(U8(7), halves, halves)
				if u.wide {
					k := K()
					VPANDD(largest, halves, special)
					VPCMPEQW(largest, special, k)
					VPANDD(keep, halves, halves)
					VMOVDQU16(nan, k, halves)
				} else {
					VPAND(keep, halves, halves)
					VPAND(largest, halves, special)
					VPCMPEQW(largest, special, special)
					VPBLENDVB(special, nan, halves, halves)
				}
				return u.sixteen(func(first int, v VecVirtual) {
					switch {
					case u.wide:
						VCVTPH2PS(halves, v)
					case first == 0:
						VCVTPH2PS(halves.AsX(), v)
					default:
						VEXTRACTI128(U8(1), halves, halves.AsX())
						VCVTPH2PS(halves.AsX(), v)
					}
					VMULPS(s, v, v)
				})
			}
		}
	}}

// times generates the product of values with one number.
func times(u *unpacker) {
	TEXT("times"+u.isa, NOSPLIT, "func(v *float32, s float32, n int)")
	Doc("times"+u.isa+" is timesGeneric of n elements.", "n is a positive multiple of 16.")
	Pragma("noescape")
	at, s, n := Load(Param("v"), GP64()), u.reg(), Load(Param("n"), GP64())
	VBROADCASTSS(Load(Param("s"), XMM()), s)
	Label("block")
	for half, v := range u.sixteen(func(first int, v VecVirtual) { VMULPS(Mem{Base: at, Disp: 4 * first}, s, v) }) {
		VMOVUPS(v, Mem{Base: at, Disp: 32 * half})
	}
	ADDQ(U8(64), at)
	SUBQ(U8(16), n)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}
