package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// What grid.go does with AVX-512, one block early, 32 rows at a time.

// codebook returns a register with what the function of that name returns, the same throughout.
func (u *unpacker) codebook() Register {
	if u.held.codes == nil {
		u.held.codes = GP64()
	}
	return u.held.codes
}

// magnitudesWide are magnitudes, with the signs at gridSigns, a bit each.
func (u *unpacker) magnitudesWide(g grid, perScale int) weights {
	return func(part int) []VecVirtual {
		v, base := ZMM(), u.codebook()
		if g.width == 32 {
			VBROADCASTF64X4(u.rowAt(g, base, 2*part), v)
			VINSERTF32X8(U8(1), u.rowAt(g, base, 2*part+1), v, v)
		} else {
			second := YMM()
			VBROADCASTF32X4(u.rowAt(g, base, 4*part), v)
			VINSERTF32X4(U8(1), u.rowAt(g, base, 4*part+1), v, v)
			VBROADCASTF128(u.rowAt(g, base, 4*part+2), second)
			VINSERTF128(U8(1), u.rowAt(g, base, 4*part+3), second, second)
			VINSERTF32X8(U8(1), second, v, v)
		}
		u.scaleBy(u.scaleOf(part, perScale), v)
		KMOVW(u.scratch.Offset(gridSigns+2*part), K1)
		VPXORD(u.constant(u.word(1<<31), v), v, K1, v)
		return []VecVirtual{v}
	}
}

// shiftedWide are shifted. The rows are behind what storeUnits writes.
func (u *unpacker) shiftedWide(perScale int) weights {
	base := u.codebook()
	sixteen := func(part int, v VecVirtual) {
		VPBROADCASTQ(u.rowAt(above, base, 32+2*part), v)
		VPBROADCASTQ(u.rowAt(above, base, 32+2*part+1), odd, v)
	}
	return u.units(sixteen, perScale, 64)
}

// storeRowsWide writes the offsets of rows whose numbers are 32 words, from row i on.
func (u *unpacker) storeRowsWide(g grid, i int, numbers VecVirtual) {
	VPSLLW(U8(g.shift()), numbers, numbers)
	u.move(numbers, u.scratch.Offset(gridRows+2*i))
}

// halfWords is a table entry of 32 integers of 16 bits.
func (u *unpacker) halfWords(value func(i int) uint32) Mem {
	return u.lanes(func(i int) uint32 { return value(2*i) | value(2*i+1)<<16 })
}

// shuffle is VPSHUFB to 32 words of bytes of the quarter of v that they are in.
func (u *unpacker) shuffle(v VecVirtual, from func(word int) uint32) {
	VPSHUFB(u.constant(u.halfWords(from), v), v, v)
}

// orBits adds those bits of v to words of numbers that mask has.
func (u *unpacker) orBits(mask uint32, v, numbers VecVirtual) {
	VPTERNLOGD(U8(0xf8), u.constant(u.word(mask<<16|mask), v), v, numbers)
}

// halfUp returns 16 scales, (code + 1/2)·factor·d, of codes that are the lowest bits of words. Bits 4 and above can be anything.
func (u *unpacker) halfUp(codes, d VecVirtual, bits int, factor float32) VecVirtual {
	table := u.singles(func(i int) float32 { return (float32(i&(1<<bits-1)) + 0.5) * factor })
	VPERMPS(u.constant(table, codes), codes, codes)
	VMULPS(d, codes, codes)
	return codes
}

// one returns a register full of the float16 at m.
func (u *unpacker) one(m Mem) VecVirtual {
	d := ZMM()
	VCVTPH2PS(m, d.AsX())
	VBROADCASTSS(d.AsX(), d)
	return d
}

// nibblesOf returns 16 words whose lowest bits are the halves of the eight bytes at m, the low half first.
func (u *unpacker) nibblesOf(m Mem) VecVirtual {
	v := ZMM()
	VPBROADCASTQ(m, v)
	VPSHUFB(u.constant(u.lanes(func(i int) uint32 { return 0x80808000 | uint32(i/2) }), v), v, v)
	VPSRLVD(u.constant(u.lanes(func(i int) uint32 { return uint32(i % 2 * 4) }), v), v, v)
	return v
}

// sevenBits moves four times seven bits of each word to four bytes, whose eighth bit can be anything.
func (u *unpacker) sevenBits(words VecVirtual) VecVirtual {
	var moved [4]VecVirtual
	for i := 1; i < 4; i++ {
		moved[i] = YMM()
		VPSLLD(U8(i), words, moved[i])
	}
	u.pick(0x0000ff00, words, moved[1])
	u.pick(0x00ff0000, moved[3], moved[2])
	u.pick(0x0000ffff, moved[2], moved[1])
	return moved[1]
}

// storeEven writes 32 bytes of signs whose eighth bit can be anything: it becomes what makes the number of bits even, see
// codebook.Signs.
func (u *unpacker) storeEven(v VecVirtual) {
	parity := YMM()
	VPSRLW(U8(4), v, parity)
	VPTERNLOGD(U8(0x28), u.constant(u.word(0x0f0f0f0f), v), v, parity) // of v xor parity, what the mask has
	table := u.lanes(func(i int) uint32 { return []uint32{0x00808000, 0x80000080, 0x80000080, 0x00808000}[i%4] })
	VPSHUFB(parity, u.constant(table, parity).(VecVirtual), parity)
	VPXORD(parity, v, v)
	u.move(v, u.scratch.Offset(gridSigns))
}
