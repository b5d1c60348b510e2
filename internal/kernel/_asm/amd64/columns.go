package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Codes that are stored by columns: a register holds those of as many rows, of one column. So each lane of a row is in the register
// of that lane, and words are read in the order in which they lie.

const columnsSignature = "func(acc *float32, src *byte, stride, ahead int, x, scales, zeros *float32, offsets *uint32, n int)"

// byColumns generates the functions of all packings.
func byColumns(u *unpacker) {
	for _, bits := range []int{2, 3, 4, 8} {
		columns(u, bits)
	}
	rowsInWord(u)
	sumColumns(u)
}

// field sets v to the bits from number shift on of word, those above mask apart, as the fraction of 2^23.
func (u *unpacker) field(shift int, word Op, mask, base Op, v VecVirtual) {
	if shift > 0 {
		VPSRLD(U8(shift), word, v)
		word = v
	}
	if u.wide && word == v {
		VPTERNLOGD(U8(0xea), base, mask, v) // v & mask | base
		return
	}
	if u.wide {
		VPANDD(mask, word, v)
		VPORD(base, v, v)
		return
	}
	VPAND(mask, word, v)
	VPOR(base, v, v)
}

// columns generates lanes of codes whose words are each of one row.
func columns(u *unpacker, bits int) {
	name := fmt.Sprintf("columns%d%s", bits, u.isa)
	TEXT(name, NOSPLIT, columnsSignature)
	Doc(name+fmt.Sprintf(" is columnLeaf.lanes for codes of %d bits of 16 rows.", bits), "n is a positive multiple of as many codes as fill whole words, and of 16.")
	Pragma("noescape")
	period := 16 // columns in whole words
	if bits == 3 {
		period = 32
	}
	acc, src, stride := Load(Param("acc"), GP64()), Load(Param("src"), GP64()), Load(Param("stride"), GP64())
	triple := GP64()
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, triple)
	word := func(p Register, i int) Mem {
		return rowsAt{p, []Register{stride, triple}, 1}.at(i)
	}
	mask, base := u.columnConstants(bits)
	atOnce := 2 * u.elems // rows, and the lanes that are kept in registers
	for row := 0; row < 16; row += atOnce {
		for lane := 0; lane < 16; lane += atOnce {
			loop := fmt.Sprintf("rows%dlanes%d", row, lane)
			p, x, offsets, left := GP64(), Load(Param("x"), GP64()), Load(Param("offsets"), GP64()), Load(Param("n"), GP64())
			scales, zeros := Load(Param("scales"), GP64()), Load(Param("zeros"), GP64())
			MOVQ(src, p)
			next := Load(Param("ahead"), GP64())
			ADDQ(src, next)
			sums := make([]VecVirtual, atOnce)
			for i := range sums {
				sums[i] = u.reg()
				VMOVUPS(Mem{Base: acc, Disp: 64*(lane+i) + 4*row}, sums[i])
			}
			Label(loop)
			codes := columnCodes{unpacker: u, bits: bits, mask: mask, base: base, loaded: -1, words: u.reg()}
			codes.word = func(i int) Mem { return word(p, i).Offset(4 * row) }
			if row == 0 && lane == 0 {
				codes.fetch = func(i int) { PREFETCHT0(word(next, i)) }
			}
			for c := range period {
				if c%16/atOnce != lane/atOnce {
					continue
				}
				v := codes.column(c)
				offset := GP64()
				MOVL(Mem{Base: offsets, Disp: 4 * c}, offset.As32())
				VSUBPS(Mem{Base: zeros, Index: offset, Scale: 1, Disp: 4 * row}, v, v)
				VMULPS(Mem{Base: scales, Index: offset, Scale: 1, Disp: 4 * row}, v, v)
				u.multiplyAdd(Mem{Base: x, Disp: 4 * c}, v, sums[c%16-lane])
			}
			for range period * bits / 32 {
				ADDQ(stride, p)
				if row == 0 && lane == 0 {
					ADDQ(stride, next)
				}
			}
			ADDQ(U32(4*period), x)
			ADDQ(U32(4*period), offsets)
			SUBQ(U8(period), left)
			JNZ(LabelRef(loop))
			for i, v := range sums {
				VMOVUPS(v, Mem{Base: acc, Disp: 64*(lane+i) + 4*row})
			}
		}
	}
	VZEROUPPER()
	RET()
}

// columnCodes takes codes of some rows from words, column after column.
type columnCodes struct {
	*unpacker
	bits       int
	mask, base Op
	word       func(i int) Mem // of the rows
	fetch      func(i int)     // asks for a word that is needed later; nil: that has been done
	loaded     int             // which words are in the register
	words      VecVirtual
}

// column emits the codes of a column, as the fraction of 2^23.
func (r *columnCodes) column(c int) VecVirtual {
	at, shift := c*r.bits/32, c*r.bits%32
	if at != r.loaded {
		r.move(r.word(at), r.words)
		r.loaded = at
		if r.fetch != nil {
			r.fetch(at)
		}
	}
	v := r.reg()
	if shift+r.bits <= 32 {
		r.field(shift, r.words, r.mask, r.base, v)
		return v
	}
	upper := r.reg()
	VPSRLD(U8(shift), r.words, v)
	r.move(r.word(at+1), r.words)
	r.loaded = at + 1
	VPSLLD(U8(32-shift), r.words, upper)
	if r.wide {
		VPORD(upper, v, v)
	} else {
		VPOR(upper, v, v)
	}
	r.field(0, v, r.mask, r.base, v)
	return v
}

