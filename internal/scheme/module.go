package scheme

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/tensor"
)

// partWeight is what follows a module's name in the name of a plain weight.
const partWeight = "weight"

// module is what is stored for one weight. Most are that of a module.
type module struct {
	weight    string                   // the name of the weight
	before    string                   // what the names of the parts begin with
	cut       string                   // what the names of parts lack that they begin with here
	parts     map[string]tensor.Tensor // by what follows before
	settings  settings                 // those of the module
	described string                   // by JSON in the header of the file; empty: not
}

// stored returns the name that a part has, or would have.
func (m *module) stored(part string) string {
	if t, ok := m.parts[part]; ok {
		return t.Name
	}
	return m.before + strings.TrimPrefix(part, m.cut)
}

// lacks is the error of a part that is not there.
func (m *module) lacks(part, format string, args ...any) error {
	return &badfile.FormatError{File: m.file(), Where: badfile.Tensor(m.stored(part)), Detail: "missing" + fmt.Sprintf(format, args...)}
}

// has reports whether there is a tensor of that name, of one of some dtypes if any are given.
func (m *module) has(part string, dtypes ...tensor.DType) bool {
	t, ok := m.parts[part]
	return ok && (len(dtypes) == 0 || slices.Contains(dtypes, t.DType))
}

// fileOf names the file that holds a part, or if it is not there, some other.
func (m *module) fileOf(part string) string { return cmp.Or(m.parts[part].File, m.file()) }

// file names a file that holds some of the module.
func (m *module) file() string {
	for _, part := range slices.Sorted(maps.Keys(m.parts)) {
		return m.parts[part].File
	}
	return ""
}

// bad is the error of a tensor.
func (m *module) bad(part, format string, args ...any) error {
	return &badfile.FormatError{File: m.fileOf(part), Where: badfile.Tensor(m.stored(part)), Detail: fmt.Sprintf(format, args...)}
}

// cannot is the error of a tensor that is fine, and that nothing is known to do with.
func (m *module) cannot(part, format string, args ...any) error {
	return &badfile.UnsupportedError{File: m.fileOf(part), Where: badfile.Tensor(m.stored(part)), Detail: fmt.Sprintf(format, args...)}
}

// codes returns the bytes of a tensor with two dimensions or up to that many, and one of some dtypes.
func (m *module) codes(part string, dims int, dtypes ...tensor.DType) (tensor.Tensor, error) {
	t := m.parts[part]
	switch {
	case !slices.Contains(dtypes, t.DType):
		return t, m.bad(part, "found dtype %s, expected %s", t.DType, badfile.Or(dtypes))
	case len(t.Shape) < 2 || len(t.Shape) > dims || t.Elems() == 0:
		want := "2 dimensions"
		if dims > 2 {
			want = fmt.Sprintf("2 to %d dimensions", dims)
		}
		return t, m.bad(part, "found %s, expected %s, none of them 0", badfile.Shape(t.Shape), want)
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
