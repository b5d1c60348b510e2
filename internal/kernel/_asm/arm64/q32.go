package main

// Types of 32 elements with codes of four, five or eight bits.

var q8_0 = blockType{
	name: "Q8", elems: 32, bytes: 34,
	hold: func(b *block) {
		b.constant(15, sameByte(0x80))
		b.bias(biasV, 128)
	},
	decode: func(b *block) {
		b.half(20, 0)
		for i := range 2 {
			b.ldr(codesV, 2+16*i, blockR)
			b.three("eor 16b", codesV, codesV, 15)
			b.floats(biasV)
			b.scaled(20, 0)
		}
	},
}

// nibbles sets V12 to the low or the high halves of the bytes in n; V15 has 0x0f in each.
func (b *block) nibbles(n V, high bool) {
	if high {
		b.shift("ushr 16b", codesV, n, 4)
		return
	}
	b.three("and 16b", codesV, n, 15)
}

// linear is the type of 4 bits whose codes stand for themselves, less some.
func linear(name string, bytes, codes, minimum int, bias float32) blockType {
	return blockType{
		name: name, elems: 32, bytes: bytes,
		hold: func(b *block) {
			b.constant(15, sameByte(0x0f))
			b.bias(biasV, bias)
		},
		decode: func(b *block) {
			b.half(20, 0)
			if minimum > 0 {
				b.half(21, minimum)
			}
			b.ldr(22, codes, blockR)
			for i := range 2 {
				b.nibbles(22, i == 1)
				b.floats(biasV)
				if minimum > 0 {
					b.plus(20, 0, 21, 0)
				} else {
					b.scaled(20, 0)
				}
			}
		},
	}
}

var (
	q4_0 = linear("Q4", 18, 2, 0, 8)
	q4_1 = linear("Q41", 20, 4, 2, 0)
)

// fifth is linear with a fifth bit of each code, 32 of them at high.
func fifth(name string, bytes, high, codes, minimum int, bias float32) blockType {
	t := linear(name, bytes, codes, minimum, bias)
	hold := t.hold
	t.hold = func(b *block) {
		hold(b)
		b.bitConstants(16)
		b.constant(18, sameByte(0x10))
	}
	t.decode = func(b *block) {
		b.half(20, 0)
		if minimum > 0 {
			b.half(21, minimum)
		}
		b.ldr(22, codes, blockR)
		for i := range 2 {
			b.bits(23, high+2*i, 16)
			b.three("and 16b", 23, 23, 18)
			b.nibbles(22, i == 1)
			b.three("orr 16b", codesV, codesV, 23)
			b.floats(biasV)
			if minimum > 0 {
				b.plus(20, 0, 21, 0)
			} else {
				b.scaled(20, 0)
			}
		}
	}
	return t
}

var (
	q5_0 = fifth("Q50", 22, 2, 6, 0, 16)
	q5_1 = fifth("Q51", 24, 4, 8, 2, 0)
)

// bitConstants sets v and v+1 to what bits needs.
func (b *block) bitConstants(v V) {
	b.constant(v, bytesOf(func(i int) uint8 { return uint8(i / 8) }))
	b.constant(v+1, bytesOf(func(i int) uint8 { return 1 << (i % 8) }))
}

// bits sets the bytes of v to all ones where the 16 bits at off are set, the lowest first.
func (b *block) bits(v V, off int, constants V) {
	b.ldur2(v, off, blockR)
	b.tbl(v, v, 1, constants)
	b.three("cmtst 16b", v, v, constants+1)
}

// levels are what codes of four bits stand for.
type levels [16]int8

var (
	iq4Levels  = levels{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}
	e2m1Levels = levels{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12} // doubled
)

// holdLevels loads levels, with 128 added, to V16.
func (l levels) hold(b *block) {
	b.constant(15, sameByte(0x0f))
	b.constant(16, bytesOf(func(i int) uint8 { return uint8(l[i]) + 128 }))
	b.bias(biasV, 128)
}

