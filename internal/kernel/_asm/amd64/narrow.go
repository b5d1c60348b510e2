package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// narrow generates the encoding of float32 as 16 bits, as tensor.NarrowF32 does it. convert stores the 8 values in v.
func narrow(name string, k *constants, convert func(v [2]VecVirtual, dst Mem)) {
	TEXT("narrow"+name+"AVX2", NOSPLIT, "func(dst *byte, src *float32, n int)")
	Doc("narrow"+name+"AVX2 encodes src[:n] into dst[:2n] as tensor.NarrowF32 does for "+name+".", "n is a positive multiple of 16.")
	Pragma("noescape")
	dst, src, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("n"), GP64())
	Label("block")
	var v [2]VecVirtual
	for half := range v {
		v[half] = YMM()
		VMOVUPS(Mem{Base: src, Disp: 32 * half}, v[half])
	}
	convert(v, Mem{Base: dst})
	ADDQ(U8(64), src)
	ADDQ(U8(32), dst)
	SUBQ(U8(16), n)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}

func narrowF16(k *constants) {
	narrow("F16", k, func(v [2]VecVirtual, dst Mem) {
		for half := range v {
			VCVTPS2PH(U8(0), v[half], dst.Offset(16*half)) // to nearest, ties to even
		}
	})
}

// narrowBF16 adds half a unit of the place that stays, less one where the result would be odd otherwise.
// A NaN keeps its upper bits and becomes quiet.
func narrowBF16(k *constants) {
	narrow("BF16", k, func(v [2]VecVirtual, dst Mem) {
		for _, x := range v {
			upper, odd, quiet, nan := YMM(), YMM(), YMM(), YMM()
			VPSRLD(U8(16), x, upper)
			VPAND(k.word(1), upper, odd)
			VPADDD(k.word(0x7fff), odd, odd)
			VPOR(k.word(0x40), upper, quiet)
			VCMPPS(U8(3), x, x, nan) // unordered
			VPADDD(odd, x, x)
			VPSRLD(U8(16), x, x)
			VPBLENDVB(nan, quiet, x, x)
		}
		VPACKUSDW(v[1], v[0], v[0])
		VPERMQ(U8(0xd8), v[0], v[0]) // packing goes by halves
		VMOVDQU(v[0], dst)
	})
}

func maxAbsBits(k *constants) {
	TEXT("maxAbsBitsAVX2", NOSPLIT, "func(v *float32, n int) uint32")
	Doc("maxAbsBitsAVX2 returns what maxAbsBitsGeneric returns for v[:n].", "n is a positive multiple of 16.")
	Pragma("noescape")
	v, n := Load(Param("v"), GP64()), Load(Param("n"), GP64())
	magnitude := YMM()
	VMOVDQU(k.word(0x7fffffff), magnitude)
	var largest [2]VecVirtual
	for half := range largest {
		largest[half] = YMM()
		VPXOR(largest[half], largest[half], largest[half])
	}
	Label("block")
	for half := range largest {
		x := YMM()
		VPAND(Mem{Base: v, Disp: 32 * half}, magnitude, x)
		VPMAXUD(x, largest[half], largest[half])
	}
	ADDQ(U8(64), v)
	SUBQ(U8(16), n)
	JNZ(LabelRef("block"))
	VPMAXUD(largest[1], largest[0], largest[0])
	largestWord(largest[0])
	word := GP32()
	VMOVD(largest[0].AsX(), word)
	VZEROUPPER()
	Store(word, ReturnIndex(0))
	RET()
}

// largestWord moves the largest of the eight unsigned words of v to its lowest.
func largestWord(v VecVirtual) {
	low, high := v.AsX(), XMM()
	VEXTRACTI128(U8(1), v, high)
	VPMAXUD(high, low, low)
	for _, order := range []uint8{0x4e, 0xb1} { // the other half, the other of two
		VPSHUFD(U8(order), low, high)
		VPMAXUD(high, low, low)
	}
}
