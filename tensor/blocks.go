package tensor

// Blocks is a Coding whose codes and scales can be regrouped into blocks of ggml's NVFP4 without touching a value. What the
// blocks hold times Scale is the tensor, up to the rounding of the scales.
type Blocks interface {
	Coding
	// Blocks sets dst to the blocks of the elements from number first on, both whole blocks.
	Blocks(dst []byte, first int) error
	Scale() float32
}
