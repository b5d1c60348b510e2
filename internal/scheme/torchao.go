package scheme

import (
	"cmp"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/tensor"
)

// The weights of torchao, as transformers saves them (torchao/prototype/safetensors): a parameter MODULE.weight is stored as
// MODULE._weight_qdata, MODULE._weight_scale and more, and the header of the file has JSON under its name: the class of the tensor
// and the size of the blocks that share a scale.
//
//	Float8Tensor                             w = code·scale
//	Int8Tensor, IntxUnpackedToInt8Tensor     w = (code - zero)·scale
//	Int4Tensor                               w = code·scale + zero
//
// Each step is rounded, as dequantize of these classes does with an output of float32. Int4Tensor does not have one: the formula
// is that of what it quantizes with (int4_row_quantize_zp of MSLK).
var torchAO = scheme{
	program: "torchao", parts: []string{"_qdata"}, optional: []string{"_scale", "_zero_point", "_act_pre_scale", "_per_tensor_scale", "_scale_and_zero"},
	match:  func(m *module) bool { return m.has("_qdata") },
	weight: newTorchAO,
}

// cutTorchAO takes the name of a parameter and what it stands for there off a tensor's name: "x._weight_qdata" is the part _qdata
// of "x." and "weight".
func cutTorchAO(name string) (before, parameter, part string, ok bool) {
	dot := strings.LastIndexByte(name, '.')
	rest, ok := strings.CutPrefix(name[dot+1:], "_")
	if !ok {
		return "", "", "", false
	}
	for _, part := range torchAOParts {
		if parameter, ok := strings.CutSuffix(rest, part); ok && parameter != "" {
			return name[:dot+1], parameter, part, true
		}
	}
	return "", "", "", false
}

// about is what headers say about parameters, by their names, and by what follows the first dot in them: transformers calls the backbone
// otherwise in memory, whose names it uses there, than in files.
type about struct{ whole, rest map[string]string }

func newAbout(metadata map[string]string) about {
	a := about{metadata, make(map[string]string, len(metadata))}
	for name, text := range metadata {
		_, rest, _ := strings.Cut(name, ".")
		if other, twice := a.rest[rest]; twice && other != text {
			text = ""
		}
		a.rest[rest] = text
	}
	return a
}

// of returns what is said about a parameter; empty: nothing, or not clearly.
func (a about) of(name string) string {
	_, rest, _ := strings.Cut(name, ".")
	return cmp.Or(a.whole[name], a.rest[rest])
}

// torchAOParts are the parts of torchAO, longer ones before those that they end with.
var torchAOParts = []string{"_qdata", "_per_tensor_scale", "_act_pre_scale", "_scale_and_zero", "_zero_point", "_scale"}

func newTorchAO(m *module) (tensor.Coding, []int, error) {
	if m.described == "" {
		return nil, nil, m.bad("_qdata", "is not described in the header of a file; torchao describes every tensor there: save the model again, or take the file from the same place")
	}
	described, err := jsonobj.Parse([]byte(m.described))
	if err != nil {
		return nil, nil, m.bad("_qdata", "is described in the header in a way that cannot be read: %s", err)
	}
	about := settings{described}
	data, _ := described.Get("_data")
	inside, _ := data.Members()
	block, stated := settings{inside}.block()
	read := map[string]func(*module, []int) (tensor.Coding, []int, error){
		"Float8Tensor": float8AO, "Int8Tensor": int8AO, "IntxUnpackedToInt8Tensor": int8AO, "Int4Tensor": int4AO,
	}[about.text("_type")]
	if read == nil {
		return nil, nil, m.cannot("_qdata", "is a tensor of the class %s of torchao; Float8Tensor, Int8Tensor, IntxUnpackedToInt8Tensor and Int4Tensor are read", badfile.Quote(about.text("_type")))
	}
	if !stated {
		return nil, nil, m.bad("_qdata", "is described in the header without a block_size of whole numbers from 1 on")
	}
	if !m.has("_scale") {
		return nil, nil, m.lacks("_scale", "; torchao stores one for every such weight")
	}
	for _, part := range []string{"_per_tensor_scale", "_scale_and_zero"} {
		if m.has(part) {
			return nil, nil, m.cannot(part, "is not a part of %s of torchao", about.text("_type"))
		}
	}
	return read(m, block)
}

// block returns the size of the blocks that share a scale. It is empty if all elements do.
func (s settings) block() (block []int, ok bool) {
	v, stated := s.members.Get("block_size")
	elems, list := v.Elems(8)
	block = s.numbers("block_size")
	return block, stated && list && len(block) == len(elems) && !slices.ContainsFunc(block, func(n int) bool { return n < 1 })
}

