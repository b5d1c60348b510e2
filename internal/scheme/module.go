package scheme

import (
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/tensor"
)

// partWeight is what follows a module's name in the name of a plain weight.
const partWeight = "weight"

// module is what is stored for one module.
type module struct {
	name     string
	parts    map[string]tensor.Tensor // by what follows the module's name
	settings settings                 // those of the module
}

// has reports whether there is a tensor of that name, of one of some dtypes if any are given.
func (m *module) has(part string, dtypes ...tensor.DType) bool {
	t, ok := m.parts[part]
	return ok && (len(dtypes) == 0 || slices.Contains(dtypes, t.DType))
}

// file names a file that holds some of the module.
func (m *module) file() string {
	for _, t := range m.parts {
		return t.File
	}
	return ""
}

// bad is the error of a tensor.
func (m *module) bad(part, format string, args ...any) error {
	return &badfile.FormatError{File: m.parts[part].File, Where: badfile.Tensor(m.name + "." + part), Detail: fmt.Sprintf(format, args...)}
}

// cannot is the error of a tensor that is fine, and that nothing is known to do with.
func (m *module) cannot(part, format string, args ...any) error {
	return &badfile.UnsupportedError{File: m.parts[part].File, Where: badfile.Tensor(m.name + "." + part), Detail: fmt.Sprintf(format, args...)}
}

// codes returns the bytes of a tensor with that many dimensions and one of some dtypes.
func (m *module) codes(part string, dims int, dtypes ...tensor.DType) (tensor.Tensor, error) {
	t := m.parts[part]
	switch {
	case !slices.Contains(dtypes, t.DType):
		return t, m.bad(part, "found dtype %s, expected %s", t.DType, badfile.Or(dtypes))
	case len(t.Shape) != dims || t.Elems() == 0:
		return t, m.bad(part, "found %s, expected %s, none of them 0", badfile.Shape(t.Shape), badfile.Count(dims, "dimension"))
	}
	return t, nil
}

// scaleTypes are the dtypes that scales have.
var scaleTypes = []tensor.DType{tensor.F32, tensor.BF16, tensor.F16}

// numbers returns the values of a tensor of one of some dtypes and shapes; a shape is given by its sizes, from which those that
// are 1 may be missing.
func (m *module) numbers(part string, dtypes []tensor.DType, shapes ...[]int) (numbers, error) {
	t := m.parts[part]
	if !slices.Contains(dtypes, t.DType) {
		return numbers{}, m.bad(part, "found dtype %s, expected %s", t.DType, badfile.Or(dtypes))
	}
	for _, shape := range shapes {
		if slices.Equal(squeeze(t.Shape), squeeze(shape)) {
			return numbers{t.DType, t.Data}, nil
		}
	}
	want := make([]string, len(shapes))
	for i, shape := range shapes {
		want[i] = badfile.Shape(shape)
	}
	return numbers{}, m.bad(part, "found %s, expected %s", badfile.Shape(t.Shape), badfile.Or(want))
}

// squeeze drops the sizes that are 1.
func squeeze(shape []int) []int {
	return slices.DeleteFunc(slices.Clone(shape), func(n int) bool { return n == 1 })
}

// bytes returns the bytes of the tensors of some parts, as far as they are there.
func (m *module) bytes(parts ...string) (list [][]byte) {
	for _, part := range parts {
		if t, ok := m.parts[part]; ok {
			list = append(list, t.Data)
		}
	}
	return list
}

// stored are the bytes that a coding is made of.
type stored [][]byte

// Parts is that of tensor.Coding.
func (s stored) Parts() [][]byte { return s }
