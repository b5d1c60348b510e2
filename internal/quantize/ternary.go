package quantize

import "encoding/binary"

// Types of one or two bits. Most weights become zero or the scale, so the largest magnitude may be many steps.
var (
	codesTQ = newEven(-1, 1, 0.6, 9, 2, 2)
	codesQ2 = newEven(-2, 1, 1.2, 7, 2, 2)
)

// encodeTQ1 writes five trits to a byte: as a fraction of 243 that is scaled to 256, rounded up, so that multiplying by three
// brings one trit after the other above the byte.
func encodeTQ1(b *block, dst []byte) {
	binary.LittleEndian.PutUint16(dst[52:], b.single(codesTQ))
	pack := func(first, stride, count int) byte {
		n := 0
		for i := range 5 {
			n *= 3
			if i < count {
				n += int(b.q[first+i*stride] + 1)
			}
		}
		return byte((n*256 + 242) / 243)
	}
	for i := range 32 {
		dst[i] = pack(i, 32, 5)
	}
	for i := range 16 {
		dst[32+i] = pack(160+i, 16, 5)
	}
	for i := range 4 {
		dst[48+i] = pack(240+i, 4, 4)
	}
}

func encodeTQ2(b *block, dst []byte) {
	binary.LittleEndian.PutUint16(dst[64:], b.single(codesTQ))
	clear(dst[:64])
	for e, q := range b.q {
		dst[32*(e/128)+e%32] |= byte(q+1) << (2 * (e / 32 % 4))
	}
}

// encodeQ2 writes codes -1 to 2, found as the negatives of codes for the negative scale.
func encodeQ2(b *block, dst []byte) {
	binary.LittleEndian.PutUint16(dst, b.single(codesQ2)^0x8000)
	clear(dst[2:])
	for e, q := range b.q[:64] {
		dst[2+e/4] |= byte(1-q) << (2 * (e % 4))
	}
}

// encodeQ1 writes signs. The mean magnitude fits them best.
func encodeQ1(b *block, dst []byte) {
	var sum, weight float64
	clear(dst[2:])
	for e, x := range b.x {
		weight += b.w[e]
		if x < 0 {
			sum -= float64(b.w[e] * x)
			continue
		}
		sum += float64(b.w[e] * x)
		dst[2+e/8] |= 1 << (e % 8)
	}
	bits, _ := half(sum / weight)
	binary.LittleEndian.PutUint16(dst, bits)
}
