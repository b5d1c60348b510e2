package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Codes whose scales lie apart from them: functions that widen consecutive codes, for each kind of package kernel. All take the same
// parameters, of which those of bytes need fewer.

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

var codeKinds = []codeKind{levelCodes, integerCodes, int8Codes, e4m3Codes}

// codes generates the functions of all kinds.
func codes(isa string, wide bool) {
	elems := map[bool]int{false: 4, true: 8}[wide]
	u := &unpacker{constants: namedConstants("codes"+isa, isa, elems), wide: wide}
	for _, k := range codeKinds {
		widenCodes(u, k)
	}
	times(u)
}

func widenCodes(u *unpacker, k codeKind) {
	name := "widen" + k.name + u.isa
	TEXT(name, NOSPLIT, "func(dst *float32, src, l *byte, scales, zeros, biases *float32, n, group int)")
	Doc(name+" is plainGroup of n codes "+k.doc+", in groups of as many as group says.", "n and group are positive multiples of 16.")
	Pragma("noescape")
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	scales, zeros, biases := Load(Param("scales"), GP64()), Load(Param("zeros"), GP64()), Load(Param("biases"), GP64())
	n, group := Load(Param("n"), GP64()), Load(Param("group"), GP64())
	step, prepare := k.begin(u, Load(Param("l"), GP64()))
	i, left := GP64(), GP64()
	XORQ(i, i)

	Label("group")
	MOVQ(group, left)
	CMPQ(group, n)
	CMOVQGT(n, left)
	SUBQ(left, n)
	at := func(base Register) Mem { return Mem{Base: base, Index: i, Scale: 4} }
	values := prepare(at(scales), at(zeros), at(biases))
	Label("codes")
	PREFETCHT0(Mem{Base: src, Disp: ahead / 2})
	for half, v := range values(Mem{Base: src}) {
		VMOVUPS(v, Mem{Base: dst, Disp: 32 * half})
	}
	ADDQ(step, src)
	ADDQ(U8(64), dst)
	SUBQ(U8(16), left)
	JNZ(LabelRef("codes"))
	INCQ(i)
	TESTQ(n, n)
	JNZ(LabelRef("group"))
	VZEROUPPER()
	RET()
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

// stream emits what moves 16 codes of a stream to the low bits of words, with other bits above them.
func (u *unpacker) stream(layout Register) func(src Mem, emit func(part int, codes VecVirtual)) []VecVirtual {
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

// levelCodes look up what their group makes of 16 levels.
var levelCodes = codeKind{name: "Levels", doc: "of up to four bits",
	begin: func(u *unpacker, layout Register) (Op, func(scale, zero, bias Mem) codeValues) {
		levels, codes := u.full(Mem{Base: layout, Disp: layoutLevels}), u.stream(layout)
		return stepOf(layout), func(scale, zero, bias Mem) codeValues {
			z, s, b := u.broadcast(zero), u.broadcast(scale), u.broadcast(bias)
			table := u.sixteen(func(first int, v VecVirtual) {
				VSUBPS(z, levels[first/8], v)
				VMULPS(s, v, v)
				VADDPS(b, v, v)
			})
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
	}}

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

var int8Codes = codeKind{name: "Int8", doc: "that are signed bytes",
	begin: func(u *unpacker, _ Register) (Op, func(scale, _, _ Mem) codeValues) {
		return U8(16), func(scale, _, _ Mem) codeValues {
			s := u.broadcast(scale)
			return func(src Mem) []VecVirtual {
				return u.sixteen(func(first int, v VecVirtual) {
					VPMOVSXBD(src.Offset(first), v)
					VCVTDQ2PS(v, v)
					VMULPS(s, v, v)
				})
			}
		}
	}}

// e4m3Codes are, with the seven bits below the sign moved to those of a float16 that are as far from its sign, 2^8 times that.
// 0x7f becomes the float16 that is no number.
var e4m3Codes = codeKind{name: "E4M3", doc: "that are floats of 8 bits",
	begin: func(u *unpacker, _ Register) (Op, func(scale, _, _ Mem) codeValues) {
		words := func(bits uint32) VecVirtual {
			v := YMM()
			VMOVDQU(u.word(bits<<16|bits), v)
			return v
		}
		keep, largest, nan, unit := words(0xbfff), words(0x3f80), words(0x3f80^0x7e00), u.reg()
		u.move(u.single(1<<8), unit)
		return U8(16), func(scale, _, _ Mem) codeValues {
			s := u.broadcast(scale)
			return func(src Mem) []VecVirtual {
				halves, special := YMM(), YMM()
				VPMOVSXBW(src, halves)
				VPSLLW(U8(7), halves, halves)
				VPAND(keep, halves, halves)
				VPAND(largest, halves, special)
				VPCMPEQW(largest, special, special)
				VPAND(nan, special, special)
				VPXOR(special, halves, halves)
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
					VMULPS(unit, v, v)
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
