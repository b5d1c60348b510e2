//go:build arm64 || loong64 || ppc64 || ppc64le || riscv64 || s390x

package kernel

// Go's compiler makes one instruction that rounds once of a float32 w·x + c on the architectures above, with optimisations or
// without. The language permits it and does not promise it; the tests of this package would show the day it does not.

// single holds a float32 value, in the type that fma32 computes in.
type single = float32

// fma32 returns w·x + c rounded once to float32.
func fma32(w, x, c single) single { return w*x + c }

// fmaBlocks multiplies the 8 columns at half of each block of 16, from column j on, into acc. It returns len(w), a multiple
// of 16. It calls nothing, so that the lanes stay in registers.
func fmaBlocks(acc *[8]single, w, x []float32, half, j int) int {
	a0, a1, a2, a3, a4, a5, a6, a7 := acc[0], acc[1], acc[2], acc[3], acc[4], acc[5], acc[6], acc[7]
	for ; j < len(w); j += lanes {
		u := w[j+half : j+half+8 : j+half+8]
		v := x[j+half : j+half+8 : j+half+8]
		a0 = u[0]*v[0] + a0
		a1 = u[1]*v[1] + a1
		a2 = u[2]*v[2] + a2
		a3 = u[3]*v[3] + a3
		a4 = u[4]*v[4] + a4
		a5 = u[5]*v[5] + a5
		a6 = u[6]*v[6] + a6
		a7 = u[7]*v[7] + a7
	}
	*acc = [8]single{a0, a1, a2, a3, a4, a5, a6, a7}
	return j
}
