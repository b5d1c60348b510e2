package main

import "math/bits"

// What IQ1, IQ2 and IQ3 have in common: weights are rows of a table (package codebook), eight or four of them, times a scale,
// with signs.

// grid is a table of rows, one of those in codebook.Tables.
type grid struct {
	at    int // its first index
	width int // bytes of a row
}

var (
	iq2xxsGrid = grid{0, 32}
	iq2xsGrid  = grid{iq2xxsGrid.at + 256*32, 32}
	iq2sGrid   = grid{iq2xsGrid.at + 512*32, 32}
	iq1Grid    = grid{iq2sGrid.at + 1024*32, 8}
	iq3xxsGrid = grid{iq1Grid.at + 4096*8, 16}
	iq3sGrid   = grid{iq3xxsGrid.at + 256*16, 16}
	signsGrid  = grid{iq3sGrid.at + 512*16, 32}
)

// hold sets R17 to the grid, R16 to the signs, and R15 to the table that completes seven signs: their number is even.
func (g grid) hold(b *block) {
	b.p("MOVD ·tables(SB), %v", signsR)
	b.p("ADD $%d, %v, %v", g.at, signsR, rowsR)
	b.p("ADD $%d, %v", signsGrid.at, signsR)
	at := b.bytes(128, func(i int) uint8 { return uint8(i | bits.OnesCount(uint(i))&1<<7) })
	b.p("ADD $%d, %v, %v", at, constantsR, evenR)
	b.constant(15, sameByte(0x0f))
	b.bias(biasV, 0)
}

// row loads the row of the grid whose number is in r: two registers from v on, or one.
func (b *block) row(v V, r R, g grid) {
	b.p("ADD %v<<%d, %v, %v", r, bits.TrailingZeros(uint(g.width)), rowsR, r)
	switch g.width {
	case 32:
		b.ldp(v, 0, r)
	case 16:
		b.ldr(v, 0, r)
	default:
		b.ldur8(v, 0, r)
	}
}

// sign gives eight weights in v and v+1 the signs of which r has the bits.
func (b *block) sign(v V, r R) {
	b.p("ADD %v<<5, %v, %v", r, signsR, r)
	b.ldp(4, 0, r)
	b.three("eor 16b", v, v, 4)
	b.three("eor 16b", v+1, v+1, 5)
}

// even completes the seven signs in r.
func (b *block) even(r R) { b.p("MOVBU (%v)(%v), %[2]v", evenR, r) }

func (b *block) byteAt(off int, r R) { b.p("MOVBU %d(%v), %v", off, blockR, r) }

// field sets r to some bits of from.
func (b *block) field(from R, at, width int, r R) { b.p("UBFX $%d, %v, $%d, %v", at, from, width, r) }

// quarters sets V20 to V23 to the scales of 16 codes of four bits at off: (1/2 + code)·d/4.
func (b *block) quarters(off int) {
	b.half(18, 0)
	b.constant(4, single(0.25))
	b.three("fmul 4s", 18, 18, 4)
	b.ldur8(codesV, off, blockR)
	b.shift("ushr 16b", 4, codesV, 4)
	b.three("and 16b", codesV, codesV, 15)
	b.three("zip1 16b", codesV, codesV, 4)
	b.floats(biasV)
	b.constant(4, single(0.5))
	four(func(i V) { b.three("fadd 4s", 8+i, 8+i, 4) })
	four(func(i V) { b.fmulElement(20+i, 8+i, 18, 0) })
}

var iq2_s = blockType{
	name: "IQ2S", elems: 256, bytes: 82, hold: iq2sGrid.hold,
	decode: func(b *block) {
		b.quarters(74)
		for k := range 32 {
			v := 8 + 2*V(k%2)
			b.byteAt(2+k, 7)
			b.byteAt(66+k/4, 8)
			b.field(8, 2*(k%4), 2, 8)
			b.p("ORR R8<<8, R7")
			b.row(v, 7, iq2sGrid)
			b.byteAt(34+k, 9)
			b.sign(v, 9)
			if k%2 == 1 {
				b.scaled(20, k/2)
			}
		}
	},
}

var iq2_xs = blockType{
	name: "IQ2XS", elems: 256, bytes: 74, hold: iq2xsGrid.hold,
	decode: func(b *block) {
		b.quarters(66)
		for k := range 32 {
			v := 8 + 2*V(k%2)
			b.p("MOVHU %d(%v), R7", 2+2*k, blockR)
			b.p("LSR $9, R7, R9")
			b.p("AND $511, R7")
			b.row(v, 7, iq2xsGrid)
			b.even(9)
			b.sign(v, 9)
			if k%2 == 1 {
				b.scaled(20, k/2)
			}
		}
	},
}

// scaleOfBits sets V20 to d times what the highest four bits of r say, and a half.
func (b *block) scaleOfBits(r R, d V) {
	b.p("LSR $28, %v, R8", r)
	b.p("SCVTFWS R8, F20")
	b.p("FMOVS $0.5, F21")
	b.p("FADDS F21, F20")
	b.p("FMULS F%d, F20", d)
}

// holdHalf sets element 0 of v to the float16 at the beginning of a block times factor.
func (b *block) halfTimes(v V, factor float32) {
	b.half(v, 0)
	b.constant(4, single(factor))
	b.three("fmul 4s", v, v, 4)
}

