package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// What IQ1, IQ2 and IQ3 have in common: weights are rows of a table (package codebook), eight or four of them, times a scale,
// with signs. Their prologues write to scratch where the rows are, the scales, and the signs of IQ2 and IQ3.
const (
	gridScales  = 0   // up to 16 float32
	gridRows    = 64  // up to 64 offsets from the beginning of the table, 16 bits each
	gridSigns   = 192 // 32 bytes with a bit for each weight, or with AVX2 the offsets of 32 rows of masks, 16 bits each
	gridScratch = 256
)

// grid is a table of rows, one of those in codebook.Tables.
type grid struct {
	at    int // its first index
	width int // bytes of a row
}

var (
	iq2xxs = grid{0, 32}
	iq2xs  = grid{iq2xxs.at + 256*32, 32}
	iq2s   = grid{iq2xs.at + 512*32, 32}
	iq1    = grid{iq2s.at + 1024*32, 8}
	iq3xxs = grid{iq1.at + 4096*8, 16}
	iq3s   = grid{iq3xxs.at + 256*16, 16}
	masks  = grid{iq3s.at + 512*16, 32}
	above  = grid{masks.at + 256*32, 8}
)

// shift is how far a row's number is shifted to become its offset.
func (g grid) shift() int { return map[int]int{8: 3, 16: 4, 32: 5}[g.width] }

// codebook sets a register to where the tables begin.
func codebook() Register {
	base := GP64()
	MOVQ(NewDataAddr(Symbol{Name: "·tables"}, 0), base)
	return base
}

// rowAt returns row i of a block, as scratch has it.
func (u *unpacker) rowAt(g grid, base Register, i int) Mem {
	return g.row(base, u.scratch.Offset(gridRows+2*i))
}

// row returns the row whose offset is at m.
func (g grid) row(base Register, m Mem) Mem {
	at := GP64()
	MOVWLZX(m, at.As32())
	return Mem{Base: base, Disp: g.at, Index: at, Scale: 1}
}

// scaleOf returns the scale of a part, of which perScale share one.
func (u *unpacker) scaleOf(part, perScale int) Mem {
	return u.scratch.Offset(gridScales + part/perScale*4)
}

// shifted are the weights of IQ1, whose rows are eight bytes.
func (u *unpacker) shifted(perScale int) weights {
	base := codebook()
	return func(part int) []VecVirtual {
		return u.sixteen(func(first int, v VecVirtual) {
			VPMOVSXBD(u.rowAt(iq1, base, 2*part+first/8), v)
			VCVTDQ2PS(v, v)
			u.scaleBy(u.scaleOf(part, perScale), v)
		})
	}
}

// magnitudes are the weights of IQ2 and IQ3, whose rows are float32, with the signs at signs: see storeSigns.
func (u *unpacker) magnitudes(g grid, perScale int, signs Mem) weights {
	base := codebook()
	eight := func(i int, v VecVirtual) {
		switch {
		case g.width < 32:
			VBROADCASTF128(u.rowAt(g, base, 2*i), v)
			VINSERTF128(U8(1), u.rowAt(g, base, 2*i+1), v, v)
		default:
			VMOVUPS(u.rowAt(g, base, i), v)
		}
	}
	return func(part int) []VecVirtual {
		return u.sixteen(func(first int, v VecVirtual) {
			i := 2*part + first/8
			eight(i, v)
			u.scaleBy(u.scaleOf(part, perScale), v)
			VXORPS(masks.row(base, signs.Offset(2*i)), v, v)
		})
	}
}

// storeRows writes the offsets of rows whose numbers are 16 words, from row i on.
func (u *unpacker) storeRows(g grid, i int, numbers VecVirtual) {
	VPSLLW(U8(g.shift()), numbers, numbers)
	VMOVDQU(numbers, u.scratch.Offset(gridRows+2*i))
}

