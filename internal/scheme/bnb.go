package scheme

import (
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/tensor"
)

// The 4-bit weights of bitsandbytes, NF4 and FP4 (functional.py, dequantize_4bit): w = map[code]·absmax, where map has the 16
// values and absmax is that of a block of consecutive weights, whatever their rows. Two codes a byte, the high four bits first.
// With double quantization absmax is a code too: nested_quant_map[code]·nested_absmax + nested_offset, each step rounded.
var bnb4 = scheme{
	program: "bitsandbytes", parts: []string{partWeight, "weight.absmax", "weight.quant_map"},
	optional: []string{"weight.nested_absmax", "weight.nested_quant_map", statePart + "nf4", statePart + "fp4"},
	match: func(m *module) bool {
		return m.has("weight.absmax") || m.has(statePart+"nf4") || m.has(statePart+"fp4")
	},
	weight: newBnb4,
}

// statePart begins the name of the tensor that holds JSON about a 4-bit weight.
const statePart = "weight.quant_state.bitsandbytes__"

// fourBits are the codes of a weight, and what its blocks are multiplied by.
type fourBits struct {
	stored
	name   string
	codes  []byte
	levels *kernel.Codes
	block  int
	absmax numbers
	nested *nestedScales // nil: absmax are numbers
}

// nestedScales are scales of scales.
type nestedScales struct {
	codes  []byte
	values [256]float32
	absmax numbers
	block  int
	offset float32
}

func newBnb4(m *module) (tensor.Coding, []int, error) {
	part := statePart + "nf4"
	if !m.has(part) {
		part = statePart + "fp4"
	}
	if !m.has(part) {
		return nil, nil, m.bad(partWeight, "its quant_state is missing; bitsandbytes stores one for every 4-bit weight")
	}
	state, err := jsonobj.Parse(m.parts[part].Data)
	if err != nil {
		return nil, nil, m.bad(part, "%s", err)
	}
	set := settings{state}
	shape, count, err := m.shapeOf(part, set)
	if err != nil {
		return nil, nil, err
	}
	codes := m.parts[partWeight]
	if len(codes.Data) != (count+1)/2 { // in whatever dtype
		return nil, nil, m.bad(partWeight, "found %s, expected %d for the shape %s of its quant_state", badfile.Count(len(codes.Data), "byte"), (count+1)/2, badfile.Shape(shape))
	}
	c := &fourBits{name: strings.ToUpper(part[len(statePart):]), codes: codes.Data,
		stored: m.bytes(partWeight, "weight.absmax", "weight.quant_map", "weight.nested_absmax", "weight.nested_quant_map")}
	if c.block, _ = set.number("blocksize"); c.block < 1 {
		return nil, nil, m.bad(part, "does not state a blocksize of 1 or more")
	}
	values, err := m.numbers("weight.quant_map", []tensor.DType{tensor.F32}, []int{16})
	if err != nil {
		return nil, nil, err
	}
	var levels [16]float32
	values.fill(levels[:], 0)
	c.levels = kernel.Levels(&levels, true)
	blocks := (count-1)/c.block + 1
	if m.has("weight.absmax", tensor.U8) {
		c.nested, err = newNested(m, part, set, blocks)
	} else {
		c.absmax, err = m.numbers("weight.absmax", scaleTypes, []int{blocks})
	}
	return c, shape, err
}

// shapeOf reads the shape of a weight.
func (m *module) shapeOf(part string, set settings) (shape []int, count int, err error) {
	shape = set.numbers("shape")
	count, ok := tensor.Count(shape)
	if v, _ := set.members.Get("shape"); !ok || count < 1 || len(shape) == 0 {
		return nil, 0, m.bad(part, "states the shape %s, expected a list of numbers from 1 on", badfile.Quote(v.String()))
	}
	return shape, count, nil
}

