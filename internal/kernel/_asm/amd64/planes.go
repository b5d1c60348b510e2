package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// IQ3 and IQ2_XXS with operations that move bytes anywhere in a register, one block early: rows are looked up in codebook.Planes, 64 at
// a time, and become codes of four bits, of which the highest is the sign. Tables of 16 float32 have what codes mean. So no row is
// loaded by its own number, which takes most of the time otherwise. IQ2_XS and IQ2_S have too many rows for that, and IQ1 too.
const (
	planeScales  = 0   // up to 16 float32
	planeCodes   = 64  // 64 bytes four times: word i begins with weights i, 16+i, 32+i and 48+i of 64
	planeSigns   = 320 // 32 bytes with a bit for each weight
	planeScratch = 384
)

// planes is a table of rows, one of those in codebook.Planes: where its two planes begin, and the bytes of each.
type planes struct{ at, rows int }

var (
	planes3XXS = planes{0, 256}
	planes3S   = planes{planes3XXS.at + 2*256, 512}
	planes2XXS = planes{planes3S.at + 2*512, 256}
)

// findRows returns what finds a plane of 64 rows. The bytes of v are their numbers, and high is a mask of those whose ninth bit is set;
// nil: there is none.
func (u *unpacker) findRows(t planes, v VecVirtual, high Register) func(plane int) VecVirtual {
	if u.held.planes == nil {
		u.held.planes = GP64()
	}
	bit7, bit6, twice := K1, K2, ZMM()
	VPMOVB2M(v, bit7)
	VPADDB(v, v, twice)
	VPMOVB2M(twice, bit6)
	return func(plane int) VecVirtual {
		var found []VecVirtual // each in 128 bytes; the higher bits choose among them
		for first := 0; first < t.rows; first += 128 {
			m, row := Mem{Base: u.held.planes, Disp: t.at + t.rows*plane + first}, ZMM()
			VPERMB(m, v, row)
			VPERMB(m.Offset(64), v, bit6, row)
			found = append(found, row)
		}
		for i := 0; i < len(found); i += 2 {
			VMOVDQU8(found[i+1], bit7, found[i])
		}
		if t.rows > 256 {
			VMOVDQU8(found[2], high, found[0])
		}
		return found[0]
	}
}

// bytes is a table entry of 64 bytes.
func (u *unpacker) bytes(value func(i int) int) Mem {
	return u.lanes(func(i int) (word uint32) {
		for k := range 4 {
			word |= uint32(value(4*i+k)) << (8 * k)
		}
		return word
	})
}

// byMatrix returns the bytes of v times a matrix of bits: bit i of a byte becomes the sum of those that rows[i] has.
func (u *unpacker) byMatrix(v VecVirtual, rows [8]uint64) VecVirtual {
	var m uint64 // the last first
	for i, row := range rows {
		m |= row << (8 * (7 - i))
	}
	all, product := u.lanes(func(i int) uint32 { return uint32(m >> (i % 2 * 32)) }), VecVirtual(ZMM())
	if v.Size() == 32 {
		product = YMM()
	}
	VGF2P8AFFINEQB(U8(0), u.constant(all, v), v, product)
	return product
}

// evenSigns returns 32 bytes of signs for eight words of four times seven: the eighth bit makes the number of bits even, see
// codebook.Signs.
func (u *unpacker) evenSigns(words Op) VecVirtual {
	v := YMM()
	VPMULTISHIFTQB(words, u.constant(u.bytes(func(i int) int { return i%8/4*32 + i%4*7 }), v).(VecVirtual), v)
	return u.byMatrix(v, [8]uint64{1, 2, 4, 8, 16, 32, 64, 0x7f})
}

// magnitudes3 are the weights of IQ3, with 32 bytes of signs. level is the value of an element.
func (u *unpacker) magnitudes3(plane func(i int) VecVirtual, signs Op, level func(i int) float32) weights {
	var planes [2]VecVirtual
	spread := ZMM() // the signs of a row in each byte, with others above
	VPMOVZXDQ(signs, spread)
	VPMULTISHIFTQB(spread, u.constant(u.bytes(func(i int) int { return i % 8 * 4 }), spread).(VecVirtual), spread)
	find := func(i int) {
		planes[i] = plane(i)
		VPORD(u.byMatrix(spread, [8]uint64{3: 1 << (2 * i), 7: 2 << (2 * i)}), planes[i], planes[i])
	}
	find(0)
	u.later = append(u.later, func() { find(1) })
	u.storeGroups(func(group int, v VecVirtual) { // 16 rows of four
		from := u.constant(u.bytes(func(i int) int { return 16*group + i%4*4 + i/16 }), v).(VecVirtual)
		VPERMB(planes[0], from, v)
		VPERMB(planes[1], from, eights, v)
		VPSRLVD(u.constant(u.lanes(func(i int) uint32 { return uint32(i % 2 * 4) }), v), v, v)
	})
	return u.planeWeights(level)
}

// magnitudes2 are the weights of IQ2, of which a plane has the same 32 rows in both halves, with signs in memory.
func (u *unpacker) magnitudes2(plane func(i int) VecVirtual, signs Mem, level func(i int) float32) weights {
	var both VecVirtual // planes, one in each half
	u.later = append(u.later, func() {
		both = plane(0)
		VPTERNLOGD(U8(0xe4), u.constant(u.lanes(func(i int) uint32 { return uint32(i/8) - 1 }), both), plane(1), both)
	})
	u.storeGroups(func(group int, v VecVirtual) { // eight rows of eight
		from := u.constant(u.bytes(func(i int) int { return 8*group + i%4*2 + i/32 + i/16%2*32 }), v).(VecVirtual)
		VPERMB(both, from, v)
		VPSRLVD(u.constant(u.lanes(func(i int) uint32 { return uint32(i % 4 * 2) }), v), v, v)
		bits, sign := ZMM(), u.constant(u.bytes(func(i int) int { return (i%4*16 + i/4 - 3) & 63 }), v).(VecVirtual)
		VPMULTISHIFTQB_BCST(signs.Offset(8*group), sign, bits)
		u.pick(^uint32(0x08080808), bits, v)
	})
	return u.planeWeights(level)
}

// storeGroups writes the codes of four groups of 64 weights, later.
func (u *unpacker) storeGroups(codes func(group int, v VecVirtual)) {
	for half := range 2 {
		u.later = append(u.later, func() {
			for group := 2 * half; group < 2*half+2; group++ {
				v := ZMM()
				codes(group, v)
				u.move(v, u.scratch.Offset(planeCodes+64*group))
			}
		})
	}
}

// planeWeights are the weights of codes in scratch, of which two parts share a scale.
func (u *unpacker) planeWeights(level func(i int) float32) weights {
	t := VecVirtual(nil)
	return func(part int) []VecVirtual {
		if part%2 == 0 {
			t = ZMM()
			u.tableOf(t, func(code int) float32 { return signedLevel(code, level(code&7)) }, u.scratch.Offset(planeScales+part/2*4), nil)
		}
		v := u.load(u.scratch.Offset(planeCodes + part/4*64 + part%4))
		VPERMPS(t, v, v)
		return []VecVirtual{v}
	}
}

// signedLevel is the level of a code whose fourth bit says that it is negative.
func signedLevel(code int, level float32) float32 {
	if code >= 8 {
		return -level
	}
	return level
}
