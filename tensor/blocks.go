package tensor

// Blocks is a Coding whose codes and scales can be rearranged into blocks of one of ggml's dtypes without changing a value. The
// values of the blocks times Scale are the tensor, up to the rounding of the scales.
type Blocks interface {
	Coding
	// Block is the dtype of the blocks.
	Block() DType
	// Blocks sets dst to the blocks of the elements from number first on, both whole blocks.
	Blocks(dst []byte, first int) error
	// Scale is that of the matrix which holds element number first.
	Scale(first int) float32
}

// blocksPart is a part of a tensor that has Blocks.
type blocksPart struct {
	part
	blocks Blocks
}

func (p blocksPart) Block() DType                       { return p.blocks.Block() }
func (p blocksPart) Blocks(dst []byte, first int) error { return p.blocks.Blocks(dst, p.first+first) }
func (p blocksPart) Scale(first int) float32            { return p.blocks.Scale(p.first + first) }
