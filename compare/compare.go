// Package compare answers whether two checkpoints hold the same model, whatever their layouts, and what a conversion
// cost: Diff and Fingerprint read weights and settings, NewReceipt runs both models as well.
package compare

import (
	"context"
	"errors"
	"fmt"

	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/loader"
)

// use checks the arguments that every call takes and keeps the checkpoints open until done is called. It fails with
// loader.ErrClosed if one of them is closed.
func use(ctx context.Context, threads int, cks ...*loader.Checkpoint) (done func(), err error) {
	if ctx == nil {
		return nil, errors.New("compare: the context is nil")
	}
	if err := parallel.CheckThreads(threads); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	return loader.HoldAll(cks...)
}
