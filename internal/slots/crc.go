package slots

import "hash/crc32"

// A CRC-32 is the remainder of a polynomial over GF(2), bit 31 standing for x^0. Bytes that follow move a remainder up
// by x^8 each.
const (
	one = 1 << 31
	x   = 1 << 30
)

// combine returns the CRC-32 of two pieces one after the other, the second of n bytes.
func combine(first, second uint32, n int64) uint32 {
	shift := uint32(one)
	square := uint32(x)
	for n *= 8; n > 0; n >>= 1 {
		if n&1 == 1 {
			shift = multiply(shift, square)
		}
		square = multiply(square, square)
	}
	return multiply(first, shift) ^ second
}

// multiply returns the product of two remainders.
func multiply(a, b uint32) uint32 {
	product := uint32(0)
	for ; a != 0; a <<= 1 {
		if a&one != 0 {
			product ^= b
		}
		carry := b & 1
		if b >>= 1; carry == 1 {
			b ^= crc32.IEEE
		}
	}
	return product
}
