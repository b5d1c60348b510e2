package main

import (
	"math/bits"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// With AVX-512, block types that say so are prepared early: while a block is multiplied, the one behind it goes to scratch. So
// its scales do not keep the multiplications waiting, and scratch can be read otherwise than it was written, which a processor
// cannot do before the writes are in its cache.
type early struct {
	b         *blockType
	u         []*unpacker // one for each stream
	ptr       []Register  // the streams' blocks
	now, next Register    // scratch of the blocks that are multiplied, and of those behind them
	step      Register    // from a block to the next
	left      Register    // blocks of a stream
	fetch     bool        // ask for memory ahead of time
	weight    []weights
}

// newEarly returns what prepares the blocks at ptr, left of them each.
func newEarly(b *blockType, k *constants, ptr []Register, left Register) *early {
	e := &early{b: b, ptr: ptr, left: left, now: GP64(), next: GP64(), step: GP64(), weight: make([]weights, len(ptr))}
	size := len(ptr) * b.early
	LEAQ(AllocLocal(2*size+128).Offset(63), e.now)
	ANDQ(I8(-64), e.now)
	LEAQ(Mem{Base: e.now, Disp: size}, e.next)
	MOVQ(U32(b.bytes), e.step)
	h := &held{regs: map[Mem]VecVirtual{}}
	for range ptr {
		e.u = append(e.u, &unpacker{constants: k, wide: true, held: h})
	}
	return e
}

// prepare emits the preparation of a stream's block, but for what it leaves for later.
func (e *early) prepare(stream int) {
	u := e.preparing(stream)
	for line := 0; e.fetch && line < e.b.bytes; line += 64 {
		PREFETCHT0(Mem{Base: e.ptr[stream], Disp: ahead + line})
	}
	e.weight[stream] = e.b.prepare(u, e.ptr[stream], 1)
}

// preparing returns a stream's unpacker, whose scratch becomes that of the block behind the one that is multiplied.
func (e *early) preparing(stream int) *unpacker {
	u := e.u[stream]
	u.scratch = Mem{Base: e.next, Disp: stream * e.b.early}
	return u
}

// proceed emits one more of what a stream's preparation has left for later, if there is any.
func (e *early) proceed(stream int) {
	if u := e.preparing(stream); len(u.later) > 0 {
		u.later[0]()
		u.later = u.later[1:]
	}
}

// blocks emits what goes through the next block of each stream: use sees the weights of part after part. The block behind the last
// one is the last one again.
func (e *early) blocks(use func(part int, of func(stream int) VecVirtual)) {
	XCHGQ(e.now, e.next)
	DECQ(e.left)
	CMOVQEQ(e.left, e.step)
	for _, p := range e.ptr {
		ADDQ(e.step, p)
	}
	current := append([]weights(nil), e.weight...)
	parts := e.b.elems / 16
	for part := range parts {
		each := parts / len(e.ptr) // evenly, so that the operations of a preparation fit between those of parts
		switch half := each / 2; {
		case !e.b.settles && part%each == 0:
			e.prepare(part / each)
		case !e.b.settles:
			e.proceed(part / each)
		case part%half == 0 && part < parts/2:
			e.prepare(part / half)
		case part%half == 0:
			e.proceed(part/half - len(e.ptr))
		}
		use(part, func(stream int) VecVirtual {
			u := e.u[stream]
			u.scratch = Mem{Base: e.now, Disp: stream * e.b.early}
			return current[stream](part)[0]
		})
	}
}

// begin emits the preparation of the first blocks.
func (e *early) begin() {
	e.u[0].held.begin()
	for _, mask := range []struct {
		of   Register
		bits uint64
	}{{third, 0x4444444444444444}, {odd, 0xaa}, {eights, 0xff00ff00ff00ff00}} {
		bits := GP64()
		MOVQ(U64(mask.bits), bits)
		KMOVQ(bits, mask.of)
	}
	for i := range e.ptr {
		e.prepare(i)
		for range e.u[i].later {
			e.proceed(i)
		}
	}
}

func (e *early) end() {
	VZEROUPPER()
	RET()
	e.u[0].held.end()
}

// dotBlocksEarly is dotBlocks.
func dotBlocksEarly(b *blockType, streams int, k *constants) {
	w, left, gap := Load(Param("w"), GP64()), Load(Param("cols"), GP64()), GP64()
	SHRQ(U8(bits.TrailingZeros(uint(b.elems))), left)
	IMULQ(Load(Param("rows"), GP64()), left)
	IMUL3Q(U32(b.bytes), left, gap)
	e := newEarly(b, k, rowPointers(w, gap, streams, 1), left)
	e.fetch = true
	y := Load(Param("y"), GP64())
	late := rowSums{AllocLocal(64 * streams), y}
	SUBQ(U8(4), y)
	e.begin()

	Label("row")
	acc := lanes16(streams)
	x, blocks := Load(Param("x"), GP64()), Load(Param("cols"), GP64())
	SHRQ(U8(bits.TrailingZeros(uint(b.elems))), blocks)
	Label("block")
	e.blocks(func(part int, of func(int) VecVirtual) {
		columns := Op(Mem{Base: x, Disp: 64 * part})
		if streams > 1 {
			v := ZMM()
			VMOVUPS(columns, v)
			columns = v
		}
		for i := range acc {
			VFMADD231PS(columns, of(i), acc[i])
		}
	})
	ADDQ(U32(4*b.elems), x)
	DECQ(blocks)
	JNZ(LabelRef("block"))
	CMPQ(y, Load(Param("y"), GP64()))
	JB(LabelRef("first"))
	late.write(streams)
	Label("first")
	for i, lanes := range acc {
		VMOVUPS(lanes, late.lanes.Offset(64*i))
	}
	ADDQ(U8(4), y)
	TESTQ(left, left)
	JNZ(LabelRef("row"))
	late.write(streams)
	e.end()
}

// rowSums writes the sums of rows one row late: sums are not kept waiting for the last weights of their row, so fewer registers
// are in flight, and those of four streams can be added side by side.
type rowSums struct {
	lanes Mem      // of each stream's last row
	y     Register // where the first stream's sum is written
}

// write emits the sums of the last row, in the order of sumLanes. A widening from memory takes no shuffle.
func (s *rowSums) write(streams int) {
	var folded [4]VecVirtual
	for i := range streams {
		lanes, high := s.lanes.Offset(64*i), ZMM()
		folded[i] = ZMM()
		VCVTPS2PD(lanes, folded[i])
		VCVTPS2PD(lanes.Offset(32), high)
		VADDPD(high, folded[i], folded[i])
	}
	if streams == 1 {
		VMOVSS(sumFolded(folded[0]), Mem{Base: s.y})
		return
	}
	sums, other := sumQuads(folded), ZMM()
	stride := Load(Param("rows"), GP64())
	VPERMILPD(U8(0x55), sums, other)
	VADDPD(other, sums, sums)
	VCVTPD2PS(sums, sums.AsY())
	VMOVSS(sums.AsX(), Mem{Base: s.y})
	VEXTRACTPS(U8(2), sums.AsX(), Mem{Base: s.y, Index: stride, Scale: 4})
	high, to := XMM(), GP64()
	VEXTRACTF128(U8(1), sums.AsY(), high)
	LEAQ(Mem{Base: s.y, Index: stride, Scale: 8}, to)
	VMOVSS(high, Mem{Base: to})
	VEXTRACTPS(U8(2), high, Mem{Base: to, Index: stride, Scale: 4})
}

// widenBlocksEarly is widenBlocks.
func widenBlocksEarly(b *blockType, k *constants) {
	dst, src, left := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("n"), GP64())
	SHRQ(U8(bits.TrailingZeros(uint(b.elems))), left)
	e := newEarly(b, k, []Register{src}, left)
	e.u[0].exact = true
	e.begin()
	Label("block")
	e.blocks(func(part int, of func(int) VecVirtual) { VMOVUPS(of(0), Mem{Base: dst, Disp: 64 * part}) })
	ADDQ(U32(4*b.elems), dst)
	TESTQ(left, left)
	JNZ(LabelRef("block"))
	e.end()
}

