package scheme

import (
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/tensor"
)

// mxGroup is how many columns have a power of two in common.
const mxGroup = 32

// MXFP4 and MXFP6 of compressed-tensors (mxfp4-pack-quantized, mxfp6-pack-quantized): w = code·2^(scale-127). A row of codes is a stream of
// bits, low ones first: E2M1 or E2M3.
var mxCompressed = scheme{
	program: "compressed-tensors", parts: []string{"weight_packed", "weight_scale"},
	match: func(m *module) bool {
		return m.has("weight_packed", tensor.U8) && m.has("weight_scale", mxScales...) && !m.has("weight_global_scale")
	},
	weight: func(m *module) (tensor.Coding, []int, error) { return newMX(m, "weight_packed", 4, 6) },
}

// MXFP4 of ModelOpt (mxfp4_tensor.py): the same.
var mx4ModelOpt = scheme{
	program: "ModelOpt", parts: []string{partWeight, "weight_scale"}, optional: []string{partInput},
	match: func(m *module) bool {
		return m.has(partWeight, tensor.U8) && m.has("weight_scale", mxScales...) && !m.has("weight_scale_2")
	},
	weight: func(m *module) (tensor.Coding, []int, error) { return newMX(m, partWeight, 4) },
}

// mxScales are the dtypes of exponents.
var mxScales = []tensor.DType{tensor.U8, tensor.F8_E8M0}

// e2m3 are the values of 6-bit floats with 2 bits of exponent.
var e2m3 = func() (values [64]float32) {
	for b := range values {
		v := float32(float32(b&7) / 8)
		if e := b >> 3 & 3; e > 0 {
			v = (1 + v) * float32(int(1)<<(e-1))
		}
		if b >= 32 {
			v = -v
		}
		values[b] = v
	}
	return values
}()

// newMX reads codes of one of some numbers of bits.
func newMX(m *module, part string, bits ...int) (tensor.Coding, []int, error) {
	codes, err := m.codes(part, 3, tensor.U8)
	if err != nil {
		return nil, nil, err
	}
	scales := m.parts["weight_scale"]
	last := len(codes.Shape) - 1
	perRow, rowBytes := 0, codes.Shape[last]
	if len(scales.Shape) == last+1 {
		perRow = scales.Shape[last]
	}
	i := slices.IndexFunc(bits, func(bits int) bool { return perRow > 0 && rowBytes == perRow*mxGroup*bits/8 })
	if i < 0 {
		return nil, nil, m.bad("weight_scale", "found %s beside codes of %s bytes, expected one for %d columns of a row", badfile.Shape(scales.Shape), badfile.Shape(codes.Shape), mxGroup)
	}
	lead := codes.Shape[:last]
	exponents, err := m.numbers("weight_scale", mxScales, append(slices.Clone(lead), perRow))
	shape := append(slices.Clone(lead), perRow*mxGroup)
	if bits[i] == 6 {
		return &mxfp6{stored: m.bytes(part, "weight_scale"), codes: codes.Data, scales: exponents}, shape, err
	}
	c := &mlxGroups{name: "MXFP4", mode: "mxfp4", codes: codes.Data, kind: e2m1Levels, bits: 4, group: mxGroup,
		scales: numbers{tensor.U8, exponents.data}, stored: m.bytes(part, "weight_scale")}
	return &mlxBlocks{c, tensor.MXFP4}, shape, err
}

// mxfp6 are codes of 6 bits. Rows are whole groups, so all of them are one stream.
type mxfp6 struct {
	stored
	codes  []byte
	scales numbers
}

func (c *mxfp6) String() string { return "MXFP6" }

func (c *mxfp6) Widen(dst []float32, first int) {
	var codes [most]byte
	runs(dst, first, len(c.codes)/6*8, mxGroup, func(dst []float32, _, col int) {
		unpack(codes[:len(dst)], c.codes, col, 6)
		s := c.scales.at(col / mxGroup)
		for i, q := range codes[:len(dst)] {
			dst[i] = e2m3[q] * s
		}
	})
}
