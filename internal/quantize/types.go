package quantize

import "github.com/gomamba/gomamba/tensor"

// encoders has an encoder for each dtype that Row supports.
var encoders = [256]encoder{
	tensor.Q8_0:    {encode: encodeQ8_0},
	tensor.Q4_0:    {encode: encodeQ4_0},
	tensor.Q4_1:    {encode: encodeQ4_1},
	tensor.Q5_0:    {encode: encodeQ5_0},
	tensor.Q5_1:    {encode: encodeQ5_1},
	tensor.Q2_K:    {encode: encodeQ2K},
	tensor.Q3_K:    {encode: encodeQ3K},
	tensor.Q4_K:    {encode: encodeQ4K},
	tensor.Q5_K:    {encode: encodeQ5K},
	tensor.Q6_K:    {encode: encodeQ6K},
	tensor.IQ4_NL:  {encode: encodeIQ4NL},
	tensor.IQ4_XS:  {encode: encodeIQ4XS},
	tensor.IQ3_S:   {encode: encodeIQ3S},
	tensor.IQ3_XXS: {encode: encodeIQ3XXS},
	tensor.IQ2_S:   {encode: encodeIQ2S},
	tensor.IQ2_XS:  {encode: encodeIQ2XS},
	tensor.IQ2_XXS: {encode: encodeIQ2XXS},
	tensor.IQ1_M:   {encode: encodeIQ1M},
	tensor.IQ1_S:   {encode: encodeIQ1S},
	tensor.TQ2_0:   {encode: encodeTQ2},
	tensor.TQ1_0:   {encode: encodeTQ1},
	tensor.MXFP4:   {encode: encodeMXFP4},
	tensor.NVFP4:   {encode: encodeNVFP4},
	tensor.Q2_0:    {encode: encodeQ2},
	tensor.Q1_0:    {encode: encodeQ1, alike: true},
}
