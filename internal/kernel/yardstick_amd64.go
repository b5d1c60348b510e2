//go:build !purego

package kernel

// xor is xorGeneric, but for the order in which it reads.
func xor(data []byte) uint64 {
	whole := len(data) &^ 255
	if !useAVX2 || whole == 0 {
		return xorGeneric(data)
	}
	return xorAVX2(&data[0], whole/4) ^ xorGeneric(data[whole:])
}

// multiplyAdd does n operations; n is a multiple of those that a round of the assembly does.
func multiplyAdd(n int) {
	switch {
	case useAVX512:
		multiplyAddAVX512(n / (2 * 16 * 24))
	case useAVX2:
		multiplyAddAVX2(n / (2 * 8 * 12))
	default:
		multiplyAddGeneric(n)
	}
}
