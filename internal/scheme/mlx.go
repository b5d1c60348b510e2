package scheme

import (
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/tensor"
)

// The weights of MLX (mx.quantize): a row is a stream of bits, low ones first, and a group of columns has a scale and, if the
// mode is affine, a bias: w = scale·code + bias. The other modes have floats for codes and 8-bit scales: mxfp4 and mxfp8 powers
// of two, nvfp4 E4M3 floats. There may be more dimensions, of experts.
var mlx = scheme{
	program: "MLX", parts: []string{partWeight, "scales"}, optional: []string{"biases"},
	match: func(m *module) bool {
		return m.has("scales") && (m.has(partWeight, tensor.U32) || m.has("biases"))
	},
	weight: newMLX,
}

// mlxMode is how a group is coded.
type mlxMode struct {
	bits, group int // 0: as the settings say
	scales      []tensor.DType
	floats      *kernel.Codes // nil: codes are integers
}

// mlxAffine is the usual mode.
const mlxAffine = "affine"

var mlxModes = map[string]mlxMode{
	mlxAffine: {scales: scaleTypes},
	"mxfp4":   {4, 32, []tensor.DType{tensor.U8}, e2m1Levels},
	"nvfp4":   {4, 16, []tensor.DType{tensor.U8}, e2m1Levels},
	"mxfp8":   {8, 32, []tensor.DType{tensor.U8}, kernel.E4M3},
}

// mlxGroups are the codes of a weight, and the scales of its groups.
type mlxGroups struct {
	stored
	name           string
	mode           string
	codes          []byte
	kind           *kernel.Codes
	bits, group    int
	scales, biases numbers
}

func newMLX(m *module) (tensor.Coding, []int, error) {
	codes := m.parts[partWeight]
	if codes.DType != tensor.U32 || len(codes.Shape) < 2 || codes.Elems() == 0 {
		return nil, nil, m.bad(partWeight, "found %s %s, expected rows of U32", codes.DType, badfile.Shape(codes.Shape))
	}
	name := m.settings.text("mode")
	if name == "" {
		name = mlxAffine
	}
	mode, ok := mlxModes[name]
	if !ok {
		return nil, nil, m.cannot(partWeight, "is quantized in the mode %s of MLX, which is not known here", badfile.Quote(name))
	}
	words := codes.Shape[len(codes.Shape)-1]
	c := &mlxGroups{stored: m.bytes(partWeight, "scales", "biases"), mode: name, codes: codes.Data, bits: mode.bits, group: mode.group, kind: mode.floats}
	if mode.floats == nil {
		var stated [2]bool
		c.bits, stated[0] = m.settings.number("bits")
		c.group, stated[1] = m.settings.number("group_size")
		if !stated[0] || !stated[1] {
			return nil, nil, m.bad(partWeight, "is quantized by MLX, and config.json states no bits and group_size under quantization; take config.json from the same place")
		}
	}
	if !slices.Contains(mlxBits, c.bits) || !slices.Contains([]int{16, 32, 64, 128}, c.group) || 32*words%c.bits != 0 || 32*words/c.bits%c.group != 0 {
		return nil, nil, m.bad(partWeight, "found rows of %d words, which %d bits a weight and groups of %d do not divide", words, c.bits, c.group)
	}
	cols := 32 * words / c.bits
	c.name = "MLX-" + name
	if mode.floats == nil {
		c.name, c.kind = fmt.Sprintf("MLX-%d", c.bits), kernel.Integers(c.bits)
	}
	lead := codes.Shape[:len(codes.Shape)-1]
	if err := c.readScales(m, mode, append(slices.Clone(lead), cols/c.group)); err != nil {
		return nil, nil, err
	}
	shape := append(slices.Clone(lead), cols)
	switch name {
	case "mxfp4":
		return &mlxBlocks{c, tensor.MXFP4}, shape, nil
	case "nvfp4":
		return &mlxBlocks{c, tensor.NVFP4}, shape, nil
	}
	return c, shape, nil
}

// readScales reads the scales, and the biases if they are whole numbers that are scaled.
func (c *mlxGroups) readScales(m *module, mode mlxMode, shape []int) (err error) {
	if c.scales, err = m.numbers("scales", mode.scales, shape); err != nil {
		return err
	}
	if c.mode == "nvfp4" {
		c.scales.dtype = tensor.F8_E4M3
	}
	if mode.floats != nil {
		return nil
	}
	if !m.has("biases") {
		return m.lacks("biases", "; MLX stores one for every weight in its mode affine")
	}
	c.biases, err = m.numbers("biases", scaleTypes, shape)
	return err
}

func (c *mlxGroups) String() string { return c.name }

// Widen implements tensor.Coding.
func (c *mlxGroups) Widen(dst []float32, first int) { kernel.WidenStream(dst, c, first) }

// Stream implements kernel.Streams.
func (c *mlxGroups) Stream() kernel.Stream {
	return kernel.Stream{Codes: c.kind, Data: c.codes, Group: c.group, Biases: c.biases.data != nil}
}

// Groups implements kernel.Streams.
func (c *mlxGroups) Groups(scales, _, biases []float32, first int) {
	c.scales.fill(scales, first/c.group)
	if biases != nil {
		c.biases.fill(biases, first/c.group)
	}
}