// mix sets dst to 64 bytes from src, of which word i gets the bytes i, 16+i, 32+i and 48+i. So 64 bytes from byte j of dst on, in
// memory, are words that begin with the bytes from 16j on.
func (u *unpacker) mix(src Op, dst VecVirtual) {
	VPERMD(src, u.constant(u.lanes(func(i int) uint32 { return uint32(i%4*4 + i/4) }), dst), dst)
	u.mixWords(dst)
}

// mixWords is mix of bytes whose words have been put in order already: word i is to get the bytes at i%4 of four words.
func (u *unpacker) mixWords(v VecVirtual) {
	VPSHUFB(u.constant(u.lanes(func(i int) uint32 { return uint32(i%4)*0x01010101 + 0x0c080400 }), v), v, v)
}

// storeNibbles writes the halves of 64 bytes to scratch, 128 bytes from at on, where nibblesAt finds them.
func (u *unpacker) storeNibbles(src Op, at int) {
	v := ZMM()
	u.mix(src, v)
	u.storeMixedNibbles(v, at)
}

// storeMixedNibbles is storeNibbles of bytes that are mixed. v is lost.
func (u *unpacker) storeMixedNibbles(v VecVirtual, at int) {
	u.move(v, u.scratch.Offset(at))
	VPSRLW(U8(4), v, v)
	u.move(v, u.scratch.Offset(at+64))
}

