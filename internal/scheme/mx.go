package scheme

import (
	"fmt"
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
		v := float32(b&7) / 8
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
	c := &mlxGroups{codes: codes.Data, rowBytes: codes.Shape[last], group: mxGroup, stored: m.bytes(part, "weight_scale")}
	if len(scales.Shape) == last+1 {
		c.perRow = scales.Shape[last]
	}
	i := slices.IndexFunc(bits, func(bits int) bool { return c.perRow > 0 && c.rowBytes == c.perRow*mxGroup*bits/8 })
	if i < 0 {
		return nil, nil, m.bad("weight_scale", "found %s beside codes of %s bytes, expected one for %d columns of a row", badfile.Shape(scales.Shape), badfile.Shape(codes.Shape), mxGroup)
	}
	c.bits, c.cols = bits[i], c.perRow*mxGroup
	lead := codes.Shape[:last]
	c.scales, err = m.numbers("weight_scale", mxScales, append(slices.Clone(lead), c.perRow))
	c.scales.dtype = tensor.U8
	c.name, c.values = fmt.Sprintf("MXFP%d", c.bits), e2m3[:]
	shape := append(slices.Clone(lead), c.cols)
	if c.bits == 4 {
		c.mode, c.values = "mxfp4", e2m1[:]
		return &mlxBlocks{c, tensor.MXFP4}, shape, err
	}
	return c, shape, err
}
