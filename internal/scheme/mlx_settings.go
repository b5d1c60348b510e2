package scheme

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/tensor"
)

// MLX is how mx.quantize codes weights. The zero MLX is not to code them.
type MLX struct {
	Mode  string // "affine", "mxfp4", "nvfp4" or "mxfp8"
	Bits  int    // of a code
	Group int    // columns with a scale in common
}

// The bits and groups that MLX has for integers.
var (
	mlxBits   = []int{2, 3, 4, 5, 6, 8}
	mlxGroup  = []int{32, 64, 128}
	mlxPicked = MLX{mlxAffine, 4, 64} // unless something else is asked for
)

// ParseMLX completes what is asked for as mlx_lm.convert does: "" and 0 are the usual mode, bits and group of that.
func ParseMLX(mode string, bits, group int) (MLX, error) {
	m := MLX{cmp.Or(mode, mlxAffine), bits, group}
	known, ok := mlxModes[m.Mode]
	if !ok {
		modes := []string{mlxAffine, "mxfp4", "mxfp8", "nvfp4"}
		return MLX{}, fmt.Errorf("mode %q: expected %s%s", mode, badfile.Or(modes), badfile.DidYouMean(mode, modes))
	}
	usual := MLX{m.Mode, known.bits, known.group}
	if known.bits == 0 {
		usual = mlxPicked
	}
	m.Bits, m.Group = cmp.Or(bits, usual.Bits), cmp.Or(group, usual.Group)
	switch {
	case known.bits != 0 && m != usual:
		return MLX{}, fmt.Errorf("%s has codes of %d bits and groups of %d, and no others", m.Mode, usual.Bits, usual.Group)
	case known.bits == 0 && !slices.Contains(mlxBits, m.Bits):
		return MLX{}, fmt.Errorf("%d bits: expected %s", m.Bits, badfile.Or(numerals(mlxBits)))
	case known.bits == 0 && !slices.Contains(mlxGroup, m.Group):
		return MLX{}, fmt.Errorf("groups of %d: expected %s", m.Group, badfile.Or(numerals(mlxGroup)))
	}
	return m, nil
}

func numerals(list []int) []string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = strconv.Itoa(n)
	}
	return words
}

// String names the coding as that of a weight which is read, such as "MLX-4".
func (m MLX) String() string {
	if m.Affine() {
		return fmt.Sprintf("MLX-%d", m.Bits)
	}
	return "MLX-" + m.Mode
}

// Affine reports whether codes are integers, which have a bias beside the scale.
func (m MLX) Affine() bool { return m.Mode == mlxAffine }

// Scales returns the dtype of the scales of a weight that was of a dtype before.
func (m MLX) Scales(of tensor.DType) tensor.DType {
	if m.Affine() {
		return of
	}
	return tensor.U8
}

// JSON is what config.json says.
func (m MLX) JSON() string {
	return fmt.Sprintf(`{"group_size":%d,"bits":%d,"mode":%q}`, m.Group, m.Bits, m.Mode)
}

// Streams are the bytes that MLX stores for a weight.
type Streams struct {
	MLX
	ScaleDType            tensor.DType
	Codes, Scales, Biases []byte // of the weight or of the part that was asked for
}

// StreamsOf returns what is stored for a weight that MLX has coded, or for whole groups of one.
func StreamsOf(t tensor.Tensor) (s Streams, ok bool) {
	if t.DType != tensor.Coded {
		return s, false
	}
	whole, first := tensor.Whole(t.Coding)
	if b, is := whole.(*mlxBlocks); is {
		whole = b.mlxGroups
	}
	c, ok := whole.(*mlxGroups)
	if !ok || first%c.group != 0 || t.Elems()%c.group != 0 {
		return s, false
	}
	cut := func(stream []byte, bits int) []byte { // bits of a group
		return stream[first/c.group*bits/8:][:t.Elems()/c.group*bits/8]
	}
	s = Streams{MLX: MLX{c.mode, c.bits, c.group}, ScaleDType: c.scales.dtype, Codes: cut(c.codes, c.bits*c.group)}
	if !s.Affine() {
		s.ScaleDType = tensor.U8
	}
	s.Scales = cut(c.scales.data, 8*s.ScaleDType.Size())
	if s.Affine() {
		if c.biases.dtype != c.scales.dtype {
			return s, false
		}
		s.Biases = cut(c.biases.data, 8*s.ScaleDType.Size())
	}
	return s, true
}