// columnConstants returns the mask of a code, and 2^23.
func (u *unpacker) columnConstants(bits int) (mask, base Op) {
	return u.inRegister(u.word(1<<bits - 1)), u.inRegister(u.single(1 << 23))
}

// inRegister returns a constant as an operand: a register with AVX-512, which has enough of them.
func (u *unpacker) inRegister(m Mem) Op {
	if !u.wide {
		return m
	}
	v := u.reg()
	u.move(m, v)
	return v
}

// multiplyAdd adds v times the float32 at m to sum.
func (u *unpacker) multiplyAdd(m Mem, v, sum VecVirtual) {
	if u.wide {
		VFMADD231PS_BCST(m, v, sum)
		return
	}
	VFMADD231PS(u.broadcast(m), v, sum)
}

// rowsInWord generates lanes of codes of four bits, eight rows in a word. A register has one row of each word.
func rowsInWord(u *unpacker) {
	rows := 16 * u.elems
	size := 8 * u.elems // bytes of a register
	name := "rowsInWord" + u.isa
	TEXT(name, NOSPLIT, columnsSignature)
	Doc(name+fmt.Sprintf(" is columnLeaf.lanes for words that have codes of eight rows each, %d rows.", rows), "n is a positive multiple of 16.")
	Pragma("noescape")
	acc, src, stride := Load(Param("acc"), GP64()), Load(Param("src"), GP64()), Load(Param("stride"), GP64())
	scales, zeros := Load(Param("scales"), GP64()), Load(Param("zeros"), GP64())
	mask, base := u.columnConstants(4)
	ahead, lane, sixteen := Load(Param("ahead"), GP64()), GP64(), GP64()
	XORQ(lane, lane)
	MOVQ(stride, sixteen)
	SHLQ(U8(4), sixteen)

	Label("lane")
	at, column, group, left := GP64(), Load(Param("x"), GP64()), Load(Param("offsets"), GP64()), Load(Param("n"), GP64())
	MOVQ(src, at)
	ADDQ(lane, column)
	ADDQ(lane, group)
	sums := make([]VecVirtual, 8)
	for i := range sums {
		sums[i] = u.reg()
		VMOVUPS(Mem{Base: acc, Disp: size * i}, sums[i])
	}
	Label("column")
	words := u.reg()
	u.move(Mem{Base: at}, words)
	PREFETCHT0(Mem{Base: at, Index: ahead, Scale: 1})
	offset := GP64()
	MOVL(Mem{Base: group}, offset.As32())
	factor := u.broadcast(Mem{Base: column})
	for i, sum := range sums {
		v := u.reg()
		u.field(4*i, words, mask, base, v)
		VSUBPS(Mem{Base: zeros, Index: offset, Scale: 1, Disp: size * i}, v, v)
		VMULPS(Mem{Base: scales, Index: offset, Scale: 1, Disp: size * i}, v, v)
		VFMADD231PS(factor, v, sum)
	}
	ADDQ(sixteen, at)
	ADDQ(U8(64), column)
	ADDQ(U8(64), group)
	SUBQ(U8(16), left)
	JNZ(LabelRef("column"))
	for i, sum := range sums {
		VMOVUPS(sum, Mem{Base: acc, Disp: size * i})
	}
	ADDQ(stride, src)
	ADDQ(U32(4*rows), acc)
	ADDQ(U8(4), lane)
	CMPQ(lane, U8(64))
	JNE(LabelRef("lane"))
	VZEROUPPER()
	RET()
}

// sumColumns generates the sums of the lanes of rows that lie beside each other.
func sumColumns(u *unpacker) {
	TEXT("sumColumns"+u.isa, NOSPLIT, "func(y, acc *float32, n int)")
	Doc("sumColumns"+u.isa+" sets y to the sums of lanes [16, n], as sumLanes adds them.", "n is a positive multiple of 16.")
	Pragma("noescape")
	y, acc, n := Load(Param("y"), GP64()), Load(Param("acc"), GP64()), Load(Param("n"), GP64())
	stride, left := GP64(), GP64()
	MOVQ(n, left)
	MOVQ(n, stride)
	SHLQ(U8(2), stride)
	Label("rows")
	low, high := GP64(), GP64()
	MOVQ(acc, low)
	LEAQ(Mem{Base: acc, Index: stride, Scale: 8}, high)
	half := func(v VecVirtual) Register { // that of the float32 of what v has in float64
		if u.wide {
			return v.AsY()
		}
		return v.AsX()
	}
	sums := make([]VecVirtual, 8)
	for i := range sums {
		v := u.reg()
		sums[i] = u.reg()
		VCVTPS2PD(Mem{Base: low}, sums[i])
		VCVTPS2PD(Mem{Base: high}, v)
		VADDPD(v, sums[i], sums[i])
		if i < 7 {
			ADDQ(stride, low)
			ADDQ(stride, high)
		}
	}
	for width := 4; width > 0; width /= 2 {
		for i := range width {
			VADDPD(sums[i+width], sums[i], sums[i])
		}
	}
	if u.wide {
		VCVTPD2PS(sums[0], half(sums[0]))
	} else {
		VCVTPD2PSY(sums[0], half(sums[0]))
	}
	VMOVUPS(half(sums[0]), Mem{Base: y})
	ADDQ(U8(4*u.elems), acc)
	ADDQ(U8(4*u.elems), y)
	SUBQ(U8(u.elems), left)
	JNZ(LabelRef("rows"))
	VZEROUPPER()
	RET()
}
