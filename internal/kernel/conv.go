package kernel

import (
	"slices"
	"sync"
)

// Conv is the causal depthwise convolution that precedes the selective scan, with SiLU, or without
// (Mamba paper, section 3.4; causal_conv1d_fn of the causal-conv1d package).
//
//	out[t, c] = silu(bias[c] + Σ_k weight[c, k] · in[t - K+1 + k, c])
//
// Before the first row of in stands the conv state, the last K inputs of each channel, oldest first.
type Conv struct {
	Channels, K int
	Linear      bool // without SiLU

	taps []float32 // [K, Channels]
	bias []float32 // [Channels]
}

// NewConv returns the convolution of a weight [channels, K] and a bias [channels], which may be nil.
func NewConv(weight, bias []float32, channels int) Conv {
	c := Conv{Channels: channels, K: len(weight) / channels, taps: make([]float32, len(weight)), bias: bias}
	for ch := range channels {
		for i := range c.K {
			c.taps[i*channels+ch] = weight[ch*c.K+i]
		}
	}
	if bias == nil {
		c.bias = make([]float32, channels)
	}
	return c
}

const convChannels = 64 // how many channels are convolved at a time

// convRows are the K rows that one row of outputs is made of, kept from one convolution to the next.
var convRows = sync.Pool{New: func() any { return new([][]float32) }}

// Run convolves T rows of the channels lo to hi and moves the state on by T inputs.
// Row t of the input starts at in[t·inStride], of the output at out[t·outStride]; state is [Channels, K].
//
// Each output is a float64 sum from bias through k = 0 to K-1, activated unless the convolution is linear, and rounded once.
func (c *Conv) Run(out []float32, outStride int, in []float32, inStride int, state []float32, tokens, lo, hi int) {
	if tokens > 0 {
		lo += c.byBlocks(out, outStride, in, inStride, state, tokens, lo, hi)
		c.byRows(out, outStride, in, inStride, state, tokens, lo, hi)
	}
}

// byRows is Run, one row of some channels after the other.
func (c *Conv) byRows(out []float32, outStride int, in []float32, inStride int, state []float32, tokens, lo, hi int) {
	if lo == hi {
		return
	}
	kept := convRows.Get().(*[][]float32)
	rows := slices.Grow((*kept)[:0], c.K)[:c.K]
	defer func() {
		clear(rows)
		*kept = rows
		convRows.Put(kept)
	}()
	buf := buffer((c.K - 1) * convChannels) // the state without its oldest input, [K-1, channels]
	defer buffers.Put(buf)
	past := *buf
	for from := lo; from < hi; from += convChannels {
		to := min(from+convChannels, hi)
		for ch := from; ch < to; ch++ {
			for i := range c.K - 1 {
				past[i*convChannels+ch-from] = state[ch*c.K+i+1]
			}
		}
		for t := range tokens {
			for i := range rows {
				if at := t - c.K + 1 + i; at >= 0 {
					rows[i] = in[at*inStride+from : at*inStride+to]
				} else {
					rows[i] = past[(at+c.K-1)*convChannels:][:to-from]
				}
			}
			if y := out[t*outStride+from : t*outStride+to]; c.Linear {
				linearConvRow(y, rows, c.taps[from:], c.Channels, c.bias[from:to])
			} else {
				convRow(y, rows, c.taps[from:], c.Channels, c.bias[from:to])
			}
		}
		for ch := from; ch < to; ch++ {
			window := state[ch*c.K : (ch+1)*c.K]
			kept := copy(window, window[min(tokens, c.K):])
			for i := kept; i < c.K; i++ {
				window[i] = in[(tokens-c.K+i)*inStride+ch]
			}
		}
	}
}

// byBlocks is Run for the first of the channels from lo to hi, and returns for how many.
func (c *Conv) byBlocks(out []float32, outStride int, in []float32, inStride int, state []float32, tokens, lo, hi int) int {
	b := &cpu.convBlock
	if c.Linear || b.channels == 0 || c.K != b.taps || hi-lo < b.channels {
		return 0
	}
	n, last := (hi-lo)/b.channels*b.channels, tokens-1
	out, in = out[lo:][:last*outStride+n], in[lo:][:last*inStride+n]
	state, taps, bias := state[lo*c.K:][:n*c.K], c.taps[lo:][:(c.K-1)*c.Channels+n], c.bias[lo:][:n]
	b.run(&out[0], outStride, &in[0], inStride, &state[0], &taps[0], c.Channels, &bias[0], tokens, n/b.channels)
	return n
}

func convRow(out []float32, rows [][]float32, taps []float32, tapStride int, bias []float32) {
	n := wholeWide(len(bias))
	if n > 0 {
		_, _ = out[n-1], taps[(len(rows)-1)*tapStride+n-1]
		for _, row := range rows {
			_ = row[n-1]
		}
		cpu.conv(&out[0], &rows[0], &taps[0], tapStride, &bias[0], len(rows), n)
	}
	convRowGeneric(out, rows, taps, tapStride, bias, n)
}

// convRowGeneric sets out[c] = silu(bias[c] + Σ_i taps[i·tapStride + c]·rows[i][c]) from channel from on.
func convRowGeneric(out []float32, rows [][]float32, taps []float32, tapStride int, bias []float32, from int) {
	for c := from; c < len(bias); c++ {
		out[c] = float32(silu(convolved(rows, taps, tapStride, bias, c)))
	}
}

// linearConvRow is convRowGeneric without silu.
func linearConvRow(out []float32, rows [][]float32, taps []float32, tapStride int, bias []float32) {
	for c := range bias {
		out[c] = float32(convolved(rows, taps, tapStride, bias, c))
	}
}

// convolved is the sum for one channel.
func convolved(rows [][]float32, taps []float32, tapStride int, bias []float32, c int) float64 {
	sum := float64(bias[c])
	for i, row := range rows {
		sum += float64(float64(taps[i*tapStride+c]) * float64(row[c]))
	}
	return sum
}
