package scheme

import (
	"fmt"

	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/tensor"
)

// nvfp4Group is how many columns have a scale in common.
const nvfp4Group = 16

// NVFP4 of ModelOpt (nvfp4_tensor.py, dequantize): w = E2M1·(scale·scale_2), the bracket rounded to float32. Two codes a byte,
// the low four bits first; a scale, E4M3, for 16 columns; scale_2 for the weight.
var nvfp4ModelOpt = scheme{
	program: "ModelOpt", parts: []string{partWeight, "weight_scale", "weight_scale_2"}, optional: []string{partInput},
	match: func(m *module) bool {
		return m.has("weight_scale_2") || m.has(partWeight, tensor.U8) && m.has("weight_scale")
	},
	weight: func(m *module) (tensor.Coding, []int, error) {
		return newNVFP4(m, partWeight, "weight_scale_2", false, nvfp4Levels)
	},
}

// NVFP4 of compressed-tensors (nvfp4-pack-quantized): the same, but w = E2M1·(scale/global_scale).
var nvfp4Compressed = scheme{
	program: "compressed-tensors", parts: []string{"weight_packed", "weight_scale", "weight_global_scale"},
	match: func(m *module) bool {
		return m.has("weight_global_scale") || m.has("weight_packed", tensor.U8)
	},
	weight: func(m *module) (tensor.Coding, []int, error) {
		return newNVFP4(m, "weight_packed", "weight_global_scale", true, e2m1Levels)
	},
}

// nvfp4 are the codes and scales of a weight.
type nvfp4 struct {
	stored
	codes, scales []byte
	global        float32
	divides       bool         // scales are divided by global, not multiplied
	wide          [256]float32 // what that makes of them
	levels        *kernel.Codes
}

// What E2M1 codes stand for, and in ModelOpt, which does not have -0.
var (
	e2m1Levels  = kernel.Levels(&e2m1, false)
	nvfp4Levels = kernel.Levels(&[16]float32{0, .5, 1, 1.5, 2, 3, 4, 6, 0, -.5, -1, -1.5, -2, -3, -4, -6}, false)
)

func newNVFP4(m *module, codesPart, globalPart string, divides bool, levels *kernel.Codes) (tensor.Coding, []int, error) {
	codes, err := m.codes(codesPart, 2, tensor.U8)
	if err != nil {
		return nil, nil, err
	}
	rows, cols := codes.Shape[0], 2*codes.Shape[1]
	if cols%nvfp4Group != 0 {
		return nil, nil, m.bad(codesPart, "found rows of %d codes, expected a multiple of %d", cols, nvfp4Group)
	}
	scales, err := m.numbers("weight_scale", []tensor.DType{tensor.F8_E4M3}, []int{rows, cols / nvfp4Group})
	if err != nil {
		return nil, nil, err
	}
	global, err := m.numbers(globalPart, []tensor.DType{tensor.F32}, []int{1})
	if err != nil {
		return nil, nil, err
	}
	c := &nvfp4{stored: m.bytes(codesPart, "weight_scale", globalPart), codes: codes.Data, scales: scales.data,
		global: global.at(0), divides: divides, levels: levels}
	for b, s := range e4m3 {
		if divides {
			c.wide[b] = s / c.global
		} else {
			c.wide[b] = s * c.global
		}
	}
	return c, []int{rows, cols}, nil
}

func (c *nvfp4) String() string { return "NVFP4" }

// Widen implements tensor.Coding.
func (c *nvfp4) Widen(dst []float32, first int) { kernel.WidenStream(dst, c, first) }

// Stream implements kernel.Streams.
func (c *nvfp4) Stream() kernel.Stream {
	return kernel.Stream{Codes: c.levels, Data: c.codes, Group: nvfp4Group}
}

// Groups implements kernel.Streams.
func (c *nvfp4) Groups(scales, _, _ []float32, first int) {
	lookUpBytes(scales, &c.wide, c.scales[first/nvfp4Group:])
}

// Block implements tensor.Blocks.
func (c *nvfp4) Block() tensor.DType { return tensor.NVFP4 }

// Scale implements tensor.Blocks.
func (c *nvfp4) Scale(int) float32 {
	if c.divides {
		return 1 / c.global
	}
	return c.global
}

// Blocks implements tensor.Blocks.
func (c *nvfp4) Blocks(dst []byte, first int) error {
	return nvfp4Blocks(dst, c.codes, c.scales, first)
}

// nvfp4Blocks regroups codes and scales as llama.cpp has them: NVFP4 has blocks of four groups, their scales first, and of a group
// the codes of the first eight in the low bits (convert_hf_to_gguf.py, _nvfp4_pack).
func nvfp4Blocks(dst, codes, scales []byte, first int) error {
	elems, size := tensor.NVFP4.Block()
	for ; len(dst) > 0; dst, first = dst[size:], first+elems {
		for s := range 4 {
			scale := scales[first/nvfp4Group+s]
			if scale&0x7f == 0x7f {
				return fmt.Errorf("elements from %d on have a scale that is not a number; the file is damaged: download it again, or take another one", first+s*nvfp4Group)
			}
			dst[s] = scale & 0x7f
			from, to := codes[first/2+8*s:][:8], dst[4+8*s:][:8]
			for i := range 4 {
				// from[i] has the codes 2i and 2i+1, from[4+i] those 8 further.
				to[2*i] = from[i]&15 | from[4+i]<<4
				to[2*i+1] = from[i]>>4 | from[4+i]&0xf0
			}
		}
	}
	return nil
}
