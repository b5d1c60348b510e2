//go:build !amd64 || purego

package kernel

// ISA names the instructions that the kernels use.
func ISA() string { return "go" }
