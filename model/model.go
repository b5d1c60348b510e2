package model

import (
	"fmt"
	"sync"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/loader"
)

// Model is a network ready to run: weights bound to the checkpoint they lie in, and the threads that work on them.
// It may be used from any number of goroutines, each with a cache of its own; their parallel parts take turns.
type Model struct {
	cfg          *config.MambaConfig
	weights      *weights
	mixers       []*mamba1
	pool         *kernel.Pool
	spare        sync.Pool // of *scratch
	parallelScan bool
}

// Options choose how a model runs. The zero value is the usual choice.
type Options struct {
	Threads int // threads to use; 0: all cores
	// ParallelScan divides the selective scan of a long prompt by time instead of by channels: for models with few
	// channels on machines with many cores. Results then agree to rounding, no longer to the bit, with those of
	// other splits of the prompt and other numbers of threads.
	ParallelScan bool
}

// New binds the weights of an open checkpoint, which must stay open while the model is in use.
// Nothing but small vectors is copied, so it takes milliseconds whatever the size.
// Errors are those of the checkpoint: tensors that are missing or do not fit the configuration.
func New(ck *loader.Checkpoint, opts Options) (*Model, error) {
	if err := ck.Check(); err != nil {
		return nil, err
	}
	cfg, ok := ck.Config().(*config.MambaConfig)
	if !ok {
		return nil, &badfile.UnsupportedError{File: ck.Path(), Where: "model_type",
			Detail: fmt.Sprintf("the network of family %q is not in this version", ck.Config().Family())}
	}
	w, mixers, err := bind(ck, cfg)
	if err != nil {
		return nil, err
	}
	m := &Model{cfg: cfg, weights: w, mixers: mixers, parallelScan: opts.ParallelScan, pool: kernel.NewPool(opts.Threads)}
	m.spare.New = func() any { return new(scratch) }
	return m, nil
}

// Config returns the configuration, which must not be changed.
func (m *Model) Config() *config.MambaConfig { return m.cfg }

// Threads returns the number of threads the model runs on.
func (m *Model) Threads() int { return m.pool.Threads() }

// Close ends the model's threads. The checkpoint stays open.
func (m *Model) Close() { m.pool.Close() }
