package convert

import (
	"context"
	"errors"
	"fmt"

	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/loader"
)

// use checks what every long call is given and keeps the checkpoints open until done is called. It fails with
// loader.ErrClosed if one of them is closed.
func use(ctx context.Context, threads int, cks ...*loader.Checkpoint) (done func(), err error) {
	if ctx == nil {
		return nil, errors.New("convert: the context is nil")
	}
	if err := parallel.CheckThreads(threads); err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	return loader.HoldAll(cks...)
}
