package doctor

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/blockwise"
	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// finiteElems is how many elements are widened together, in whole blocks of every dtype.
const finiteElems = 4096

// NonFinite reads all weights of ck and returns a line for each tensor that has an infinity or a NaN: its name, how many of
// each there are. The error is ctx.Err or that of a file cut short meanwhile.
func NonFinite(ctx context.Context, ck *loader.Checkpoint, opts loader.ReadOptions) ([]string, error) {
	if ctx == nil {
		return nil, errors.New("doctor: the context is nil")
	}
	if err := parallel.CheckThreads(opts.Threads); err != nil {
		return nil, fmt.Errorf("doctor: %w", err)
	}
	if err := ck.Hold(); err != nil {
		return nil, err
	}
	defer ck.Release()
	var tensors []tensor.Tensor
	for _, t := range ck.Tensors() {
		if t.DType.Float() {
			tensors = append(tensors, t)
		}
	}
	blocks := blockwise.Of(tensors)
	type tally struct{ nan, inf int }
	counts := make([]tally, len(blocks))
	err := blockwise.Each(ctx, opts.Threads, tensors, blocks, opts.Progress, func(n int, b blockwise.Block) {
		t := tensors[b.Tensor]
		var values [finiteElems]float64
		for first := b.First; first < b.End; first += finiteElems {
			part := values[:min(finiteElems, b.End-first)]
			tensor.WidenF64(part, t.DType, t.Piece(first, first+len(part)).Data)
			for _, v := range part {
				switch {
				case math.IsNaN(v):
					counts[n].nan++
				case math.IsInf(v, 0):
					counts[n].inf++
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	totals := make([]tally, len(tensors))
	for n, b := range blocks {
		totals[b.Tensor].nan += counts[n].nan
		totals[b.Tensor].inf += counts[n].inf
	}
	var lines []string
	for i, t := range tensors {
		if c := totals[i]; c.nan+c.inf > 0 {
			lines = append(lines, fmt.Sprintf("%s: tensor %q: found %d NaN and %s among %s, expected finite numbers",
				t.File, t.Name, c.nan, badfile.Count(c.inf, "infinity"), badfile.Count(t.Elems(), "element")))
		}
	}
	return lines, nil
}
