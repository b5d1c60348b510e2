//go:build (!amd64 && !arm64) || purego

package kernel

// available returns the instruction sets that this CPU has beside plain Go.
func available() []*isa { return nil }
