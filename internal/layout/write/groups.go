package write

import (
	"errors"
	"fmt"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/numcheck"
	"github.com/gomamba/gomamba/internal/scheme"
	"github.com/gomamba/gomamba/tensor"
)

// OnlyMLX refuses to code weights as MLX does in another layout.
func OnlyMLX() error {
	return &badfile.UnsupportedError{Where: "quantization", Detail: "only the layout mlx has codes of MLX, in groups that share a scale"}
}

// MLXPart is one of the tensors that a weight becomes.
type MLXPart struct {
	scheme.Part
	Ending string // of its name, in place of that of the weight
	DType  tensor.DType
	Shape  []int
}

// MLXParts lists the tensors that a weight of a plain dtype becomes, whose rows are whole groups.
func MLXParts(m scheme.MLX, of tensor.DType, shape []int) []MLXPart {
	last := len(shape) - 1
	with := func(cols int) []int { return append(append([]int{}, shape[:last]...), cols) }
	parts := []MLXPart{
		{scheme.Codes, "weight", tensor.U32, with(shape[last] * m.Bits / 32)},
		{scheme.Scales, "scales", m.Scales(of), with(shape[last] / m.Group)},
	}
	if m.Affine() {
		parts = append(parts, MLXPart{scheme.Biases, "biases", of, with(shape[last] / m.Group)})
	}
	return parts
}

// groupElems is how many elements of a weight are coded at a time.
const groupElems = 1 << 14

// Groups returns a source that is one part of some weights as MLX codes them, one after the other. of is the dtype that they are
// rounded to before, of which scales and biases are.
func Groups(parts []tensor.Tensor, m scheme.MLX, part MLXPart, name string, of tensor.DType) Source {
	per := 1 // elements that a group becomes
	if part.Part == scheme.Codes {
		per = m.Group * m.Bits / 32
	}
	size := part.DType.Size()
	return stack(name, part.DType, part.Shape, len(parts), func(s *Scratch, i, first, end int) ([]byte, error) {
		from, to := first/per, (end+per-1)/per // groups
		encoded := room(&s.encoded, (to-from)*per*size)
		step := groupElems / m.Group
		for g := from; g < to; g += step {
			last := min(g+step, to)
			values, err := s.rounded(parts[i], of, g*m.Group, last*m.Group)
			if err == nil {
				err = m.Encode(encoded[(g-from)*per*size:(last-from)*per*size], part.Part, values, of)
			}
			if errors.Is(err, scheme.ErrNotFinite) {
				err = explainGroups(values, of, g*m.Group, last*m.Group)
			}
			if err != nil {
				return nil, err
			}
		}
		return encoded[(first-from*per)*size : (end-from*per)*size], nil
	})
}

// explainGroups says why groups cannot be coded.
func explainGroups(values []float32, of tensor.DType, first, end int) error {
	if i := numcheck.NonFinite(values); i >= 0 {
		return fmt.Errorf("element %d is %v: codes stand for finite values", first+i, values[i])
	}
	return fmt.Errorf("elements %d to %d are too far apart: their scale is beyond the largest %s; use bf16", first, end-1, of)
}

// rounded returns the elements first to end of t as a plain dtype holds them.
func (s *Scratch) rounded(t tensor.Tensor, dtype tensor.DType, first, end int) ([]float32, error) {
	exact := t.DType == dtype && t.Coding == nil
	values, err := s.read(t, dtype, first, end, !exact && dtype != tensor.F32)
	if err != nil || exact || dtype == tensor.F32 {
		return values, err
	}
	narrow := room(&s.narrow, dtype.Bytes(end-first))
	tensor.NarrowF32(narrow, dtype, values)
	tensor.WidenF32(values, dtype, narrow)
	return values, nil
}

// GroupsOfBlocks is Groups for weights that are blocks of ggml with the values of a mode.
func GroupsOfBlocks(parts []tensor.Tensor, m scheme.MLX, part MLXPart, name string) Source {
	elems, block := parts[0].DType.Block()
	size := part.DType.Size()
	per := elems / m.Group // elements that a block becomes
	if part.Part == scheme.Codes {
		per = elems * m.Bits / 32
	}
	return stack(name, part.DType, part.Shape, len(parts), func(s *Scratch, i, first, end int) ([]byte, error) {
		from, to := first/per, (end+per-1)/per // blocks
		data := parts[i].Data[from*block : to*block]
		mmap.Fetch(data)
		encoded := room(&s.encoded, (to-from)*per*size)
		if err := m.FromBlocks(encoded, part.Part, parts[i].DType, data, from*elems); err != nil {
			return nil, err
		}
		return encoded[(first-from*per)*size : (end-from*per)*size], nil
	})
}

// GroupsAsTheyAre is Groups for weights that are coded so already. Each is all of a tensor or whole groups of one.
func GroupsAsTheyAre(streams []scheme.Streams, part MLXPart, name string) Source {
	size := part.DType.Size()
	return stack(name, part.DType, part.Shape, len(streams), func(_ *Scratch, i, first, end int) ([]byte, error) {
		data := map[scheme.Part][]byte{scheme.Codes: streams[i].Codes, scheme.Scales: streams[i].Scales, scheme.Biases: streams[i].Biases}[part.Part]
		data = data[first*size : end*size]
		mmap.Fetch(data)
		return data, nil
	})
}
