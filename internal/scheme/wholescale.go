package scheme

import (
	"fmt"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/kernel"
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
	d := c.weight.DType
	block, _ := d.Block()
	blocks := func(dst []float32, first int) {
		kernel.Widen(dst, d, c.weight.Data[d.Bytes(first):d.Bytes(first+len(dst))])
	}
	for len(dst) > 0 {
		n := min(len(dst), 4096, c.each-first%c.each)
		if within := first % block; within != 0 || n < block {
			r := newRoom()
			one := r.scales[:block] // none is as long
			blocks(one, first-within)
			n = copy(dst[:n], one[within:])
			r.free()
		} else {
			n -= n % block
			blocks(dst[:n], first)
		}
		kernel.Times(dst[:n], c.scales.at(first/c.each))
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
