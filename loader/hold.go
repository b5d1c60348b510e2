package loader

import (
	"errors"
	"fmt"

	"github.com/gomamba/gomamba/internal/mmap"
)

// ErrClosed is the cause of every error of a checkpoint, or of a model made of it, that was closed before.
var ErrClosed = mmap.ErrClosed

// errNil is what a call without a checkpoint gets.
var errNil = errors.New("loader: the checkpoint is nil")

// Hold keeps the data of tensors in place until Release, even if Close is called meanwhile. After Close it fails with
// ErrClosed.
func (ck *Checkpoint) Hold() error {
	if ck == nil {
		return errNil
	}
	if !ck.gate.Enter() {
		return ck.closedError()
	}
	return nil
}

// Release undoes Hold. The last one after Close releases the files.
func (ck *Checkpoint) Release() { ck.gate.Leave() }

func (ck *Checkpoint) closedError() error { return fmt.Errorf("%s: %w", ck.path, ErrClosed) }

// usable reports a checkpoint that is nil or closed.
func (ck *Checkpoint) usable() error {
	if ck == nil {
		return errNil
	}
	if ck.gate.Closed() {
		return ck.closedError()
	}
	return nil
}

// Guard runs fn, which reads the data of tensors, and returns an error instead of crashing if the data is read after Close,
// read after its file has shrunk, or written to. It only covers fn on the calling goroutine.
func Guard(fn func() error) error { return mmap.GuardClosed(fn) }
