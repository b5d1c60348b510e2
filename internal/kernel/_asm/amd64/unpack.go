package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// unpacker is what the prologues of block types are made of, the same for both instruction sets if they can be.
type unpacker struct {
	*constants
	wide    bool // AVX-512
	exact   bool // whatever the scales are
	added   bool // minima are added, not subtracted
	scratch Mem  // of the block type's size, aligned to 64 bytes
	held    *held
	of128   VecVirtual // see fraction
	later   []func()   // with early, what prepare leaves for the parts that follow, up to three, one each
}

// held are constants that stay in registers throughout a function, of which AVX-512 has enough. They are loaded at its end,
// when it is known which they are.
type held struct {
	order []Mem
	regs  map[Mem]VecVirtual
	owned []initial
	codes Register // where the tables of package codebook begin, if they are needed

	planes Register // where its planes begin, if they are needed
}

// initial is a register of one stream and the table entry that it begins as.
type initial struct {
	value Mem
	reg   VecVirtual
}

// own returns a register that begins as a table entry and stays for what the caller makes of it.
func (h *held) own(m Mem) VecVirtual {
	v := ZMM()
	h.owned = append(h.owned, initial{m, v})
	return v
}

func (h *held) begin() {
	JMP(LabelRef("constants"))
	Label("begin")
}

func (h *held) end() {
	Label("constants")
	for _, m := range h.order {
		VMOVDQU32(m, h.regs[m])
	}
	for _, i := range h.owned {
		VMOVDQU32(i.value, i.reg)
	}
	if h.codes != nil {
		MOVQ(NewDataAddr(Symbol{Name: "·tables"}, 0), h.codes)
	}
	if h.planes != nil {
		MOVQ(NewDataAddr(Symbol{Name: "·planes"}, 0), h.planes)
	}
	JMP(LabelRef("begin"))
}

// constant returns a table entry of a full register as an operand beside v: a register with AVX-512, else the entry.
func (u *unpacker) constant(m Mem, v VecVirtual) Op {
	if !u.wide {
		return m
	}
	r, ok := u.held.regs[m]
	if !ok {
		r = ZMM()
		u.held.order, u.held.regs[m] = append(u.held.order, m), r
	}
	switch v.Size() {
	case 16:
		return r.AsX()
	case 32:
		return r.AsY()
	}
	return r
}

// unpackers returns n unpackers with room for what the block type needs.
func unpackers(b *blockType, n int, k *constants, wide bool) (u []*unpacker) {
	base := GP64()
	if b.scratch > 0 {
		LEAQ(AllocLocal(n*b.scratch+64).Offset(63), base)
		ANDQ(I8(-64), base)
	}
	h := &held{regs: map[Mem]VecVirtual{}}
	for i := range n {
		u = append(u, &unpacker{constants: k, wide: wide, scratch: Mem{Base: base, Disp: i * b.scratch}, held: h})
	}
	return u
}

// zeros are the 16 lanes of a dot product.
func (u *unpacker) zeros() []VecVirtual {
	if u.wide {
		return lanes16(1)
	}
	acc := accumulators(1)[0]
	return acc[:]
}

// sum adds them, as sumLanes.
func (u *unpacker) sum(acc []VecVirtual) Register {
	if u.wide {
		return sumLanesWide(acc[0])
	}
	return sumLanes([2]VecVirtual(acc))
}

// sixteen calls emit for each register that 16 float32 take, with the index of the first.
func (u *unpacker) sixteen(emit func(first int, v VecVirtual)) []VecVirtual {
	var all []VecVirtual
	for first := 0; first < 16; first += 2 * u.elems {
		v := u.reg()
		emit(first, v)
		all = append(all, v)
	}
	return all
}

// signed returns 16 signed bytes times the float32 at scale.
func (u *unpacker) signed(codes, scale Mem) []VecVirtual {
	by := u.scaling(scale, nil)
	return u.sixteen(func(first int, v VecVirtual) {
		VPMOVSXBD(codes.Offset(first), v)
		VCVTDQ2PS(v, v)
		by(v)
	})
}

// unsigned returns 16 bytes times the float32 at scale, less the one at low.
func (u *unpacker) unsigned(codes, scale, low Mem) []VecVirtual {
	by := u.scaling(scale, &low)
	return u.sixteen(func(first int, v VecVirtual) {
		VPMOVZXBD(codes.Offset(first), v)
		VCVTDQ2PS(v, v)
		by(v)
	})
}

// scaling returns what multiplies registers with the float32 at scale and subtracts the one at low, if there is one.
func (u *unpacker) scaling(scale Mem, low *Mem) func(v VecVirtual) {
	if u.wide && low == nil {
		return func(v VecVirtual) { VMULPS_BCST(scale, v, v) }
	}
	s := u.reg()
	VBROADCASTSS(scale, s)
	switch {
	case u.wide:
		return func(v VecVirtual) { u.multiplyLess(*low, s, v) }
	case low == nil:
		return func(v VecVirtual) { VMULPS(s, v, v) }
	}
	l := YMM()
	VBROADCASTSS(*low, l)
	return func(v VecVirtual) { u.multiplyLess(l, s, v) }
}

// multiplyLess multiplies v with s and subtracts low, or adds it. In memory, low is one float32.
func (u *unpacker) multiplyLess(low, s Op, v VecVirtual) {
	_, broadcast := low.(Mem)
	switch {
	case broadcast && u.added:
		VFMADD213PS_BCST(low, s, v)
	case broadcast:
		VFMSUB213PS_BCST(low, s, v)
	case u.added:
		VFMADD213PS(low, s, v)
	default:
		VFMSUB213PS(low, s, v)
	}
}

