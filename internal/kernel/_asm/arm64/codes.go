package main

// Codes whose scales lie apart from them. See codes.go of amd64.

// What a codeLayout of package kernel has, by offset.
const (
	layoutShuffle = 0
	layoutShifts  = 64
	layoutLevels  = 128
	layoutStep    = 192
	layoutMask    = 200
)

// Registers of the functions that widen codes.
const (
	codesDst, codesSrc, codesLayout, codesScale, codesZero, codesBias, codesN, codesGroup, codesLeft, codesStep R = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
	scaleV, zeroPointV, biasOfGroupV                                                                            V = 12, 13, 14
)

// codeKind is how codes of one kind are widened. They are in V8; what they become is V0 to V3.
type codeKind struct {
	name, doc          string
	begin, group, part func(a *asm)
}

var codeKinds = []codeKind{
	{"Levels", "of up to four bits", beginLevels, groupOfLevels, levelsOfCodes},
	{"Integers", "of up to eight bits without signs", beginIntegers, groupOfIntegers, integersOfCodes},
	{"Int8", "that are signed bytes", beginBytes, groupOfBytes, int8OfCodes},
	{"E4M3", "that are floats of 8 bits", beginE4M3, groupOfBytes, e4m3OfCodes},
}

func widenCodes(a *asm, k codeKind) {
	a.fn("widen"+k.name+"NEON", "(dst *float32, src, l *byte, scales, zeros, biases *float32, n, group int)", 0,
		"is plainGroup of n codes "+k.doc+", in groups of as many as group says.", "n and group are positive multiples of 16.")
	for i, name := range []string{"dst", "src", "l", "scales", "zeros", "biases", "n", "group"} {
		a.load(R(i), name)
	}
	a.useConstants()
	k.begin(a)
	a.label("group")
	a.p("CMP %v, %v", codesN, codesGroup)
	a.p("CSEL LT, %v, %v, %v", codesGroup, codesN, codesLeft)
	a.p("SUB %v, %v", codesLeft, codesN)
	k.group(a)
	a.add(4, codesScale, codesZero, codesBias)
	a.label("codes")
	a.ldr(8, 0, codesSrc)
	k.part(a)
	a.stp(0, 0, codesDst)
	a.stp(2, 32, codesDst)
	a.p("ADD %v, %v", codesStep, codesSrc)
	a.add(64, codesDst)
	a.down(codesLeft, 16, "codes")
	a.p("CBNZ %v, group", codesN)
	a.ret()
}

// beginStream sets V16 to V19 to the shuffles, V20 to V23 to the shifts, which are to the left, and V15 to the mask.
func beginStream(a *asm) {
	for i := range 4 {
		a.ldr(16+V(i), layoutShuffle+16*i, codesLayout)
		a.ldr(20+V(i), layoutShifts+16*i, codesLayout)
	}
	a.zero(0)
	four(func(i V) { a.three("sub 4s", 20+i, 0, 20+i) })
	a.p("MOVD %d(%v), %v", layoutStep, codesLayout, codesStep)
	a.p("ADD $%d, %v, R10", layoutMask, codesLayout)
	a.ld1r(15, 10)
}

// stream sets V0 to V3 to 16 codes.
func stream(a *asm) {
	four(func(i V) { a.tbl(i, 8, 1, 16+i) })
	four(func(i V) { a.three("ushl 4s", i, i, 20+i) })
	four(func(i V) { a.three("and 16b", i, i, 15) })
}

func beginLevels(a *asm) {
	beginStream(a)
	a.constant(10, words(0x04040404))
	a.constant(11, words(0x03020100))
}

// groupOfLevels sets V24 to V27 to what the levels become.
func groupOfLevels(a *asm) {
	groupOfIntegers(a)
	four(func(i V) { a.ldr(24+i, layoutLevels+16*int(i), codesLayout) })
	a.scaleGroup(24)
}

// scaleGroup applies the numbers of a group to four registers.
func (a *asm) scaleGroup(v V) {
	four(func(i V) { a.three("fsub 4s", v+i, v+i, zeroPointV) })
	four(func(i V) { a.three("fmul 4s", v+i, v+i, scaleV) })
	four(func(i V) { a.three("fadd 4s", v+i, v+i, biasOfGroupV) })
}

// levelsOfCodes looks up the four bytes of each level.
func levelsOfCodes(a *asm) {
	stream(a)
	four(func(i V) { a.three("mul 4s", i, i, 10) })
	four(func(i V) { a.three("add 4s", i, i, 11) })
	four(func(i V) { a.tbl(i, 24, 4, i) })
}

func beginIntegers(a *asm) { beginStream(a) }

func groupOfIntegers(a *asm) {
	a.ld1r(scaleV, codesScale)
	a.ld1r(zeroPointV, codesZero)
	a.ld1r(biasOfGroupV, codesBias)
}

func integersOfCodes(a *asm) {
	stream(a)
	four(func(i V) { a.two("scvtf 4s 4s", i, i) })
	a.scaleGroup(0)
}

func beginBytes(a *asm) { a.p("MOVD $16, %v", codesStep) }

func groupOfBytes(a *asm) { a.ld1r(scaleV, codesScale) }

func int8OfCodes(a *asm) {
	a.two("sxtl 8h 8b", 9, 8)
	a.two("sxtl2 8h 16b", 10, 8)
	for i := range V(2) {
		a.two("sxtl 4s 4h", 2*i, 9+i)
		a.two("sxtl2 4s 8h", 2*i+1, 9+i)
	}
	four(func(i V) { a.two("scvtf 4s 4s", i, i) })
	four(func(i V) { a.three("fmul 4s", i, i, scaleV) })
}

// beginE4M3 loads what moves a code to a float16, 2^8 times as small, and 0x7f to NaN.
func beginE4M3(a *asm) {
	beginBytes(a)
	for i, bits := range []uint32{0xbfff, 0x3f80, 0x3f80 ^ 0x7e00} {
		a.constant(16+V(i), words(bits<<16|bits))
	}
	a.constant(19, single(1<<8))
}

func e4m3OfCodes(a *asm) {
	a.two("sxtl 8h 8b", 9, 8)
	a.two("sxtl2 8h 16b", 10, 8)
	for i := range V(2) {
		v := 9 + i
		a.shift("shl 8h", v, v, 7)
		a.three("and 16b", v, v, 16)
		a.three("and 16b", 20, v, 17)
		a.three("cmeq 8h", 20, 20, 17)
		a.three("and 16b", 20, 20, 18)
		a.three("eor 16b", v, v, 20)
		a.two("fcvtl 4s 4h", 2*i, v)
		a.two("fcvtl2 4s 8h", 2*i+1, v)
	}
	four(func(i V) { a.three("fmul 4s", i, i, 19) })
	four(func(i V) { a.three("fmul 4s", i, i, scaleV) })
}

// times generates the product of values with one number.
func times(a *asm) {
	a.fn("timesNEON", "(v *float32, s float32, n int)", 0, "is timesGeneric of n elements. n is a positive multiple of 16.")
	const at, n R = 0, 1
	a.load(at, "v")
	a.p("FMOVS %s, F4", a.param("s"))
	a.load(n, "n")
	a.dup(4, 4, 0)
	a.label("block")
	a.ldp(0, 0, at)
	a.ldp(2, 32, at)
	four(func(i V) { a.three("fmul 4s", i, i, 4) })
	a.stp(0, 0, at)
	a.stp(2, 32, at)
	a.add(64, at)
	a.down(n, 16, "block")
	a.ret()
}
