package doctor

import (
	"context"
	"fmt"
	"math"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/blockwise"
	"github.com/gomamba/gomamba/internal/call"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// finiteElems is how many elements are widened together, in whole blocks of every dtype.
const finiteElems = 4096

// tally counts what is not finite.
type tally struct {
	nan, inf int
	blocks   int // of a quantized dtype, that hold any of it
	first    int // the first of these in the tensor
}

// add counts values, the first of which is number at of the tensor, in blocks of some elements.
func (c *tally) add(values []float64, at, elems int) {
	for i := 0; i < len(values); i += elems {
		before := c.nan + c.inf
		for _, v := range values[i:min(i+elems, len(values))] {
			switch {
			case math.IsNaN(v):
				c.nan++
			case math.IsInf(v, 0):
				c.inf++
			}
		}
		if c.nan+c.inf > before {
			if c.blocks == 0 {
				c.first = (at + i) / elems
			}
			c.blocks++
		}
	}
}

// join adds what was counted further on in the tensor.
func (c *tally) join(after tally) {
	if c.blocks == 0 {
		c.first = after.first
	}
	c.nan, c.inf, c.blocks = c.nan+after.nan, c.inf+after.inf, c.blocks+after.blocks
}

// line says of a tensor what was counted. That a block's scale is not finite shows in its elements: infinity times zero is not
// a number.
func (c tally) line(t tensor.Tensor) string {
	elems, _ := t.DType.Block()
	where := ""
	if t.DType == tensor.Coded {
		where = fmt.Sprintf("of %s, whose scales are not finite or too large, ", t.Type())
	} else if t.DType.Quantized() {
		where = fmt.Sprintf("in %s of %s, the first of them block %d, ", badfile.Count(c.blocks, "block"), t.DType, c.first)
		if len(t.Shape) > 0 && t.Shape[len(t.Shape)-1] >= elems {
			row := t.Shape[len(t.Shape)-1] / elems
			where = fmt.Sprintf("in %s of %s, the first of them block %d of row %d, ", badfile.Count(c.blocks, "block"), t.DType, c.first%row, c.first/row)
		}
		where += "whose scale is not finite or too large, "
	}
	return fmt.Sprintf("%s: tensor %q: found %d NaN and %s %samong %s, expected finite numbers",
		t.File, t.Name, c.nan, badfile.Count(c.inf, "infinity"), where, badfile.Count(t.Elems(), "element"))
}

// NonFinite reads all weights of ck and returns a line for each tensor that contains an infinity or a NaN: its name, how many
// of each there are and, for a quantized tensor, in which blocks. The error is ctx.Err, or that of a file that was truncated in
// the meantime.
func NonFinite(ctx context.Context, ck *loader.Checkpoint, opts loader.ReadOptions) ([]string, error) {
	done, err := call.Begin(ctx, "doctor", opts.Threads, ck)
	if err != nil {
		return nil, err
	}
	defer done()
	var tensors []tensor.Tensor
	for _, t := range ck.Tensors() {
		if t.DType.Float() {
			tensors = append(tensors, t)
		}
	}
	blocks := blockwise.Of(tensors)
	counts := make([]tally, len(blocks))
	err = blockwise.Each(ctx, opts.Threads, tensors, blocks, opts.Progress, func(n int, b blockwise.Block) {
		t := tensors[b.Tensor]
		var values [finiteElems]float64
		for first := b.First; first < b.End; first += finiteElems {
			part := values[:min(finiteElems, b.End-first)]
			t.Piece(first, first+len(part)).Widen64(part)
			elems, _ := t.DType.Block()
			if !t.DType.Quantized() || t.Coding != nil {
				elems = len(part) // which block does not matter
			}
			counts[n].add(part, first, elems)
		}
	})
	if err != nil {
		return nil, err
	}
	totals := make([]tally, len(tensors))
	for n, b := range blocks {
		totals[b.Tensor].join(counts[n])
	}
	var lines []string
	for i, t := range tensors {
		if c := totals[i]; c.nan+c.inf > 0 {
			lines = append(lines, c.line(t))
		}
	}
	return lines, nil
}
