package scheme

import (
	"fmt"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/tensor"
)

// WithScale returns a weight of a GGUF file that is multiplied by a tensor beside it, NAME.scale: one number for all of it, or for
// each of the matrices in it. llama.cpp multiplies the products (llama-graph.cpp, build_lora_mm); here each element is rounded.
func WithScale(w, scale tensor.Tensor) (tensor.Tensor, error) {
	matrices := scale.Elems()
	if scale.DType != tensor.F32 || matrices < 1 || w.Elems()%matrices != 0 || matrices > 1 && (len(w.Shape) < 3 || w.Shape[0] != matrices) {
		return w, &badfile.FormatError{File: scale.File, Where: badfile.Tensor(scale.Name), Detail: fmt.Sprintf("found %s %s, expected F32 with one number for %s, or for each matrix of it",
			scale.DType, badfile.Shape(scale.Shape), badfile.Quote(w.Name))}
	}
	c := wholeScale{stored{w.Data, scale.Data}, w, numbers{scale.DType, scale.Data}, w.Elems() / matrices}
	t := tensor.OfCoding(w.Name, &c, w.Shape, w.File)
	if w.DType == tensor.NVFP4 {
		t.Coding = &scaledBlocks{c}
	}
	return t, nil
}

// wholeScale is a weight and what it is multiplied by.
type wholeScale struct {
	stored
	weight tensor.Tensor
	scales numbers
	each   int // elements of a matrix
}

func (c *wholeScale) String() string { return c.weight.DType.String() }

func (c *wholeScale) Widen(dst []float32, first int) {
	block, _ := c.weight.DType.Block()
	var whole [most]float32 // blocks of every dtype are as long at most
	for len(dst) > 0 {
		from := first / block * block
		end := min(from+most, c.weight.Elems(), (first/c.each+1)*c.each)
		values := whole[:end-from]
		c.weight.Piece(from, end).Widen32(values)
		s := c.scales.at(first / c.each)
		n := min(len(dst), end-first)
		for i, v := range values[first-from:][:n] {
			dst[i] = v * s
		}
		dst, first = dst[n:], first+n
	}
}

// scaledBlocks is a wholeScale of NVFP4.
type scaledBlocks struct{ wholeScale }

// Block implements tensor.Blocks.
func (c *scaledBlocks) Block() tensor.DType { return tensor.NVFP4 }

// Scale implements tensor.Blocks.
func (c *scaledBlocks) Scale(first int) float32 { return c.scales.at(first / c.each) }

// Blocks implements tensor.Blocks.
func (c *scaledBlocks) Blocks(dst []byte, first int) error {
	copy(dst, c.weight.Data[tensor.NVFP4.Bytes(first):])
	return nil
}
