package convert

import (
	"context"
	"fmt"
	"math"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// NonFinite reads all weights of ck, on that many threads (0: all cores), and returns a line for each tensor that has an
// infinity or a NaN: its name, how many of each there are. The error is ctx.Err or that of a file cut short meanwhile.
func NonFinite(ctx context.Context, ck *loader.Checkpoint, threads int, progress func(done, total int64)) ([]string, error) {
	done, err := use(ctx, threads, ck)
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
	blocks := blocksOf(tensors)
	type tally struct{ nan, inf int }
	counts := make([]tally, len(blocks))
	err = eachBlock(ctx, threads, tensors, blocks, progress, func(n int, b block) {
		t := tensors[b.tensor]
		var values [digestElems]float64
		for first := b.first; first < b.end; first += digestElems {
			part := values[:min(digestElems, b.end-first)]
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
		totals[b.tensor].nan += counts[n].nan
		totals[b.tensor].inf += counts[n].inf
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
