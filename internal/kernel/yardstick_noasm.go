//go:build !amd64 || purego

package kernel

func xor(data []byte) uint64 { return xorGeneric(data) }

func multiplyAdd(n int) { multiplyAddGeneric(n) }
