// Package call begins long calls of the library.
package call

import (
	"context"
	"fmt"

	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/loader"
)

// Begin checks the arguments that every long call of a package takes, and keeps checkpoints open until done is called. It
// fails with loader.ErrClosed if one of them is closed.
func Begin(ctx context.Context, pkg string, threads int, cks ...*loader.Checkpoint) (done func(), err error) {
	if ctx == nil {
		return nil, fmt.Errorf("%s: the context is nil", pkg)
	}
	if err := parallel.CheckThreads(threads); err != nil {
		return nil, fmt.Errorf("%s: %w", pkg, err)
	}
	release := func(held []*loader.Checkpoint) {
		for _, ck := range held {
			ck.Release()
		}
	}
	for i, ck := range cks {
		if err := ck.Hold(); err != nil {
			release(cks[:i])
			return nil, err
		}
	}
	return func() { release(cks) }, nil
}
