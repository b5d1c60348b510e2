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
	var acc [lanes]single
	for half := 0; half < lanes; half += 8 {
		lane := (*[8]single)(acc[half:])
		for j := 0; j < whole; {
			j = fmaBlocks(lane, w[:whole], x, half, j)
			if j < whole { // a block where rounding twice might differ
				for k := range lane {
					lane[k] = fma32(single(w[j+half+k]), single(x[j+half+k]), lane[k])
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
			acc[k] = fma32(single(tailW[k]), single(tailX[k]), acc[k])
		}
	}
	return sumLanes(&acc)
}

// sumLanes adds the 16 lanes as a tree in float64 and rounds the sum.
func sumLanes(acc *[lanes]single) float32 { return float32(sumLanes64(acc)) }

// sumLanes64 is the sum before it is rounded.
func sumLanes64(acc *[lanes]single) float64 {
	var v [lanes / 2]float64
	for i := range v {
		v[i] = float64(acc[i]) + float64(acc[i+len(v)])
	}
	for width := len(v) / 2; width > 0; width /= 2 {
		for i := range width {
			v[i] += v[i+width]
		}
	}
	return v[0]
}
