package main

// The types of 256 elements that ggml calls K. V15 has 0x0f in each byte.

// pairAt sets V12 to bits 2j and 2j+1 of the bytes in n; V16 has 3 in each.
func (b *block) pairAt(n V, j int) {
	b.right(codesV, n, 2*j)
	if j < 3 {
		b.three("and 16b", codesV, codesV, 16)
	}
}

var q2_k = blockType{
	name: "Q2K", elems: 256, bytes: 84,
	hold: func(b *block) {
		b.constant(15, sameByte(0x0f))
		b.constant(16, sameByte(3))
		b.bias(biasV, 0)
	},
	decode: func(b *block) {
		b.half(17, 80)
		b.half(18, 82)
		b.p("FNEGS F18, F18")
		b.ldr(19, 0, blockR)
		b.nibbles(19, false)
		b.scales(20, 4, biasV, 17)
		b.nibbles(19, true)
		b.scales(24, 4, biasV, 18)
		for t := range 16 {
			b.ldr(19, 16+32*(t/8)+16*(t%2), blockR)
			b.pairAt(19, t/2%4)
			b.floats(biasV)
			b.plus(20, t, 24, t)
		}
	},
}

var q3_k = blockType{
	name: "Q3K", elems: 256, bytes: 110,
	hold: func(b *block) {
		b.constant(15, sameByte(0x0f))
		b.constant(16, sameByte(3))
		b.constant(17, sameByte(7))
		b.bias(biasV, 4)
	},
	decode: func(b *block) {
		// Six bits of each scale: four at 96, two at 104.
		b.ldur8(codesV, 96, blockR)
		b.shift("ushr 16b", 4, codesV, 4)
		b.three("zip1 2d", codesV, codesV, 4)
		b.three("and 16b", codesV, codesV, 15)
		b.ldur4(4, 104, blockR)
		b.dup(4, 4, 0)
		b.constant(5, bytesOf(func(i int) uint8 { return uint8(-2 * (i / 4)) }))
		b.three("ushl 16b", 4, 4, 5)
		b.shift("sli 16b", codesV, 4, 4)
		b.constant(4, sameByte(0x3f))
		b.three("and 16b", codesV, codesV, 4)
		b.half(24, 108)
		b.bias(4, 32)
		b.scales(20, 4, 4, 24)
		b.ldp(25, 0, blockR)
		for t := range 16 {
			b.ldr(24, 32+32*(t/8)+16*(t%2), blockR)
			b.pairAt(24, t/2%4)
			b.right(24, 25+V(t%2), t/2)
			b.shift("sli 16b", codesV, 24, 2)
			b.three("and 16b", codesV, codesV, 17)
			b.floats(biasV)
			b.scaled(20, t)
		}
	},
}

// kScales sets V20 and V21 to the eight scales of Q4_K and Q5_K, and V22 and V23 to their minima, negative. See scaleMinK of
// package tensor.
func (b *block) kScales() {
	b.half(18, 0)
	b.half(19, 2)
	b.p("FNEGS F19, F19")
	b.p("MOVWU 12(%v), R9", blockR)
	for i, at := range []int{4, 8} {
		b.p("MOVWU %d(%v), R7", at, blockR)
		b.p("AND $0x3f3f3f3f, R7, R8")
		b.p("LSR $2, R7")
		b.p("AND $0x30303030, R7")
		b.p("AND $0x0f0f0f0f, R9, R10")
		b.p("LSR $4, R9")
		b.p("ORR R10, R7")
		b.p("ORR R7<<32, R8")
		b.p("FMOVD R8, F%d", codesV)
		b.scales(20+2*V(i), 2, biasV, 18+V(i))
	}
}

var q4_k = blockType{
	name: "Q4K", elems: 256, bytes: 144,
	hold: func(b *block) {
		b.constant(15, sameByte(0x0f))
		b.bias(biasV, 0)
	},
	decode: func(b *block) {
		b.kScales()
		for s := range 8 {
			if s%2 == 0 {
				b.ldp(24, 16+16*s, blockR)
			}
			for half := range V(2) {
				b.nibbles(24+half, s%2 == 1)
				b.floats(biasV)
				b.plus(20, s, 22, s)
			}
		}
	},
}

var q5_k = blockType{
	name: "Q5K", elems: 256, bytes: 176,
	hold: func(b *block) {
		q4_k.hold(b)
		b.constant(16, sameByte(0x1f))
	},
	decode: func(b *block) {
		b.kScales()
		b.ldp(26, 16, blockR)
		for s := range 8 {
			if s%2 == 0 {
				b.ldp(24, 48+16*s, blockR)
			}
			for half := range V(2) {
				b.nibbles(24+half, s%2 == 1)
				b.right(17, 26+half, s)
				b.shift("sli 16b", codesV, 17, 4)
				b.three("and 16b", codesV, codesV, 16)
				b.floats(biasV)
				b.plus(20, s, 22, s)
			}
		}
	},
}

var q6_k = blockType{
	name: "Q6K", elems: 256, bytes: 210,
	hold: func(b *block) {
		b.constant(15, sameByte(0x0f))
		b.constant(16, sameByte(0x3f))
		b.bias(biasV, 32)
	},
	decode: func(b *block) {
		b.ldr(codesV, 192, blockR)
		b.constant(4, sameByte(0x80))
		b.three("eor 16b", codesV, codesV, 4)
		b.half(17, 208)
		b.bias(4, 128)
		b.scales(20, 4, 4, 17)
		for t := range 16 {
			h, j, from := t/8, t/2%4, t%2*16
			b.ldr(17, 64*h+32*(j%2)+from, blockR)
			b.ldr(18, 128+32*h+from, blockR)
			b.nibbles(17, j/2 == 1)
			b.right(18, 18, 2*j)
			b.shift("sli 16b", codesV, 18, 4)
			b.three("and 16b", codesV, codesV, 16)
			b.floats(biasV)
			b.scaled(20, t)
		}
	},
}