// look hands on the levels of the codes in V12 times a scale.
func (b *block) look(s V, i int) {
	b.tbl(codesV, 16, 1, codesV)
	b.floats(biasV)
	b.scaled(s, i)
}

var iq4_nl = blockType{
	name: "IQ4NL", elems: 32, bytes: 18, hold: iq4Levels.hold,
	decode: func(b *block) {
		b.half(20, 0)
		b.ldr(22, 2, blockR)
		for i := range 2 {
			b.nibbles(22, i == 1)
			b.look(20, 0)
		}
	},
}

var iq4_xs = blockType{
	name: "IQ4XS", elems: 256, bytes: 136, hold: iq4Levels.hold,
	decode: func(b *block) {
		// Six bits of each scale: four at 4, two at 2.
		b.ldur4(codesV, 4, blockR)
		b.constant(4, bytesOf(func(i int) uint8 { return uint8(i / 2) }))
		b.constant(5, bytesOf(func(i int) uint8 { return uint8(-4 * (i % 2)) }))
		b.tbl(codesV, codesV, 1, 4)
		b.three("ushl 16b", codesV, codesV, 5)
		b.three("and 16b", codesV, codesV, 15)
		b.ldur2(6, 2, blockR)
		b.constant(4, bytesOf(func(i int) uint8 { return uint8(i / 4) }))
		b.constant(5, bytesOf(func(i int) uint8 { return uint8(-2 * (i % 4)) }))
		b.tbl(6, 6, 1, 4)
		b.three("ushl 16b", 6, 6, 5)
		b.shift("sli 16b", codesV, 6, 4)
		b.constant(4, sameByte(0x3f))
		b.three("and 16b", codesV, codesV, 4)
		b.half(22, 0)
		b.bias(4, 32)
		b.scales(20, 2, 4, 22)
		for s := range 8 {
			b.ldr(23, 8+16*s, blockR)
			for i := range 2 {
				b.nibbles(23, i == 1)
				b.look(20, s)
			}
		}
	},
}

var mxfp4 = blockType{
	name: "MXFP4", elems: 32, bytes: 17, hold: e2m1Levels.hold,
	decode: func(b *block) {
		// The scale is 2^(e-128), subnormal for an e of 0 or 1.
		b.p("MOVBU (%v), R7", blockR)
		b.p("SUB $1, R7, R8")
		b.p("LSL $23, R8")
		b.p("MOVD $0x200000, R9")
		b.p("LSL R7, R9")
		b.p("CMP $2, R7")
		b.p("CSEL LO, R9, R8, R8")
		b.p("FMOVS R8, F20")
		b.ldr(22, 1, blockR)
		for i := range 2 {
			b.nibbles(22, i == 1)
			b.look(20, 0)
		}
	},
}

var nvfp4 = blockType{
	name: "NVFP4", elems: 64, bytes: 36,
	hold: func(b *block) {
		e2m1Levels.hold(b)
		b.constant(17, sameByte(0x7f))
		b.constant(18, single(0x1p119))
	},
	decode: func(b *block) {
		// Scales are E4M3 without signs, 0x7f being 0: as the upper bits of a float32 they are 2^119 too small.
		b.ldur4(20, 0, blockR)
		b.three("cmeq 16b", 21, 20, 17)
		b.three("and 16b", 20, 20, 17)
		b.three("bic 16b", 20, 20, 21)
		b.tbl(20, 20, 1, 28)
		b.shift("shl 4s", 20, 20, 20)
		b.three("fmul 4s", 20, 20, 18)
		for s := range 4 {
			b.ldur8(codesV, 4+8*s, blockR)
			b.shift("ushr 16b", 22, codesV, 4)
			b.three("and 16b", codesV, codesV, 15)
			b.three("zip1 2d", codesV, codesV, 22)
			b.look(20, s)
		}
	},
}