// storeSigns writes the signs of 32 times eight weights, and returns where magnitudes finds them.
func (u *unpacker) storeSigns(signs VecVirtual) Mem {
	at := u.scratch.Offset(gridSigns)
	for half := range 2 {
		v := YMM()
		if half == 1 {
			VEXTRACTI128(U8(1), signs, signs.AsX())
		}
		VPMOVZXBW(signs.AsX(), v)
		VPSLLW(U8(5), v, v)
		VMOVDQU(v, at.Offset(32*half))
	}
	return at
}

// storeStoredSigns is storeSigns for bytes of seven bits: the eighth makes the number of bits even, see codebook.Signs.
func (u *unpacker) storeStoredSigns(stored VecVirtual) Mem {
	// A bit 7 for each number of four bits that has an odd number of them.
	odd := u.list(0x8000008000808000, 0x0080800080000080, 0x8000008000808000, 0x0080800080000080)
	table, low, high := YMM(), YMM(), YMM()
	VMOVDQU(odd, table)
	VPAND(u.word(0x0f0f0f0f), stored, low)
	VPSRLW(U8(4), stored, high)
	VPAND(u.word(0x0f0f0f0f), high, high)
	VPSHUFB(low, table, low)
	VPSHUFB(high, table, high)
	VPXOR(high, low, low)
	VPOR(low, stored, stored)
	return u.storeSigns(stored)
}

// spread moves four times seven bits of each word to four bytes.
func (u *unpacker) spread(words VecVirtual) VecVirtual {
	all := YMM()
	VPAND(u.word(0x7f), words, all)
	for i := 1; i < 4; i++ {
		v := YMM()
		VPSLLD(U8(i), words, v)
		VPAND(u.word(0x7f<<(8*i)), v, v)
		VPOR(v, all, all)
	}
	return all
}

// storeScales writes eight scales, (code + 1/2)·factor·d, from scale i on. d is eight lanes of the block's own.
func (u *unpacker) storeScales(i int, codes, d VecVirtual, factor float32) {
	VCVTDQ2PS(codes, codes)
	VADDPS(u.single(0.5), codes, codes)
	VMULPS(d, codes, codes)
	VMULPS(u.single(factor), codes, codes)
	VMOVUPS(codes, u.scratch.Offset(gridScales+4*i))
}

// storeNibbleScales is storeScales for 16 codes of four bits in the eight bytes at m, the low half of a byte first.
func (u *unpacker) storeNibbleScales(m Mem, d VecVirtual, factor float32) {
	codes := nibblePairs(u, m, true)
	for half := range 2 {
		v := YMM()
		VPMOVZXBD(codes[0], v)
		u.storeScales(8*half, v, d, factor)
		VPSRLDQ(U8(8), codes[0], codes[0])
	}
}

// nibblePairs returns the halves of bytes at m as bytes, the low half first: 16 of eight bytes, or 32 of 16 in two registers.
func nibblePairs(u *unpacker, m Mem, eight bool) []VecVirtual {
	low, high := XMM(), XMM()
	if eight {
		VMOVQ(m, low)
	} else {
		VMOVDQU(m, low)
	}
	VPSRLW(U8(4), low, high)
	first, second := XMM(), XMM()
	VPUNPCKLBW(high, low, first)
	VPAND(u.word(0x0f0f0f0f), first, first)
	if eight {
		return []VecVirtual{first}
	}
	VPUNPCKHBW(high, low, second)
	VPAND(u.word(0x0f0f0f0f), second, second)
	return []VecVirtual{first, second}
}

// spreadBytes sets 16 words to the bytes at m, each as often as its share: four bytes at four words, or two at eight.
func (u *unpacker) spreadBytes(m Mem, bytes int) VecVirtual {
	v := YMM()
	VPBROADCASTD(m, v)
	order := u.list(0x8000800080008000, 0x8001800180018001, 0x8002800280028002, 0x8003800380038003)
	if bytes == 2 {
		order = u.list(0x8000800080008000, 0x8000800080008000, 0x8001800180018001, 0x8001800180018001)
	}
	VPSHUFB(order, v, v)
	return v
}
