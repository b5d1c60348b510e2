package main

import (
	"fmt"
	"strings"
)

// Vector instructions by their names in the Arm Architecture Reference Manual, with the arrangement of their elements, operands
// in Arm's order: destination first. Those that Go 1.26 has names for are written so, the others as words.
// .ci/words holds each word to what the GNU assembler makes of its text.

// threes are instructions on three registers of one arrangement.
var threes = map[string]uint32{
	"fadd 4s": 0x4e20d400, "fadd 2d": 0x4e60d400, "fsub 4s": 0x4ea0d400, "fsub 2d": 0x4ee0d400,
	"fmul 4s": 0x6e20dc00, "fmul 2d": 0x6e60dc00, "fdiv 4s": 0x6e20fc00, "fdiv 2d": 0x6e60fc00,
	"fmax 4s": 0x4e20f400, "fmax 2d": 0x4e60f400, "fmin 4s": 0x4ea0f400, "fmin 2d": 0x4ee0f400,
	"faddp 2d": 0x6e60d400, "fmaxnm 2d": 0x4e60c400, "fmaxnmp 2d": 0x6e60c400,
	"fcmgt 4s": 0x6ea0e400, "fcmge 4s": 0x6e20e400, "fcmeq 4s": 0x4e20e400,
	"add 16b": 0x4e208400, "add 4s": 0x4ea08400, "add 2d": 0x4ee08400, "sub 16b": 0x6e208400, "sub 4s": 0x6ea08400,
	"umax 4s": 0x6ea06400, "mul 16b": 0x4e209c00, "mul 4s": 0x4ea09c00, "cmeq 8h": 0x6e608c00, "cmtst 16b": 0x4e208c00, "cmeq 16b": 0x6e208c00, "cmhi 16b": 0x6e203400, "ushl 16b": 0x6e204400, "ushl 4s": 0x6ea04400,
	"bsl 16b": 0x6e601c00, "bit 16b": 0x6ea01c00, "bif 16b": 0x6ee01c00, "bic 16b": 0x4e601c00,
	"zip1 16b": 0x4e003800, "zip2 16b": 0x4e007800, "zip1 8h": 0x4e403800, "zip2 8h": 0x4e407800,
	"zip1 4s": 0x4e803800, "zip1 2d": 0x4ec03800, "zip2 2d": 0x4ec07800, "uzp1 16b": 0x4e001800, "uzp2 16b": 0x4e005800,
	"uzp1 8h": 0x4e401800, "uzp2 8h": 0x4e405800,
}

// goThrees are those that Go has names for: the name and its spelling of the arrangement.
var goThrees = map[string][2]string{
	"fmla 4s": {"VFMLA", "S4"}, "fmla 2d": {"VFMLA", "D2"}, "fmls 4s": {"VFMLS", "S4"}, "fmls 2d": {"VFMLS", "D2"},
	"and 16b": {"VAND", "B16"}, "orr 16b": {"VORR", "B16"}, "eor 16b": {"VEOR", "B16"},
}

func (a *asm) three(name string, d, n, m V) {
	if known, ok := goThrees[name]; ok {
		a.p("%[1]s %[2]v.%[3]s, %[5]v.%[3]s, %[4]v.%[3]s", known[0], m, known[1], d, n)
		return
	}
	op, ok := threes[name]
	if !ok {
		panic("no instruction " + name)
	}
	mnemonic, arr, _ := strings.Cut(name, " ")
	a.word(op|uint32(m)<<16|uint32(n)<<5|uint32(d), "%s v%d.%s, v%d.%s, v%d.%s", mnemonic, d, arr, n, arr, m, arr)
}

// twos are instructions from one register to another: name, arrangement of the destination and of the source.
var twos = map[string]uint32{
	"fcvtl 2d 2s": 0x0e617800, "fcvtl2 2d 4s": 0x4e617800, "fcvtn 2s 2d": 0x0e616800, "fcvtn2 4s 2d": 0x4e616800,
	"fcvtl 4s 4h": 0x0e217800, "fcvtl2 4s 8h": 0x4e217800, "fcvtn 4h 4s": 0x0e216800, "fcvtn2 8h 4s": 0x4e216800,
	"scvtf 4s 4s": 0x4e21d800, "frintn 4s 4s": 0x4e218800, "frintm 2d 2d": 0x4e619800, "fcvtns 4s 4s": 0x4e21a800,
	"fneg 4s 4s": 0x6ea0f800, "fneg 2d 2d": 0x6ee0f800, "fabs 4s 4s": 0x4ea0f800,
	"sxtl 8h 8b": 0x0f08a400, "sxtl2 8h 16b": 0x4f08a400, "sxtl 4s 4h": 0x0f10a400, "sxtl2 4s 8h": 0x4f10a400,
	"uxtl 8h 8b": 0x2f08a400, "uxtl2 8h 16b": 0x6f08a400, "uxtl 4s 4h": 0x2f10a400, "uxtl2 4s 8h": 0x6f10a400,
}

func (a *asm) two(name string, d, n V) {
	op, ok := twos[name]
	if !ok {
		panic("no instruction " + name)
	}
	part := strings.Fields(name)
	a.word(op|uint32(n)<<5|uint32(d), "%s v%d.%s, v%d.%s", part[0], d, part[1], n, part[2])
}

