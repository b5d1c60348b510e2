//go:build !amd64 || purego

package kernel

import "github.com/gomamba/gomamba/internal/tensor"

// narrow encodes as many elements as there is a fast way for.
func narrow([]byte, tensor.DType, []float32) int { return 0 }

func maxAbsBits(v []float32) uint32 { return maxAbsBitsGeneric(v) }