func newNested(m *module, part string, set settings, blocks int) (*nestedScales, error) {
	n := &nestedScales{}
	codes, err := m.numbers("weight.absmax", []tensor.DType{tensor.U8}, []int{blocks})
	if err != nil {
		return nil, err
	}
	v, _ := set.members.Get("nested_offset")
	offset, ok := v.Float()
	n.block, _ = set.number("nested_blocksize")
	if !ok || n.block < 1 {
		return nil, m.bad(part, "does not state nested_offset and a nested_blocksize of 1 or more, and absmax are codes")
	}
	n.codes, n.offset = codes.data, float32(offset)
	for _, name := range []string{"weight.nested_absmax", "weight.nested_quant_map"} {
		if !m.has(name) {
			return nil, m.lacks(name, ", and absmax are codes")
		}
	}
	values, err := m.numbers("weight.nested_quant_map", []tensor.DType{tensor.F32}, []int{256})
	if err != nil {
		return nil, err
	}
	values.fill(n.values[:], 0)
	n.absmax, err = m.numbers("weight.nested_absmax", scaleTypes, []int{(blocks-1)/n.block + 1})
	return n, err
}

// fill sets dst to the scales from number first on.
func (n *nestedScales) fill(dst []float32, first int) {
	for len(dst) > 0 {
		part := dst[:min(len(dst), n.block-first%n.block)]
		absmax := n.absmax.at(first / n.block)
		for i, code := range n.codes[first:][:len(part)] {
			part[i] = float32(n.values[code]*absmax) + n.offset
		}
		dst, first = dst[len(part):], first+len(part)
	}
}

func (c *fourBits) String() string { return c.name }

// Widen implements tensor.Coding.
func (c *fourBits) Widen(dst []float32, first int) { kernel.WidenStream(dst, c, first) }

// Stream implements kernel.Streams.
func (c *fourBits) Stream() kernel.Stream {
	return kernel.Stream{Codes: c.levels, Data: c.codes, Group: c.block}
}

// Groups implements kernel.Streams.
func (c *fourBits) Groups(scales, _, _ []float32, first int) {
	if c.nested != nil {
		c.nested.fill(scales, first/c.block)
		return
	}
	c.absmax.fill(scales, first/c.block)
}

// The 8-bit weights of bitsandbytes, LLM.int8 (functional.py, int8_vectorwise_dequant): w = (code·SCB)·(1/127), SCB that of a
// row, rounded after each product.
var bnb8 = scheme{
	program: "bitsandbytes", parts: []string{partWeight, "SCB"}, optional: []string{"weight_format"},
	match: func(m *module) bool { return m.has("SCB") },
	weight: func(m *module) (tensor.Coding, []int, error) {
		codes, err := m.codes(partWeight, 2, tensor.I8)
		if err != nil {
			return nil, nil, err
		}
		if m.has("weight_format") {
			for _, b := range m.parts["weight_format"].Data {
				if b != 0 {
					return nil, nil, m.cannot("weight_format", "found format %d, of a GPU's tiles; only rows, 0, are read", b)
				}
			}
		}
		c := &int8Rows{scaled{name: "INT8", kind: kernel.Int8, codes: codes.Data, group: codes.Shape[1], stored: m.bytes(partWeight, "SCB")}}
		c.rows.scales, err = m.numbers("SCB", scaleTypes, []int{codes.Shape[0]})
		return c, codes.Shape, err
	},
}

// int8Rows are codes with a scale for each row, and one more factor.
type int8Rows struct{ rows scaled }

func (c *int8Rows) String() string { return c.rows.String() }

// Parts implements tensor.Coding.
func (c *int8Rows) Parts() [][]byte { return c.rows.Parts() }

// Widen implements tensor.Coding.
func (c *int8Rows) Widen(dst []float32, first int) {
	const unit = float32(0.007874015718698502) // as bitsandbytes writes 1/127
	c.rows.Widen(dst, first)
	kernel.Times(dst, unit)
}
