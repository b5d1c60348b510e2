package compare

import (
	"context"
	"math"
	"sync"

	"github.com/gomamba/gomamba/internal/blockwise"
	"github.com/gomamba/gomamba/internal/call"
	"github.com/gomamba/gomamba/internal/delta"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// Delta describes how an adapter changes a weight: the Frobenius norm of the change, and that of the base model's weight.
type Delta struct {
	Name  string        `json:"name"` // Hugging Face's
	Shape []int         `json:"shape"`
	Rank  int           `json:"rank,omitempty"` // of what is added; 0: other values take the weight's place
	Norm  tensor.Number `json:"norm"`
	Base  tensor.Number `json:"base_norm"`
}

// Deltas lists the changes that the adapter of a checkpoint makes, in the order of the name table. It reads the changed weights
// once. Errors: those of ck.Check, ctx.Err, and a value that becomes non-finite.
func Deltas(ctx context.Context, ck *loader.Checkpoint, opts loader.ReadOptions) ([]Delta, error) {
	done, err := call.Begin(ctx, "compare", opts.Threads, ck)
	if err != nil {
		return nil, err
	}
	defer done()
	adapted, base := loader.NewBinder(ck).Apart(), loader.NewBinder(ck).Unadapted()
	var after []changed
	var before []tensor.Tensor
	list := []Delta{}
	for _, name := range ck.Adapted() {
		x, d := adapted.Take(name), adapted.Delta(name)
		after, before = append(after, changed{x, d}), append(before, base.Take(name))
		entry := Delta{Name: ck.StoredName(name), Shape: x.Shape}
		if d != nil && len(d.Products) > 0 {
			entry.Rank = d.Products[0].Rank
		}
		list = append(list, entry)
	}
	if err := adapted.Err(); err != nil {
		return nil, err
	}
	if err := base.Err(); err != nil {
		return nil, err
	}
	var mutex sync.Mutex
	var failed error
	err = blockwise.Each(ctx, opts.Threads, before, blockwise.Of(before), opts.Progress, func(_ int, b blockwise.Block) {
		moved, size, err := squares(after[b.Tensor], before[b.Tensor], b)
		mutex.Lock()
		defer mutex.Unlock()
		list[b.Tensor].Norm += tensor.Number(moved)
		list[b.Tensor].Base += tensor.Number(size)
		if failed == nil {
			failed = err
		}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, err
	}
	for i := range list {
		list[i].Norm, list[i].Base = tensor.Number(math.Sqrt(float64(list[i].Norm))), tensor.Number(math.Sqrt(float64(list[i].Base)))
	}
	return list, ck.Changed()
}

// changed is a tensor, and what is changed in it.
type changed struct {
	tensor.Tensor
	delta *delta.Delta
}

// squares sums up the squares of the difference, and of the base model's values, in a block.
func squares(after changed, before tensor.Tensor, b blockwise.Block) (moved, size float64, err error) {
	const chunk = 4096 // whole blocks of every dtype
	var x, y [chunk]float32
	for first := b.First; first < b.End; first += chunk {
		n := min(chunk, b.End-first)
		before.Piece(first, first+n).Widen32(x[:n])
		if err := after.delta.Widen(y[:n], after.Tensor, first); err != nil {
			return 0, 0, err
		}
		for i, v := range x[:n] {
			d := float64(y[i]) - float64(v)
			moved, size = moved+float64(d*d), size+float64(float64(v)*float64(v))
		}
	}
	return moved, size, nil
}
