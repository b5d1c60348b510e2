package main

import (
	"fmt"
	"math/bits"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Dtypes of blocks. From one prologue each, which makes the scales of a block ready, come three functions for an instruction
// set: dotFour and dotOne multiply rows with a vector in four streams and in one, widen writes the values.
//
// To add a dtype: a file NAME.go with its blockType, a line in blockTypes, go generate, and a line in the formats of
// isa_amd64.go. Its prepare emits what is done once for a block, and returns what emits the float32 values of 16 weights. Both
// may use the scratch space and everything in unpack.go:
//
//   - codes that are signed or unsigned bytes, in the block or in scratch, are widened by signed and unsigned;
//   - codes of four bits with any 16 levels, linear or not, by a table;
//   - scales are left in scratch as float32, from where they are broadcast. halves and kScales read those of most types;
//   - masks and the like are u.constant, which AVX-512 keeps in a register. Loads are as scarce as arithmetic.
//
// With AVX-512 prepare may be asked one block early: see early.go.
//
// So the simplest prologue writes all codes to scratch as bytes, in the order of the weights, and the scales behind them. A
// value must be the exact one: scale·code fits float32, and where there is a minimum, the fused multiply-subtract of the
// helpers rounds once, as tensor.WidenF32 does.
type blockType struct {
	name         string // in names of functions
	elems, bytes int    // of a block; elems is a power of two
	group        int    // how many blocks prepare takes at a time, beside one; 1: only one
	scratch      int    // bytes on the stack, a multiple of 64 and aligned to 64
	early        int    // in place of scratch with AVX-512, if not 0: prepare is one block early and leaves all it does in scratch
	abreast      int    // of four streams, how many alternate for each 16 weights, as far as registers allow
	inScratch    bool   // prepare leaves nothing in vector registers, so that AVX2 can have streams abreast too
	prepare      func(u *unpacker, p Register, blocks int) weights
	settles      bool                                  // what prepare leaves for later with early reads what prepare wrote, and waits for half a block
	planes       func(u *unpacker, p Register) weights // if not nil, prepare of processors that planes.go is for
}

// weights emits weights 16·part to 16·part+15 of the blocks that were prepared: one register with AVX-512, two with AVX2.
// It is called for all parts, in ascending order.
type weights func(part int) []VecVirtual

var blockTypes = []blockType{
	q8_0, q4_0, q4_1, q5_0, q5_1, q2_k, q3_k, q4_k, q5_k, q6_k,
	iq4_nl, iq4_xs, iq3_s, iq3_xxs, iq2_s, iq2_xs, iq2_xxs, iq1_m, iq1_s, tq2_0, tq1_0, mxfp4, nvfp4, q2_0, q1_0,
}

// ahead is how many bytes before it is needed a stream's memory is asked for. What the processor fetches by itself ends with
// each page, and unpacking takes too long for the loads of the next page to begin in time.
const ahead = 2048

// blocks generates the functions of all block types.
func blocks(isa string, wide bool) {
	elems := map[bool]int{false: 4, true: 8}[wide]
	k := namedConstants("blocks"+isa, isa, elems)
	for _, b := range blockTypes {
		if isa == "VBMI" { // the others are those of AVX-512
			if b.planes == nil {
				continue
			}
			b.early, b.prepare = planeScratch, func(u *unpacker, p Register, _ int) weights { return b.planes(u, p) }
		}
		dotBlocks(&b, 4, k, wide)
		dotBlocks(&b, 1, k, wide)
		widenBlocks(&b, k, wide)
	}
	if isa == "AVX512" {
		for _, b := range by256 {
			dotBlocks(&b, 4, k, wide)
			dotBlocks(&b, 1, k, wide)
		}
	}
}

// dotBlocks is dot and dotWide for blocks. Some streams multiply abreast: sums of one wait while the others multiply.
func dotBlocks(b *blockType, streams int, k *constants, wide bool) {
	name := fmt.Sprintf("dot%s%s%s", []string{1: "One", 4: "Four"}[streams], b.name, k.isa)
	TEXT(name, 0, "func(y *float32, w *byte, x *float32, cols, rows int)")
	Doc(fmt.Sprintf("%s is dotGeneric of each row of w [%d·rows, cols]; cols is a multiple of %d.", name, streams, b.elems))
	Pragma("noescape")
	if wide && b.early > 0 {
		dotBlocksEarly(b, streams, k)
		return
	}
	w, cols, rows := Load(Param("w"), GP64()), Load(Param("cols"), GP64()), Load(Param("rows"), GP64())
	abreast := 1
	if wide || b.inScratch {
		abreast = min(b.abreast, streams)
	}
	u := unpackers(b, abreast, k, wide)
	SHRQ(U8(bits.TrailingZeros(uint(b.elems))), cols)
	gap := GP64() // bytes from one stream to the next
	MOVQ(cols, gap)
	IMULQ(rows, gap)
	IMUL3Q(U32(b.bytes), gap, gap)
	ptr := rowPointers(w, gap, streams, 1)
	y := Load(Param("y"), GP64())
	if wide {
		u[0].held.begin()
	}

	Label("row")
	acc := make([][]VecVirtual, streams)
	for i := range acc {
		acc[i] = u[0].zeros()
	}
	at, left := Load(Param("x"), GP64()), GP64()
	MOVQ(cols, left)
	forBlocks(b, left, func(n int) {
		for i := 0; i < streams; i += abreast {
			multiplyBlocks(b, n, u, ptr[i:i+abreast], at, acc[i:i+abreast])
		}
		ADDQ(U32(n*b.elems*4), at)
	})
	stride, out := Load(Param("rows"), GP64()), GP64()
	MOVQ(y, out)
	for i := range acc {
		VMOVSS(u[0].sum(acc[i]), Mem{Base: out})
		if i+1 < streams {
			LEAQ(Mem{Base: out, Index: stride, Scale: 4}, out)
		}
	}
	ADDQ(U8(4), y)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
	if wide {
		u[0].held.end()
	}
}

// multiplyBlocks emits the multiply-adds of n blocks of some streams with x, and moves the streams on.
func multiplyBlocks(b *blockType, n int, u []*unpacker, ptr []Register, x Register, acc [][]VecVirtual) {
	var weight []weights
	for i, p := range ptr {
		for line := 0; line < n*b.bytes; line += 64 {
			PREFETCHT0(Mem{Base: p, Disp: ahead + line})
		}
		weight = append(weight, b.prepare(u[i], p, n))
	}
	for part := range n * b.elems / 16 {
		columns := []Op{Mem{Base: x, Disp: 64 * part}, Mem{Base: x, Disp: 64*part + 32}}
		if len(ptr) > 1 {
			for half, v := range u[0].sixteen(func(first int, v VecVirtual) { u[0].move(Mem{Base: x, Disp: 64*part + 4*first}, v) }) {
				columns[half] = v
			}
		}
		for i := range ptr {
			for half, v := range weight[i](part) {
				VFMADD231PS(columns[half], v, acc[i][half])
			}
		}
	}
	for _, p := range ptr {
		ADDQ(U32(n*b.bytes), p)
	}
}

// widenBlocks is widen for blocks.
func widenBlocks(b *blockType, k *constants, wide bool) {
	name := "widen" + b.name + k.isa
	TEXT(name, 0, "func(dst *float32, src *byte, n int)")
	Doc(fmt.Sprintf("%s is tensor.WidenF32 of n elements; n is a multiple of %d.", name, b.elems))
	Pragma("noescape")
	if wide && b.early > 0 {
		widenBlocksEarly(b, k)
		return
	}
	dst, src, left := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("n"), GP64())
	u := unpackers(b, 1, k, wide)[0]
	SHRQ(U8(bits.TrailingZeros(uint(b.elems))), left)
	if wide {
		u.held.begin()
	}
	forBlocks(b, left, func(n int) {
		weight := b.prepare(u, src, n)
		for part := range n * b.elems / 16 {
			for half, v := range weight(part) {
				VMOVUPS(v, Mem{Base: dst, Disp: 64*part + 32*half})
			}
		}
		ADDQ(U32(n*b.bytes), src)
		ADDQ(U32(n*b.elems*4), dst)
	})
	VZEROUPPER()
	RET()
	if wide {
		u.held.end()
	}
}

// forBlocks emits a loop over blocks, as many as left says, in groups and then one by one.
func forBlocks(b *blockType, left Register, body func(n int)) {
	if b.group > 1 {
		SUBQ(U8(b.group), left)
		JLT(LabelRef("rest"))
		Label("group")
		body(b.group)
		SUBQ(U8(b.group), left)
		JGE(LabelRef("group"))
		Label("rest")
		ADDQ(U8(b.group), left)
		JEQ(LabelRef("done"))
	}
	Label("block")
	body(1)
	DECQ(left)
	JNZ(LabelRef("block"))
	if b.group > 1 {
		Label("done")
	}
}