// shift is shl, ushr or sshr by an immediate.
func (a *asm) shift(name string, d, n V, by int) {
	mnemonic, arr, _ := strings.Cut(name, " ")
	size, ok := map[string]int{"16b": 8, "8h": 16, "4s": 32, "2d": 64}[arr]
	if !ok {
		panic("no arrangement " + arr)
	}
	op, field := map[string]uint32{"shl": 0x4f005400, "sli": 0x6f005400, "ushr": 0x6f000400, "sshr": 0x4f000400}[mnemonic], 2*size-by
	if mnemonic == "shl" || mnemonic == "sli" {
		field = size + by
	}
	a.word(op|uint32(field)<<16|uint32(n)<<5|uint32(d), "%s v%d.%s, v%d.%s, #%d", mnemonic, d, arr, n, arr, by)
}

// tbl looks bytes up: in one to four registers from n on, by the indices in m. Others give 0.
func (a *asm) tbl(d, n V, registers int, m V) {
	list := fmt.Sprintf("v%d.16b", n)
	for i := 1; i < registers; i++ {
		list += fmt.Sprintf(", v%d.16b", n+V(i))
	}
	a.word(0x4e000000|uint32(registers-1)<<13|uint32(m)<<16|uint32(n)<<5|uint32(d), "tbl v%d.16b, {%s}, v%d.16b", d, list, m)
}

// fmulElement multiplies by one element of m, fmlaElement adds the product to d.
func (a *asm) fmulElement(d, n, m V, i int) { a.byElement("fmul", 0x4f809000, d, n, m, i) }
func (a *asm) fmlaElement(d, n, m V, i int) { a.byElement("fmla", 0x4f801000, d, n, m, i) }

func (a *asm) byElement(name string, op uint32, d, n, m V, i int) {
	a.word(op|uint32(i&1)<<21|uint32(i>>1)<<11|uint32(m)<<16|uint32(n)<<5|uint32(d), "%s v%d.4s, v%d.4s, v%d.s[%d]", name, d, n, m, i)
}

// dup fills d with element i of n.
func (a *asm) dup(d, n V, i int)       { a.p("VDUP %v.S[%d], %v.S4", n, i, d) }
func (a *asm) dupDouble(d, n V, i int) { a.p("VDUP %v.D[%d], %v.D2", n, i, d) }

func (a *asm) zero(v V)    { a.p("VEOR %v.B16, %v.B16, %v.B16", v, v, v) }
func (a *asm) move(d, n V) { a.p("VORR %v.B16, %v.B16, %v.B16", n, n, d) }

// ldr and str move 16 bytes, ldp and stp those of two registers in a row.
func (a *asm) ldr(d V, off int, r R) {
	if off%16 == 0 {
		a.p("FMOVQ %d(%v), F%d", off, r, d)
		return
	}
	a.word(0x3cc00000|uint32(near(off))<<12|uint32(r)<<5|uint32(d), "ldur q%d, [x%d, #%d]", d, r, off)
}

func (a *asm) str(s V, off int, r R) { a.p("FMOVQ F%d, %d(%v)", s, off, r) }
func (a *asm) ldp(d V, off int, r R) { a.p("FLDPQ %d(%v), (F%d, F%d)", off, r, d, d+1) }
func (a *asm) stp(s V, off int, r R) { a.p("FSTPQ (F%d, F%d), %d(%v)", s, s+1, off, r) }

// ldur8, 4 and 2 load fewer bytes and clear the others.
func (a *asm) ldur8(d V, off int, r R) {
	a.word(0xfc400000|uint32(near(off))<<12|uint32(r)<<5|uint32(d), "ldur d%d, [x%d, #%d]", d, r, off)
}
func (a *asm) ldur4(d V, off int, r R) {
	a.word(0xbc400000|uint32(near(off))<<12|uint32(r)<<5|uint32(d), "ldur s%d, [x%d, #%d]", d, r, off)
}
func (a *asm) ldur2(d V, off int, r R) {
	a.word(0x7c400000|uint32(near(off))<<12|uint32(r)<<5|uint32(d), "ldur h%d, [x%d, #%d]", d, r, off)
}

// near is the field of an offset.
func near(off int) int {
	if off < -256 || off > 255 {
		panic(fmt.Sprintf("offset %d is out of reach", off))
	}
	return off & 511
}

// ld1r fills d with the float32 at r.
func (a *asm) ld1r(d V, r R) { a.p("VLD1R (%v), [%v.S4]", r, d) }

// widenPair widens the float32 in n to two registers of float64, from d on.
func (a *asm) widenPair(d, n V) {
	if n == d {
		panic("the source of a pair is overwritten")
	}
	a.two("fcvtl 2d 2s", d, n)
	a.two("fcvtl2 2d 4s", d+1, n)
}

// narrowPair rounds two registers of float64, from n on, to float32.
func (a *asm) narrowPair(d, n V) {
	a.two("fcvtn 2s 2d", d, n)
	a.two("fcvtn2 4s 2d", d, n+1)
}
