package kernel

// dotGeneric returns the dot product of w and x, which have the same length, in the order of the package comment.
//
// It equals
//
//	for j := range w { lane[j%16] = fma(w[j], x[j], lane[j%16]) }
//
// with the last block of 16 padded with zeros, and then the tree of sumLanes.
func dotGeneric(w, x []float32) float32 {
	x = x[:len(w)]
	whole := len(w) &^ (lanes - 1)
	var acc [lanes]float64 // each holds a float32 value
	for half := 0; half < lanes; half += 8 {
		lane := (*[8]float64)(acc[half:])
		for j := 0; j < whole; {
			j = fmaBlocks(lane, w[:whole], x, half, j)
			if j < whole { // a block where rounding twice might differ
				for k := range lane {
					lane[k] = fma32(float64(w[j+half+k]), float64(x[j+half+k]), lane[k])
				}
				j += lanes
			}
		}
	}
	if whole < len(w) {
		var tailW, tailX [lanes]float32
		copy(tailW[:], w[whole:])
		copy(tailX[:], x[whole:])
		for k := range acc {
			acc[k] = fma32(float64(tailW[k]), float64(tailX[k]), acc[k])
		}
	}
	return sumLanes(&acc)
}

// fmaBlocks multiplies the 8 columns at half of each block of 16, from column j on, into acc.
// It stops before the first block in which rounding to float64 first might show, and returns its column,
// or len(w), a multiple of 16. It calls nothing, so that the lanes stay in registers.
func fmaBlocks(acc *[8]float64, w, x []float32, half, j int) int {
	a0, a1, a2, a3, a4, a5, a6, a7 := acc[0], acc[1], acc[2], acc[3], acc[4], acc[5], acc[6], acc[7]
	for ; j < len(w); j += lanes {
		u := w[j+half : j+half+8 : j+half+8]
		v := x[j+half : j+half+8 : j+half+8]
		t0 := float64(u[0])*float64(v[0]) + a0
		t1 := float64(u[1])*float64(v[1]) + a1
		t2 := float64(u[2])*float64(v[2]) + a2
		t3 := float64(u[3])*float64(v[3]) + a3
		if fmaDoubtful(t0) || fmaDoubtful(t1) || fmaDoubtful(t2) || fmaDoubtful(t3) {
			break
		}
		t4 := float64(u[4])*float64(v[4]) + a4
		t5 := float64(u[5])*float64(v[5]) + a5
		t6 := float64(u[6])*float64(v[6]) + a6
		t7 := float64(u[7])*float64(v[7]) + a7
		if fmaDoubtful(t4) || fmaDoubtful(t5) || fmaDoubtful(t6) || fmaDoubtful(t7) {
			break
		}
		a0, a1, a2, a3 = float64(float32(t0)), float64(float32(t1)), float64(float32(t2)), float64(float32(t3))
		a4, a5, a6, a7 = float64(float32(t4)), float64(float32(t5)), float64(float32(t6)), float64(float32(t7))
	}
	*acc = [8]float64{a0, a1, a2, a3, a4, a5, a6, a7}
	return j
}

// sumLanes adds the 16 lanes as a tree in float64 and rounds the sum.
func sumLanes(acc *[lanes]float64) float32 { return float32(sumLanes64(acc)) }

// sumLanes64 is the sum before it is rounded.
func sumLanes64(acc *[lanes]float64) float64 {
	v := *acc
	for width := lanes / 2; width > 0; width /= 2 {
		for i := range width {
			v[i] += v[i+width]
		}
	}
	return v[0]
}
