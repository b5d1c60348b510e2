package quantize

// encoders has an encoder for each dtype that Row supports.
var encoders = map[string]encoder{
	"Q4_0":   {encode: encodeQ4_0},
	"Q5_0":   {encode: encodeQ5_0},
	"Q8_0":   {encode: encodeQ8_0},
	"IQ4_NL": {encode: encodeIQ4NL},
	"Q4_1":   {encode: encodeQ4_1},
	"Q5_1":   {encode: encodeQ5_1},
	"Q2_K":   {encode: encodeQ2K},
	"Q3_K":   {encode: encodeQ3K},
	"Q4_K":   {encode: encodeQ4K},
	"Q5_K":   {encode: encodeQ5K},
	"Q6_K":   {encode: encodeQ6K},
	"IQ4_XS": {encode: encodeIQ4XS},
	"TQ1_0":  {encode: encodeTQ1},
	"TQ2_0":  {encode: encodeTQ2},
	"Q1_0":   {encode: encodeQ1},
	"Q2_0":   {encode: encodeQ2},
	"MXFP4":  {encode: encodeMXFP4},
	"NVFP4":  {encode: encodeNVFP4},
}
