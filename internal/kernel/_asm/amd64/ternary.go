package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// levelsOf returns a register of what codes mean times d. The values repeat, as codes may have other bits above: a lookup takes
// the lower four bits with AVX-512, three with AVX2.
func (u *unpacker) levelsOf(d VecVirtual, value func(code int) float32) VecVirtual {
	t := u.reg()
	VMULPS(u.constant(u.singles(value), t), d, t)
	return t
}

// lookup returns the levels of codes, one a lane.
func (u *unpacker) lookup(t, codes VecVirtual) VecVirtual {
	v := u.reg()
	VPERMPS(t, codes, v)
	return v
}

// ternary are the levels of codes of two bits.
func ternary(code int) float32 { return float32(code&3 - 1) }

// A block of Q1_0 has d and 128 bits.
var q1_0 = blockType{name: "Q10", elems: 128, bytes: 18, group: 1, abreast: 4,
	prepare: func(u *unpacker, p Register, _ int) weights {
		d := u.half(Mem{Base: p})
		if u.wide {
			VPXORD(u.constant(u.word(1<<31), d), d, d)
		}
		return func(part int) []VecVirtual {
			if u.wide {
				v := ZMM()
				VMOVDQA32(d, v)
				KMOVW(Mem{Base: p, Disp: 2 + 2*part}, K1)
				VPXORD(u.constant(u.word(1<<31), v), v, K1, v)
				return []VecVirtual{v}
			}
			return u.sixteen(func(first int, v VecVirtual) {
				VPBROADCASTD(Mem{Base: p, Disp: 2 + part/2*4}, v)
				VPSLLVD(u.list(reversed(16*(part%2)+first)...), v, v)
				VPANDN(u.word(1<<31), v, v)
				VPXOR(d, v, v)
			})
		}
	}}

// reversed are eight shifts that take the bits from first on to the sign.
func reversed(first int) []uint64 {
	var w []uint64
	for i := 0; i < 8; i += 2 {
		w = append(w, uint64(31-first-i)|uint64(30-first-i)<<32)
	}
	return w
}

// A block of Q2_0 has d and 16 bytes with four codes each, one weight after the other.
var q2_0 = blockType{name: "Q20", elems: 64, bytes: 18, group: 1, abreast: 4,
	prepare: func(u *unpacker, p Register, _ int) weights {
		t := u.levelsOf(u.half(Mem{Base: p}), ternary)
		return func(part int) []VecVirtual {
			return u.sixteen(func(first int, v VecVirtual) {
				VPBROADCASTD(Mem{Base: p, Disp: 2 + 4*part}, v)
				VPSRLVD(u.constant(u.lanes(func(i int) uint32 { return uint32(2 * i) }).Offset(4*first), v), v, v)
				VPERMPS(t, v, v)
			})
		}
	}}

// pairs returns the weights of which each byte from load has four codes of two bits, 32 weights apart: it loads 16 bytes,
// from 0 or 16 on, for the first or second half of a block. Two codes share the low four bits, so that one table finds the
// first, and another the second. AVX-512.
func (u *unpacker) pairs(load func(half, from int) VecVirtual, table func(part int, value func(int) float32) VecVirtual) weights {
	var codes [2]VecVirtual
	return func(part int) []VecVirtual {
		j, i := part/2%4, part%2
		switch j {
		case 0:
			codes[i] = load(part/8, 16*i)
		case 2:
			VPSRLD(U8(4), codes[i], codes[i])
		}
		v := ZMM()
		VPERMPS(table(part, func(code int) float32 { return float32(code >> (j % 2 * 2) & 3) }), codes[i], v)
		return []VecVirtual{v}
	}
}

// A block of TQ2_0 has 64 bytes with four codes each, 32 weights apart, and d.
var tq2_0 = blockType{name: "TQ2", elems: 256, bytes: 66, group: 1, abreast: 4,
	prepare: func(u *unpacker, p Register, _ int) weights {
		d := u.half(Mem{Base: p, Disp: 64})
		t := u.levelsOf(d, ternary)
		if u.wide {
			tables := [2]VecVirtual{t, u.levelsOf(d, func(code int) float32 { return ternary(code >> 2) })}
			return u.pairs(func(half, from int) VecVirtual {
				codes := ZMM()
				VPMOVZXBD(Mem{Base: p, Disp: 32*half + from}, codes)
				return codes
			}, func(part int, _ func(int) float32) VecVirtual { return tables[part/2%2] })
		}
		var codes [4]VecVirtual
		return func(part int) []VecVirtual {
			var all []VecVirtual
			for half := range 2 {
				c := &codes[part%2*2+half]
				if part/2%4 == 0 {
					*c = YMM()
					VPMOVZXBD(Mem{Base: p, Disp: part/8*32 + part%2*16 + 8*half}, *c)
				} else {
					VPSRLD(U8(2), *c, *c)
				}
				all = append(all, u.lookup(t, *c))
			}
			return all
		}
	}}

// A block of TQ1_0 has 32, 16 and 4 bytes with five, five and four codes each, 32, 16 and 4 weights apart, and d. A code is the
// digit of a fraction in base 3 that a multiplication carries out of the byte.
var tq1_0 = blockType{name: "TQ1", elems: 256, bytes: 54, group: 1, abreast: 4,
	prepare: func(u *unpacker, p Register, _ int) weights {
		t := u.levelsOf(u.half(Mem{Base: p, Disp: 52}), func(code int) float32 { return float32(code - 1) })
		power := func(n int) uint32 { return []uint32{1, 3, 9, 27, 81}[n] << 8 & 0xffff }
		fractions := map[int][]VecVirtual{} // by their place in the block
		return func(part int) []VecVirtual {
			at, digit := part%2*16, part/2
			if part >= 10 {
				at, digit = 32, part-10
			}
			if part == 15 {
				at = 48
			}
			if fractions[at] == nil {
				fractions[at] = u.sixteen(func(first int, v VecVirtual) {
					if at < 48 {
						VPMOVZXBD(Mem{Base: p, Disp: at + first}, v)
						return
					}
					VPBROADCASTD(Mem{Base: p, Disp: at}, v.AsX())
					VPMOVZXBD(v.AsX(), v)
				})
			}
			var all []VecVirtual
			for half, f := range fractions[at] {
				factor := u.lanes(func(i int) uint32 {
					if part == 15 {
						return power(i / 4)
					}
					return power(digit)
				}).Offset(32 * half)
				v := u.reg()
				VPMULLW(u.constant(factor, v), f, v)
				VPMULHUW(u.constant(u.word(3), v), v, v)
				all = append(all, u.lookup(t, v))
			}
			return all
		}
	}}
