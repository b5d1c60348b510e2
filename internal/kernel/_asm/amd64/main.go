// Command amd64 generates the amd64 assembly of package kernel: go generate.
package main

//go:generate go run . -out ../../kernel_amd64.s -stubs ../../kernel_stubs_amd64.go -pkg kernel
//go:generate go run . -isa avx512 -out ../../kernel_avx512_amd64.s -stubs ../../kernel_avx512_stubs_amd64.go -pkg kernel
//go:generate go run . -blocks -out ../../blocks_amd64.s -stubs ../../blocks_stubs_amd64.go -pkg kernel
//go:generate go run . -isa avx512 -blocks -out ../../blocks_avx512_amd64.s -stubs ../../blocks_avx512_stubs_amd64.go -pkg kernel
//go:generate go run . -isa vbmi -blocks -out ../../blocks_vbmi_amd64.s -stubs ../../blocks_vbmi_stubs_amd64.go -pkg kernel
//go:generate go run . -codes -out ../../codes_amd64.s -stubs ../../codes_stubs_amd64.go -pkg kernel
//go:generate go run . -isa avx512 -codes -out ../../codes_avx512_amd64.s -stubs ../../codes_avx512_stubs_amd64.go -pkg kernel

import (
	"flag"
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A stored type: how wide an element is and how 8 of them become float32 in a register.
type stored struct {
	name string
	size int
	load func(src Mem, dst VecVirtual)
}

var storedTypes = []stored{
	{"F32", 4, func(src Mem, dst VecVirtual) { VMOVUPS(src, dst) }},
	{"F16", 2, func(src Mem, dst VecVirtual) { VCVTPH2PS(src, dst) }},
	{"BF16", 2, func(src Mem, dst VecVirtual) {
		VPMOVZXWD(src, dst)
		VPSLLD(U8(16), dst, dst)
	}},
}

// Flags choose what is generated: the variants of one instruction set go into files of their own.
var (
	isa      = flag.String("isa", "avx2", "avx2, avx512 or, for some blocks, vbmi")
	ofBlocks = flag.Bool("blocks", false, "the dtypes of blocks alone, which are left out otherwise")
	ofCodes  = flag.Bool("codes", false, "codes whose scales lie apart alone, which are left out otherwise")
)

func main() {
	flag.Parse()
	ConstraintExpr("!purego")
	switch {
	case *ofBlocks:
		blocks(strings.ToUpper(*isa), *isa != "avx2")
		Generate()
		return
	case *ofCodes:
		codes(strings.ToUpper(*isa), *isa == "avx512")
		Generate()
		return
	case *isa == "avx512":
		avx512()
		Generate()
		return
	}
	for _, s := range storedTypes {
		dot(s, 4)
		dot(s, 1)
	}
	tile(2, 3)
	for _, s := range storedTypes[1:] {
		widen(s)
	}
	k := newConstants("AVX2", 4)
	for _, f := range []func(*constants){scanStep, negExp, softplus, gate, conv, addSquares, scaleRow, narrowF16, narrowBF16, maxAbsBits, gateRank, turn, rotateNeighbours, rotateHalves} {
		f(k)
	}
	headStep(2)
	headStep(1)
	for rank := 1; rank <= maxRank; rank++ {
		trapezoidAVX2(rank, 1)
	}
	trapezoidAVX2(1, 2)
	read()
	addTo("AVX2", YMM, 8)
	addRows("AVX2", YMM, 8, 2)
	weigh(k)
	roundTrials("AVX2", YMM, 8)
	scanTrials("AVX2", YMM, 8)
	multiplyAdd("AVX2", 8, 12, YMM)
	Generate()
}

// dot generates the dot products of rows with one vector. It goes through the rows in several streams at once, each of
// them in the order in which it lies in memory: more streams keep more of the memory's bandwidth busy.
func dot(s stored, streams int) {
	TEXT(fmt.Sprintf("dot%s%sAVX2", []string{1: "One", 4: "Four"}[streams], s.name), NOSPLIT,
		"func(y *float32, w *byte, x *float32, cols, rows int)")
	Doc(fmt.Sprintf("dot%s%sAVX2 sets y[r] to the dot product of row r of w [%d·rows, cols] with x, as dotGeneric does.",
		[]string{1: "One", 4: "Four"}[streams], s.name, streams),
		"cols is a positive multiple of 16, rows is positive.")
	Pragma("noescape")
	y, w, x := Load(Param("y"), GP64()), Load(Param("w"), GP64()), Load(Param("x"), GP64())
	cols, rows := Load(Param("cols"), GP64()), Load(Param("rows"), GP64())
	gap := GP64() // elements from one stream to the next
	MOVQ(cols, gap)
	IMULQ(rows, gap)
	ptr := rowPointers(w, gap, streams, s.size)
	out := rowPointers(y, rows, streams, 4)
	left := gap // free again
	at := GP64()
	count := GP64()
	MOVQ(rows, count)

	Label("row")
	acc := accumulators(streams)
	MOVQ(x, at)
	MOVQ(cols, left)
	Label("block")
	for half := range 2 {
		v := YMM()
		VMOVUPS(Mem{Base: at, Disp: 32 * half}, v)
		for i, p := range ptr {
			u := YMM()
			s.load(Mem{Base: p, Disp: 8 * s.size * half}, u)
			VFMADD231PS(u, v, acc[i][half])
		}
	}
	ADDQ(U8(64), at)
	for _, p := range ptr {
		ADDQ(U8(16*s.size), p)
	}
	SUBQ(U8(16), left)
	JNZ(LabelRef("block"))
	for i, o := range out {
		VMOVSS(sumLanes(acc[i]), Mem{Base: o})
		ADDQ(U8(4), o)
	}
	DECQ(count)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// tile generates a block of dot products, rows by tokens, whose accumulators all stay in registers.
func tile(rows, tokens int) {
	TEXT(fmt.Sprintf("tile%dx%dAVX2", rows, tokens), NOSPLIT,
		"func(y *float32, yStride int, w *float32, x *float32, xStride int, cols int)")
	Doc(fmt.Sprintf("tile%dx%dAVX2 sets y[t·yStride + r] to the dot product of row r of w [%d, cols] with x[t·xStride:] for %d tokens t, as dotGeneric does.", rows, tokens, rows, tokens),
		"cols is a positive multiple of 16.")
	Pragma("noescape")
	y, yStride := Load(Param("y"), GP64()), Load(Param("yStride"), GP64())
	w, x := Load(Param("w"), GP64()), Load(Param("x"), GP64())
	xStride, cols := Load(Param("xStride"), GP64()), Load(Param("cols"), GP64())
	wPtr := rowPointers(w, cols, rows, 4)
	xPtr := rowPointers(x, xStride, tokens, 4)
	acc := make([][][2]VecVirtual, tokens)
	for t := range acc {
		acc[t] = accumulators(rows)
	}

	Label("block")
	for half := range 2 {
		u := make([]VecVirtual, rows)
		for r := range u {
			u[r] = YMM()
			VMOVUPS(Mem{Base: wPtr[r], Disp: 32 * half}, u[r])
		}
		v := YMM()
		for t := range tokens {
			VMOVUPS(Mem{Base: xPtr[t], Disp: 32 * half}, v)
			for r := range rows {
				VFMADD231PS(u[r], v, acc[t][r][half])
			}
		}
	}
	for _, p := range append(wPtr, xPtr...) {
		ADDQ(U8(64), p)
	}
	SUBQ(U8(16), cols)
	JNZ(LabelRef("block"))

	for t := range tokens {
		for r := range rows {
			VMOVSS(sumLanes(acc[t][r]), Mem{Base: y, Disp: 4 * r})
		}
		if t+1 < tokens {
			LEAQ(Mem{Base: y, Index: yStride, Scale: 4}, y)
		}
	}
	VZEROUPPER()
	RET()
}

// widen generates the conversion of stored elements to float32.
func widen(s stored) {
	TEXT(fmt.Sprintf("widen%sAVX2", s.name), NOSPLIT, "func(dst *float32, src *byte, n int)")
	Doc(fmt.Sprintf("widen%sAVX2 sets dst[i] to the value of src[i] for i < n, as widen%sGeneric does.", s.name, s.name),
		"n is a positive multiple of 16.")
	Pragma("noescape")
	dst, src, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("n"), GP64())
	Label("block")
	for half := range 2 {
		v := YMM()
		s.load(Mem{Base: src, Disp: 8 * s.size * half}, v)
		VMOVUPS(v, Mem{Base: dst, Disp: 32 * half})
	}
	ADDQ(U8(16*s.size), src)
	ADDQ(U8(64), dst)
	SUBQ(U8(16), n)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}

// rowPointers returns pointers to rows that are stride elements of the given size apart.
func rowPointers(base, stride Register, rows, size int) []Register {
	ptr := []Register{base}
	for r := 1; r < rows; r++ {
		next := GP64()
		LEAQ(Mem{Base: ptr[r-1], Index: stride, Scale: uint8(size)}, next)
		ptr = append(ptr, next)
	}
	return ptr
}

// accumulators returns 16 zeroed lanes for each of some dot products.
func accumulators(n int) [][2]VecVirtual {
	acc := make([][2]VecVirtual, n)
	for i := range acc {
		for half := range acc[i] {
			acc[i][half] = YMM()
			VXORPS(acc[i][half], acc[i][half], acc[i][half])
		}
	}
	return acc
}

// sumLanes adds 16 lanes in float64 as the tree i + (i+8), i + (i+4), i + (i+2), i + (i+1), and rounds the sum.
func sumLanes(acc [2]VecVirtual) Register {
	sum := sumLanes64(acc)
	VCVTSD2SS(sum, sum, sum)
	return sum
}

// sumLanes64 is the sum before it is rounded.
func sumLanes64(acc [2]VecVirtual) Register {
	wide := make([]VecVirtual, 0, 4) // lanes 0-3, 4-7, 8-11, 12-15
	for _, half := range acc {
		high := YMM()
		VEXTRACTF128(U8(1), half, high.AsX())
		VCVTPS2PD(high.AsX(), high)
		VCVTPS2PD(half.AsX(), half)
		wide = append(wide, half, high)
	}
	VADDPD(wide[2], wide[0], wide[0])
	VADDPD(wide[3], wide[1], wide[1])
	VADDPD(wide[1], wide[0], wide[0])
	low, high := wide[0].AsX(), XMM()
	VEXTRACTF128(U8(1), wide[0], high)
	VADDPD(high, low, low)
	VPERMILPD(U8(1), low, high)
	VADDSD(high, low, low)
	return low
}
