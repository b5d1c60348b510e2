package quantize

import "github.com/gomamba/gomamba/tensor"

// f16 is the largest scale of most blocks, which is times the largest multiplier and the smaller of the largest codes of both
// signs, or a minimum of its own.
const f16 = 65504

// encoders has an encoder for each dtype that Row supports.
var encoders = [256]encoder{
	tensor.Q8_0:    {encode: encodeQ8_0, largest: 127 * f16},
	tensor.Q4_0:    {encode: encodeQ4_0, largest: 8 * f16},
	tensor.Q4_1:    {encode: encodeQ4_1, largest: f16},
	tensor.Q5_0:    {encode: encodeQ5_0, largest: 15 * f16},
	tensor.Q5_1:    {encode: encodeQ5_1, largest: f16},
	tensor.Q2_K:    {encode: encodeQ2K, largest: 15 * f16, steep: true},
	tensor.Q3_K:    {encode: encodeQ3K, largest: 31 * 3 * f16},
	tensor.Q4_K:    {encode: encodeQ4K, largest: 63 * f16},
	tensor.Q5_K:    {encode: encodeQ5K, largest: 63 * f16},
	tensor.Q6_K:    {encode: encodeQ6K, largest: 127 * 31 * f16},
	tensor.IQ4_NL:  {encode: encodeIQ4NL, largest: 113 * f16},
	tensor.IQ4_XS:  {encode: encodeIQ4XS, largest: 31 * 113 * f16},
	tensor.IQ3_S:   {encode: encodeIQ3S, largest: 31 * 15 * f16},
	tensor.IQ3_XXS: {encode: encodeIQ3XXS, largest: 31 * 62 / 4 * f16},
	tensor.IQ2_S:   {encode: encodeIQ2S, largest: 31 * 43 / 8 * f16, steep: true},
	tensor.IQ2_XS:  {encode: encodeIQ2XS, largest: 31 * 43 / 8 * f16, steep: true},
	tensor.IQ2_XXS: {encode: encodeIQ2XXS, largest: 31 * 43 / 8 * f16, steep: true},
	tensor.IQ1_M:   {encode: encodeIQ1M, largest: 15 * 7 / 8 * f16, steep: true},
	tensor.IQ1_S:   {encode: encodeIQ1S, largest: 15 * 7 / 8 * f16, steep: true},
	tensor.TQ2_0:   {encode: encodeTQ2, largest: f16},
	tensor.TQ1_0:   {encode: encodeTQ1, largest: f16},
	tensor.MXFP4:   {encode: encodeMXFP4, largest: 12 * 0x1p124},
	tensor.NVFP4:   {encode: encodeNVFP4, largest: 6 * 448},
	tensor.Q2_0:    {encode: encodeQ2, largest: f16},
	tensor.Q1_0:    {encode: encodeQ1, largest: f16, alike: true},
}
