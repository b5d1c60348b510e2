package kernel

import "math"

// MaxAbs returns the largest magnitude among v, 0 for none and NaN if there is one.
func MaxAbs(v []float32) float32 {
	n, bits := whole(len(v)), uint32(0)
	if n > 0 {
		bits = cpu.maxAbsBits(&v[0], n)
	}
	return math.Float32frombits(max(bits, maxAbsBitsGeneric(v[n:])))
}

// maxAbsBitsGeneric returns the largest of the bits of v without their signs: magnitudes are ordered as these are, NaN
// above all.
func maxAbsBitsGeneric(v []float32) uint32 {
	largest := uint32(0)
	for _, x := range v {
		largest = max(largest, math.Float32bits(x)&^(1<<31))
	}
	return largest
}