func float8AO(m *module, block []int) (tensor.Coding, []int, error) {
	return m.bytesAO(block, "", tensor.F8_E4M3, tensor.F8_E5M2)
}

func int8AO(m *module, block []int) (tensor.Coding, []int, error) {
	return m.bytesAO(block, "_zero_point", tensor.I8)
}

// bytesAO are codes of a byte.
func (m *module) bytesAO(block []int, zero string, dtypes ...tensor.DType) (tensor.Coding, []int, error) {
	codes, err := m.codes("_qdata", 3, dtypes...)
	if err == nil {
		err = m.agree(codes.Shape, block)
	}
	if err != nil {
		return nil, nil, err
	}
	if zero == "" && m.has("_zero_point") {
		return nil, nil, m.cannot("_zero_point", "is not a part of Float8Tensor of torchao")
	}
	c, err := newScaled(m, "_qdata", "_scale", zero, tile{})
	return c, codes.Shape, err
}

// agree holds the scales of a weight to the blocks that the header states.
func (m *module) agree(shape, block []int) error {
	if len(block) == 0 && m.parts["_scale"].Elems() == 1 {
		return nil
	}
	scales := slices.Clone(shape)
	for i := range scales {
		if len(block) != len(shape) || shape[i]%block[i] != 0 {
			return m.bad("_qdata", "found %s, which blocks of %s do not divide, as the header states", badfile.Shape(shape), badfile.Shape(block))
		}
		scales[i] /= block[i]
	}
	if found := m.parts["_scale"].Shape; !slices.Equal(squeeze(found), squeeze(scales)) {
		return m.bad("_scale", "found %s, expected %s for blocks of %s, as the header states", badfile.Shape(found), badfile.Shape(scales), badfile.Shape(block))
	}
	return nil
}

// int4AO are two signed codes a byte, the low four bits first; scales and zero points lie column by column, [groups, rows].
func int4AO(m *module, block []int) (tensor.Coding, []int, error) {
	codes, err := m.codes("_qdata", 3, tensor.I8, tensor.U8)
	if err != nil {
		return nil, nil, err
	}
	if !m.has("_zero_point") {
		return nil, nil, m.lacks("_zero_point", "; Int4Tensor of torchao has one for every scale")
	}
	shape := slices.Clone(codes.Shape)
	last := len(shape) - 1
	shape[last] *= 2
	c := &affine4{codes: codes.Data, rows: shape[last-1], cols: shape[last], stored: m.bytes("_qdata", "_scale", "_zero_point")}
	if len(block) != len(shape) || c.cols%block[last] != 0 || slices.ContainsFunc(block[:last], func(n int) bool { return n != 1 }) {
		return nil, nil, m.bad("_qdata", "found codes of %s, which groups of %s do not divide, as the header states", badfile.Shape(shape), badfile.Shape(block))
	}
	c.group = block[last]
	scales := append(slices.Clone(shape[:last-1]), c.cols/c.group, c.rows)
	if c.scales, err = m.numbers("_scale", scaleTypes, scales); err == nil {
		c.zeros, err = m.numbers("_zero_point", scaleTypes, scales)
	}
	return c, shape, err
}

// affine4 are the codes of a weight with scales and zero points that are floats.
type affine4 struct {
	stored
	codes         []byte
	scales, zeros numbers
	rows, cols    int // of a matrix
	group         int
}

func (c *affine4) String() string { return "INT4" }

// Widen implements tensor.Coding.
func (c *affine4) Widen(dst []float32, first int) { kernel.WidenStream(dst, c, first) }

// Stream implements kernel.Streams.
func (c *affine4) Stream() kernel.Stream {
	return kernel.Stream{Codes: int4Levels, Data: c.codes, Group: c.group, Biases: true, Cols: c.cols, RowBytes: c.cols / 2}
}

// Groups implements kernel.Streams.
func (c *affine4) Groups(scales, _, biases []float32, first int) {
	row, group, groups := first/c.cols, first%c.cols/c.group, c.cols/c.group
	for i := range scales {
		at := (row/c.rows*groups+group+i)*c.rows + row%c.rows
		scales[i], biases[i] = c.scales.at(at), c.zeros.at(at)
	}
}

// int4s are the values of signed codes of 4 bits.
var (
	int4s      = [16]float32{0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1}
	int4Levels = kernel.Levels(&int4s, false)
)
