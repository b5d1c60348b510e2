package main

// Types of one or two bits, and of base 3.

var tq2_0 = blockType{
	name: "TQ2", elems: 256, bytes: 66,
	hold: func(b *block) {
		b.constant(16, sameByte(3))
		b.bias(biasV, 1)
	},
	decode: func(b *block) {
		b.half(20, 64)
		for t := range 16 {
			if t%8 == 0 {
				b.ldp(21, 4*t, blockR)
			}
			b.pairAt(21+V(t%2), t/2%4)
			b.floats(biasV)
			b.scaled(20, 0)
		}
	},
}

// A byte of TQ1_0 is a fraction of 256 in base 3: its first digit is 1 from 86 on and 2 from 171 on, and multiplied by 3 it
// gives the next.
var tq1_0 = blockType{
	name: "TQ1", elems: 256, bytes: 54,
	hold: func(b *block) {
		b.constant(15, sameByte(3))
		b.constant(16, sameByte(85))
		b.constant(17, sameByte(170))
		b.constant(18, sameByte(128))
		b.bias(biasV, 129)
	},
	decode: func(b *block) {
		digit := func(v V) {
			b.three("cmhi 16b", 23, v, 16)
			b.three("cmhi 16b", 24, v, 17)
			b.three("add 16b", 23, 23, 24)
			b.three("sub 16b", codesV, 18, 23)
			b.floats(biasV)
			b.scaled(20, 0)
		}
		next := func(v V) { b.three("mul 16b", v, v, 15) }
		b.half(20, 52)
		b.ldp(21, 0, blockR)
		for n := range 5 {
			for v := V(21); v < 23; v++ {
				digit(v)
				if n < 4 {
					next(v)
				}
			}
		}
		b.ldr(21, 32, blockR)
		for n := range 5 {
			digit(21)
			if n < 4 {
				next(21)
			}
		}
		b.ldur4(21, 48, blockR)
		b.dup(21, 21, 0)
		b.constant(22, bytesOf(func(i int) uint8 { return []uint8{1, 3, 9, 27}[i/4] }))
		b.three("mul 16b", 21, 21, 22)
		digit(21)
	},
}

var q2_0 = blockType{
	name: "Q20", elems: 64, bytes: 18,
	hold: func(b *block) {
		b.constant(15, bytesOf(func(i int) uint8 { return uint8(i / 4) }))
		b.constant(16, sameByte(3))
		b.constant(17, bytesOf(func(i int) uint8 { return uint8(-2 * (i % 4)) }))
		b.bias(biasV, 1)
	},
	decode: func(b *block) {
		b.half(20, 0)
		for i := range 4 {
			b.ldur4(codesV, 2+4*i, blockR)
			b.tbl(codesV, codesV, 1, 15)
			b.three("ushl 16b", codesV, codesV, 17)
			b.three("and 16b", codesV, codesV, 16)
			b.floats(biasV)
			b.scaled(20, 0)
		}
	},
}

var q1_0 = blockType{
	name: "Q10", elems: 128, bytes: 18,
	hold: func(b *block) {
		b.bitConstants(16)
		b.constant(15, sameByte(2))
		b.bias(biasV, 1)
	},
	decode: func(b *block) {
		b.half(20, 0)
		for i := range 8 {
			b.bits(codesV, 2+2*i, 16)
			b.three("and 16b", codesV, codesV, 15)
			b.floats(biasV)
			b.scaled(20, 0)
		}
	},
}