// nibblesAt returns the low or high halves of 16 bytes of those that were stored at at, from 16·sixteenth on. There are other bits
// above them.
func (u *unpacker) nibblesAt(at, sixteenth, half int) nibbles {
	return nibbles{u.load(u.scratch.Offset(at + 64*half + sixteenth))}
}

// The widening of early block types without tables: a byte c becomes the float32 128+c, below 2^8, by moving it into the fraction of
// 128, and a multiply-add with the scale s gives s·(128+c) - s·(128+zero), which is s·(c-zero) if s has few enough bits. If s
// is not finite, all its weights are NaN.

// storeUnits writes 16 scales to the beginning of scratch, and what is to be added behind them.
func (u *unpacker) storeUnits(scales VecVirtual, zero int) {
	VMOVUPS(scales, u.scratch)
	if u.exact {
		return
	}
	VMULPS(u.constant(u.single(float32(-128-zero)), scales), scales, scales)
	VMOVUPS(scales, u.scratch.Offset(64))
}

// units returns the weights of bytes below 128, of which so many parts share a scale. sixteen sets each quarter of a register to
// those of a part.
func (u *unpacker) units(sixteen func(part int, v VecVirtual), perScale, zero int) weights {
	s, add := VecVirtual(nil), VecVirtual(nil)
	return func(part int) []VecVirtual {
		scale, v, codes := u.scratch.Offset(part/perScale*4), ZMM(), ZMM()
		sixteen(part, codes)
		if u.exact {
			VPMOVZXBD(codes.AsX(), v)
			VPSUBD(u.constant(u.word(uint32(zero)), v), v, v)
			VCVTDQ2PS(v, v)
			u.scaleBy(scale, v)
			return []VecVirtual{v}
		}
		VPSHUFB(u.constant(u.lanes(func(i int) uint32 { return uint32(i) << 16 }), v), codes, third, u.fraction())
		if perScale == 1 {
			VBROADCASTSS(scale, v)
			VFMADD213PS_BCST(scale.Offset(64), u.fraction(), v)
			return []VecVirtual{v}
		}
		if part%perScale == 0 {
			s, add = ZMM(), ZMM()
			VBROADCASTSS(scale, s)
			VBROADCASTSS(scale.Offset(64), add)
		}
		VMOVDQA32(s, v)
		VFMADD213PS(add, u.fraction(), v)
		return []VecVirtual{v}
	}
}

// fraction returns the register of 128 whose fractions are codes. No other bytes of it ever change, so it need not be set again.
func (u *unpacker) fraction() VecVirtual {
	if u.of128 == nil {
		u.of128 = u.held.own(u.single(128))
	}
	return u.of128
}

// What begin sets: masks of the third byte of each word, of every other word of 64 bits, and of every other eight bytes.
var third, odd, eights = K7, K6, K5

// blank returns a register of zeros, of which a part is to be set or kept.
func (u *unpacker) blank() VecVirtual {
	v := ZMM()
	VMOVDQA32(u.constant(u.word(0), v), v)
	return v
}
