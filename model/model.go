package model

import (
	"errors"
	"fmt"
	"sync"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/gate"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/loader"
)

// Model is a network that is ready to run: weights, which stay in the files of the checkpoint, and threads. It can be used from
// any number of goroutines, each with its own cache; their parallel parts take turns.
type Model struct {
	cfg          config.Config
	weights      *weights
	scratch      scratch         // of its blocks
	states       [][]blocks.Spec // of every layer
	footprint    footprint       // of sequences
	pool         *parallel.Pool
	spare        sync.Pool // of *pass
	parallelScan bool
	ck           *loader.Checkpoint
	gate         gate.Gate
	dtFloor      bool // Options.DtFloor

	naming   sync.Mutex             // guards name
	name     string                 // in cache files; empty until it is needed
	makeName func() (string, error) // Options.Fingerprint
}

// Options configure how a model runs. The zero value is a good default.
type Options struct {
	Threads int // threads to use; 0: all cores
	// ParallelScan divides the selective scan of a long prompt by time as well as by channels. It is for models with few channels on
	// machines with many cores. Its bits are the same for every split of a prompt, batch and number of threads, but differ from
	// those of the sequential scan, with which they agree up to rounding. New refuses it for models whose recurrence cannot be
	// divided like this, such as Mamba-3.
	ParallelScan bool
	// DtFloor raises the dt of Nemotron-H and Zamba2 to their time_step_min. Only transformers does that, and only when it computes
	// several tokens at a time on a CPU; neither training nor its own single steps do. With DtFloor it applies to every token. Other
	// families do not have such a limit, and New refuses it for them.
	DtFloor bool
	// Fingerprint returns a name for the model, which is stored in its cache files; a model with another name refuses them. It is
	// called when the first cache file is written or read. compare.Fingerprint, which reads all weights, is meant for this. If it is
	// nil, cache files do not name a model, and none is refused because of its name.
	Fingerprint func() (string, error)
}

// New binds the weights of an open checkpoint. The checkpoint must stay open while the model is in use: once it or the model is
// closed, every call fails with loader.ErrClosed. Only small vectors are copied, so it takes milliseconds whatever the size.
// Errors: tensors that are missing or do not fit the configuration, an impossible number of threads, and Options.DtFloor or
// ParallelScan for a family that does not have it.
func New(ck *loader.Checkpoint, opts Options) (*Model, error) {
	if err := parallel.CheckThreads(opts.Threads); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if err := ck.Hold(); err != nil {
		return nil, err
	}
	defer ck.Release()
	if err := ck.Check(); err != nil {
		return nil, err
	}
	ck.ReadAhead()
	m := &Model{cfg: ck.Config(), states: blocks.States(ck.Config()), parallelScan: opts.ParallelScan, ck: ck, makeName: opts.Fingerprint, dtFloor: opts.DtFloor}
	network, err := blocks.Network(m.cfg, opts.DtFloor)
	if err == nil && m.parallelScan && !m.scans() {
		err = fmt.Errorf("there is no parallel scan for %s models; use the sequential one", config.Title(m.cfg.Family()))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ck.Path(), err)
	}
	err = mmap.Guard(func() (err error) { // small vectors are copied
		m.weights, err = bind(ck, &m.scratch, network)
		return err
	})
	if err != nil {
		return nil, err
	}
	m.footprint = footprintOf(m.cfg, m.states)
	m.pool = parallel.NewPool(opts.Threads)
	m.spare.New = func() any { return m.newPass() }
	return m, nil
}

// Config returns a copy of the configuration.
func (m *Model) Config() config.Config { return m.cfg.Clone() }

// Threads returns the number of threads that the model runs on, or 0 if m is nil.
func (m *Model) Threads() int {
	if m == nil {
		return 0
	}
	return m.pool.Threads()
}

// DtFloor returns Options.DtFloor.
func (m *Model) DtFloor() bool { return m.dtFloor }

// Changed reports whether a file of the weights was truncated, rewritten or replaced since it was opened. If so, results so far
// may mix old and new bytes.
func (m *Model) Changed() error {
	if err := m.enter(); err != nil {
		return err
	}
	defer m.leave()
	return m.ck.Changed()
}

// fingerprint returns the model's name in cache files; empty if it has none.
func (m *Model) fingerprint() (string, error) {
	m.naming.Lock()
	defer m.naming.Unlock()
	if m.name != "" || m.makeName == nil {
		return m.name, nil
	}
	var err error
	m.name, err = m.makeName()
	return m.name, err
}

// Close ends the model's threads once all running passes have finished. The checkpoint stays open.
func (m *Model) Close() {
	if m == nil {
		return
	}
	m.gate.Close(func() error {
		m.pool.Close()
		return nil
	})
}

// usable reports a model that is nil or closed, or whose checkpoint is.
func (m *Model) usable() error {
	switch {
	case m == nil:
		return errors.New("model: the model is nil")
	case m.gate.Closed():
		return fmt.Errorf("model of %s: %w", m.ck.Path(), loader.ErrClosed)
	}
	if err := m.ck.Hold(); err != nil {
		return err
	}
	m.ck.Release()
	return nil
}

// enter begins a call that works with the model and its weights, which stay in place until leave.
func (m *Model) enter() error {
	if m == nil || !m.gate.Enter() {
		return m.usable()
	}
	if err := m.ck.Hold(); err != nil {
		m.gate.Leave()
		return err
	}
	return nil
}

func (m *Model) leave() {
	m.ck.Release()
	m.gate.Leave()
}
