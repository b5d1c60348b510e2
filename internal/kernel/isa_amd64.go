//go:build !purego

package kernel

import "golang.org/x/sys/cpu"

//go:generate sh -c "cd _asm && go run . -out ../kernel_amd64.s -stubs ../kernel_stubs_amd64.go -pkg kernel"
//go:generate sh -c "cd _asm && go run . -isa avx512 -out ../kernel_avx512_amd64.s -stubs ../kernel_avx512_stubs_amd64.go -pkg kernel"

// useAVX2 and useAVX512 choose the assembly. Its results are those of the plain Go, bit for bit.
// GODEBUG=cpu.avx512f=off or cpu.avx2=off in the environment turns it down.
var (
	useAVX2   = cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasF16C
	useAVX512 = useAVX2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512BW
)

// ISA names the instructions that the kernels use.
func ISA() string {
	switch {
	case useAVX512:
		return "avx512"
	case useAVX2:
		return "avx2+fma"
	}
	return "go"
}
