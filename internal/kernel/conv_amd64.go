//go:build !purego

package kernel

const (
	convTaps = 4  // of what convBlockAVX512 takes, and
	convLine = 16 // channels at a time
)

// block does what byRows does for the first of the channels from lo to hi, and returns for how many.
func (c *Conv) block(out []float32, outStride int, in []float32, inStride int, state []float32, tokens, lo, hi int) int {
	n := (hi - lo) &^ (convLine - 1)
	if !useAVX512 || c.K != convTaps || n == 0 {
		return 0
	}
	last := tokens - 1
	out, in = out[lo:][:last*outStride+n], in[lo:][:last*inStride+n]
	state, taps, bias := state[lo*convTaps:][:n*convTaps], c.taps[lo:][:(convTaps-1)*c.Channels+n], c.bias[lo:][:n]
	convBlockAVX512(&out[0], outStride, &in[0], inStride, &state[0], &taps[0], c.Channels, &bias[0], tokens, n/convLine)
	return n
}
