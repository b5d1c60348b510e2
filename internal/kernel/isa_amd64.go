//go:build !purego

package kernel

import "golang.org/x/sys/cpu"

//go:generate sh -c "cd _asm && go run . -out ../kernel_amd64.s -stubs ../kernel_stubs_amd64.go -pkg kernel"

// useAVX2 chooses the assembly. Its results are those of the plain Go, bit for bit.
var useAVX2 = cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasF16C

// ISA names the instructions that the kernels use.
func ISA() string {
	if useAVX2 {
		return "avx2+fma"
	}
	return "go"
}
