// Package blockwise reads tensors in blocks, on several threads, in memory that does not grow with them.
package blockwise

import (
	"context"
	"sync"

	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/tensor"
)

// Elems is the number of elements in a block; the last block of a tensor may have fewer.
const Elems = 1 << 20

// Block is a part of a tensor.
type Block struct {
	Tensor     int // index in the list
	First, End int // elements
}

// Of cuts tensors into blocks, in order.
func Of(tensors []tensor.Tensor) []Block {
	var blocks []Block
	for i, t := range tensors {
		for first := 0; first < t.Elems(); first += Elems {
			blocks = append(blocks, Block{i, first, min(first+Elems, t.Elems())})
		}
	}
	return blocks
}

// Each passes every block to work, on that many threads (0: all cores), and reports progress in bytes of tensors.
// It returns ctx.Err, or the error of a file that was cut short under its mapping.
func Each(ctx context.Context, threads int, tensors []tensor.Tensor, blocks []Block,
	progress func(done, total int64), work func(n int, b Block),
) error {
	var mutex sync.Mutex
	var failed error
	done, total := int64(0), int64(0)
	for _, t := range tensors {
		total += int64(t.Size())
	}
	pool := parallel.NewPool(threads)
	defer pool.Close()
	pool.Run(len(blocks), 1, func(lo, hi int) {
		for n := lo; n < hi && ctx.Err() == nil; n++ {
			b := blocks[n]
			err := mmap.Guard(func() error {
				work(n, b)
				return nil
			})
			mutex.Lock()
			if failed == nil {
				failed = err
			}
			if done += int64(tensors[b.Tensor].DType.Bytes(b.End - b.First)); progress != nil {
				progress(done, total)
			}
			mutex.Unlock()
		}
	})
	if failed != nil {
		return failed
	}
	return ctx.Err()
}