// scaleBy multiplies v with the float32 at scale.
func (u *unpacker) scaleBy(scale Mem, v VecVirtual) { u.scaling(scale, nil)(v) }

// pick keeps the bits of a that mask has, and takes the others from b.
func (u *unpacker) pick(mask uint32, b, a VecVirtual) {
	if u.wide {
		VPTERNLOGD(U8(0xe4), u.constant(u.word(mask), a), b, a)
		return
	}
	other := VecVirtual(YMM())
	if a.Size() == 16 {
		other = XMM()
	}
	VPAND(u.word(mask), a, a)
	VPAND(u.word(^mask), b, other)
	VPOR(other, a, a)
}

// and is VPAND.
func (u *unpacker) and(mask uint32, v, dst VecVirtual) {
	if u.wide {
		VPANDD(u.constant(u.word(mask), v), v, dst)
		return
	}
	VPAND(u.word(mask), v, dst)
}

// load sets a register to bytes from m on.
func (u *unpacker) load(m Mem) VecVirtual {
	v := u.reg()
	u.move(m, v)
	return v
}

// move is VMOVDQU.
func (u *unpacker) move(src, dst Op) {
	if u.wide {
		VMOVDQU32(src, dst)
		return
	}
	VMOVDQU(src, dst)
}

// levels are what the 16 codes of four bits stand for.
type levels [16]int8

// linear are levels one apart.
func linear(first int8) (l levels) {
	for i := range l {
		l[i] = first + int8(i)
	}
	return l
}

// nibbles are the codes of 32 weights in 16 bytes, ready to be looked up: first the low halves, then the high halves.
type nibbles struct{ v VecVirtual }

// nibbles loads codes.
func (u *unpacker) nibbles(m Mem) nibbles {
	if u.wide {
		v := ZMM()
		VPMOVZXBD(m, v)
		return nibbles{v}
	}
	v := XMM()
	VMOVDQU(m, v)
	return nibbles{v}
}

// high moves the high halves to where the low ones are.
func (u *unpacker) high(n nibbles) {
	if u.wide {
		VPSRLD(U8(4), n.v, n.v)
		return
	}
	VPSRLW(U8(4), n.v, n.v)
}

// table returns what looks up the low halves of codes: levels times the float32 at scale, less the one at low, if there is
// one. With AVX-512 that is a table of 16 float32.
func (u *unpacker) table(l levels, scale Mem, low *Mem) func(n nibbles) []VecVirtual {
	if u.wide {
		t := ZMM()
		u.tableOf(t, func(i int) float32 { return float32(l[i]) }, scale, low)
		return func(n nibbles) []VecVirtual {
			v := ZMM()
			VPERMPS(t, n.v, v)
			return []VecVirtual{v}
		}
	}
	return func(n nibbles) []VecVirtual {
		codes := XMM()
		VPAND(u.word(0x0f0f0f0f), n.v, codes)
		if l != linear(0) {
			values := XMM()
			VMOVDQU(u.list(l.words()...), values)
			VPSHUFB(codes, values, codes)
		}
		by := u.scaling(scale, low)
		return u.eachSixteen(codes, func(_ int, codes Register, v VecVirtual) {
			VPMOVSXBD(codes, v)
			VCVTDQ2PS(v, v)
			by(v)
		})
	}
}

// tableOf sets t to 16 float32, each times the one at scale, less the one at low, if there is one. AVX-512.
func (u *unpacker) tableOf(t VecVirtual, value func(i int) float32, scale Mem, low *Mem) {
	levels := u.constant(u.singles(value), t)
	if low == nil {
		VMULPS_BCST(scale, levels, t)
		return
	}
	VBROADCASTSS(scale, t)
	u.multiplyLess(*low, levels, t)
}

func (l levels) words() []uint64 {
	var w [2]uint64
	for i, v := range l {
		w[i/8] |= uint64(uint8(v)) << (i % 8 * 8)
	}
	return w[:]
}

// table32 returns what looks up codes of five bits: the value of each times the float32 at scale, less the one at low, if
// there is one. Codes may have other bits above, and their register becomes that of the weights. AVX-512.
func (u *unpacker) table32(value func(i int) float32, scale Mem, low *Mem) func(codes VecVirtual) []VecVirtual {
	first, second, other := ZMM(), ZMM(), ZMM() // the other is the minimum, or the scale if there is none
	if low == nil {
		low = &scale
	}
	VBROADCASTSS(*low, other)
	for half, t := range []VecVirtual{first, second} {
		levels := u.constant(u.singles(func(i int) float32 { return value(16*half + i) }), t)
		if *low == scale {
			VMULPS(other, levels, t)
		} else {
			VBROADCASTSS(scale, t)
			u.multiplyLess(other, levels, t)
		}
	}
	return func(codes VecVirtual) []VecVirtual {
		VPERMI2PS(second, first, codes)
		return []VecVirtual{codes}
	}
}

// thirtyTwo sets v, whose lanes begin with codes of five bits, to what they stand for. AVX-512.
func (u *unpacker) thirtyTwo(value func(i int) float32, v VecVirtual) {
	second := u.constant(u.singles(func(i int) float32 { return value(16 + i) }), v)
	VPERMI2PS(second, u.constant(u.singles(value), v), v)
}
