package convert

import (
	"context"
	"sync"

	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/tensor"
)

// blockElems is how many elements of a tensor are looked at in one go.
const blockElems = 1 << 20

// block is a part of a tensor.
type block struct {
	tensor     int // index
	first, end int // elements
}

// blocksOf cuts tensors into blocks, in order.
func blocksOf(tensors []tensor.Tensor) []block {
	var blocks []block
	for i, t := range tensors {
		for first := 0; first < t.Elems(); first += blockElems {
			blocks = append(blocks, block{i, first, min(first+blockElems, t.Elems())})
		}
	}
	return blocks
}

// eachBlock hands every block to work, on that many threads (0: all cores), and reports progress in bytes of tensors.
// It returns ctx.Err, or the error of a file that was cut short under its mapping.
func eachBlock(ctx context.Context, threads int, tensors []tensor.Tensor, blocks []block,
	progress func(done, total int64), work func(n int, b block),
) error {
	var mutex sync.Mutex
	var failed error
	done, total := int64(0), int64(0)
	for _, t := range tensors {
		total += int64(len(t.Data))
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
			if done += int64(tensors[b.tensor].DType.Bytes(b.end - b.first)); progress != nil {
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
