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