var iq2_xxs = blockType{
	name: "IQ2XXS", elems: 256, bytes: 66, hold: iq2xxsGrid.hold,
	decode: func(b *block) {
		b.halfTimes(18, 0.25)
		for s := range 8 {
			b.p("MOVWU %d(%v), R10", 2+8*s+4, blockR)
			b.scaleOfBits(10, 18)
			for k := range 4 {
				v := 8 + 2*V(k%2)
				b.byteAt(2+8*s+k, 7)
				b.row(v, 7, iq2xxsGrid)
				b.field(10, 7*k, 7, 9)
				b.even(9)
				b.sign(v, 9)
				if k%2 == 1 {
					b.scaled(20, 0)
				}
			}
		}
	},
}

var iq3_xxs = blockType{
	name: "IQ3XXS", elems: 256, bytes: 98, hold: iq3xxsGrid.hold,
	decode: func(b *block) {
		b.halfTimes(18, 0.5)
		for s := range 8 {
			b.p("MOVWU %d(%v), R10", 66+4*s, blockR)
			b.scaleOfBits(10, 18)
			for k := range 4 {
				v := 8 + 2*V(k%2)
				for i := range 2 {
					b.byteAt(2+8*s+2*k+i, 7)
					b.row(v+V(i), 7, iq3xxsGrid)
				}
				b.field(10, 7*k, 7, 9)
				b.even(9)
				b.sign(v, 9)
				if k%2 == 1 {
					b.scaled(20, 0)
				}
			}
		}
	},
}

var iq3_s = blockType{
	name: "IQ3S", elems: 256, bytes: 110, hold: iq3sGrid.hold,
	decode: func(b *block) {
		// d·(1 + 2·code) for codes of four bits.
		b.half(18, 0)
		b.ldur4(codesV, 106, blockR)
		b.shift("ushr 16b", 4, codesV, 4)
		b.three("and 16b", codesV, codesV, 15)
		b.three("zip1 16b", codesV, codesV, 4)
		b.floats(biasV)
		b.constant(4, single(1))
		for i := range V(2) {
			b.three("fadd 4s", 8+i, 8+i, 8+i)
			b.three("fadd 4s", 8+i, 8+i, 4)
			b.fmulElement(20+i, 8+i, 18, 0)
		}
		for r := range 64 {
			v := 8 + V(r%4)
			if r%8 == 0 {
				b.byteAt(66+r/8, 8)
			}
			b.byteAt(2+r, 7)
			b.field(8, r%8, 1, 9)
			b.p("ORR R9<<8, R7")
			b.row(v, 7, iq3sGrid)
			if r%2 == 1 {
				b.byteAt(74+r/2, 9)
				b.sign(v-1, 9)
			}
			if r%4 == 3 {
				b.scaled(20, r/8)
			}
		}
	},
}

// holdShifted is hold for IQ1, whose rows are signed bytes.
func holdShifted(b *block) {
	iq1Grid.hold(b)
	b.constant(16, sameByte(0x80))
	b.bias(biasV, 128)
}

// rowsOfBytes hands on two rows of IQ1, whose numbers are in R7 and R9, times d/8 and an odd number, 2n+1 for the n in R8.
func (b *block) rowsOfBytes(d V) {
	b.row(codesV, 7, iq1Grid)
	b.row(4, 9, iq1Grid)
	b.three("zip1 2d", codesV, codesV, 4)
	b.three("eor 16b", codesV, codesV, 16)
	b.floats(biasV)
	b.p("LSL $1, R8")
	b.p("ADD $1, R8")
	b.p("SCVTFWS R8, F20")
	b.p("FMULS F%d, F20", d)
	b.scaled(20, 0)
}

var iq1_s = blockType{
	name: "IQ1S", elems: 256, bytes: 50, hold: holdShifted,
	decode: func(b *block) {
		b.halfTimes(18, 0.125)
		for t := range 16 {
			s, k := t/2, t%2*2
			b.p("MOVHU %d(%v), R10", 34+2*s, blockR)
			b.p("LSR $15, R10, R11")
			for i, r := range []R{7, 9} {
				b.byteAt(2+4*s+k+i, r)
				b.field(10, 3*(k+i), 3, 8)
				b.p("ORR R8<<8, %v", r)
				b.p("ORR R11<<11, %v", r)
			}
			b.field(10, 12, 3, 8)
			b.rowsOfBytes(18)
		}
	},
}

var iq1_m = blockType{
	name: "IQ1M", elems: 256, bytes: 56, hold: holdShifted,
	decode: func(b *block) {
		// Each of the four words of scales has four bits of d.
		b.p("MOVD 48(%v), R10", blockR)
		b.p("LSR $60, R10, R7")
		for i := 2; i >= 0; i-- {
			b.field(10, 16*i+12, 4, 8)
			b.p("ORR R7<<4, R8, R7")
		}
		b.p("FMOVS R7, F18")
		b.p("FCVTHS F18, F18")
		b.constant(4, single(0.125))
		b.three("fmul 4s", 18, 18, 4)
		for t := range 16 {
			b.byteAt(32+t, 11)
			b.byteAt(2*t, 7)
			b.byteAt(2*t+1, 9)
			b.field(11, 0, 4, 8)
			b.p("ORR R8<<8, R7")
			b.field(11, 4, 4, 8)
			b.p("ORR R8<<8, R9")
			b.field(10, 16*(t/4)+3*(t%4), 3, 8)
			b.rowsOfBytes(18)
		}
	},
}
