package kernel

// Conv is the causal depthwise convolution that precedes the selective scan, with SiLU
// (Mamba paper, section 3.4; causal_conv1d_fn of the causal-conv1d package).
//
//	out[t, c] = silu(bias[c] + Σ_k weight[c, k] · in[t - K+1 + k, c])
//
// Before the first row of in stands the conv state, the last K inputs of each channel, oldest first.
type Conv struct {
	Channels, K int
	Weight      []float32 // [Channels, K]
	Bias        []float32 // [Channels], or nil
}

// Run convolves T rows of the channels lo to hi and moves the state on by T inputs.
// Row t of the input starts at in[t·inStride], of the output at out[t·outStride]; state is [Channels, K].
//
// Each output is a float64 sum from bias through k = 0 to K-1, activated, and rounded once.
func (c *Conv) Run(out []float32, outStride int, in []float32, inStride int, state []float32, tokens, lo, hi int) {
	for t := range tokens {
		row := out[t*outStride:]
		for ch := lo; ch < hi; ch++ {
			var sum float64
			if c.Bias != nil {
				sum = float64(c.Bias[ch])
			}
			for i, w := range c.Weight[ch*c.K : (ch+1)*c.K] {
				v := c.input(in, inStride, state, t-c.K+1+i, ch)
				sum += float64(float64(w) * float64(v))
			}
			row[ch] = float32(silu(sum))
		}
	}
	for ch := lo; ch < hi; ch++ {
		window := state[ch*c.K : (ch+1)*c.K]
		for i := range window { // ascending: reads are never behind writes
			window[i] = c.input(in, inStride, state, tokens-c.K+i, ch)
		}
	}
}

// input returns the input of a channel at time t, which is negative for those in the state.
func (c *Conv) input(in []float32, inStride int, state []float32, t, ch int) float32 {
	if t < 0 {
		return state[(ch+1)*c.K+t]
	}
	return in[t*inStride+ch]
}
