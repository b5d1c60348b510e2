package write

import "github.com/gomamba/gomamba/tensor"

// Blocks returns a source that is the codes and scales of weights as blocks of a dtype, under another name. If shape is that of one
// of them, its rows may be in another order: row i is that of index row(i).
func Blocks(parts []tensor.Tensor, name string, shape []int, row func(i int) int) Source {
	dtype := parts[0].Coding.(tensor.Blocks).Block()
	regroup := func(s *Scratch, t tensor.Tensor, first, end int) ([]byte, error) {
		encoded := room(&s.encoded, dtype.Bytes(end-first))
		return encoded, t.Coding.(tensor.Blocks).Blocks(encoded, first)
	}
	if len(parts) > 1 {
		return stack(name, dtype, shape, len(parts), func(s *Scratch, i, first, end int) ([]byte, error) {
			return regroup(s, parts[i], first, end)
		})
	}
	cols := shape[len(shape)-1]
	elems, _ := tensor.Count(shape) // of a valid configuration
	return stack(name, dtype, shape, elems/cols, func(s *Scratch, i, first, end int) ([]byte, error) {
		return regroup(s, parts[0], row(i)*cols+first, row(i)*cols+end)
	})
}
