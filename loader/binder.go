package loader

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/delta"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// Binder hands out the tensors of a checkpoint by name. It keeps the first error, so that a model can take everything
// it needs and ask once; from then on every tensor is empty.
type Binder struct {
	ck     *Checkpoint
	prefix string
	err    *error // shared by all binders of one NewBinder
	wide   bool   // see Merged
	base   bool   // see Unadapted
}

// NewBinder starts to bind. A checkpoint that fails Check binds nothing.
func NewBinder(ck *Checkpoint) *Binder {
	err := ck.Check()
	return &Binder{ck: ck, err: &err}
}

// Under returns a binder for the names that start with prefix, within b's own.
func (b *Binder) Under(prefix string) *Binder {
	return &Binder{ck: b.ck, prefix: b.prefix + prefix, err: b.err, wide: b.wide, base: b.base}
}

// Layer returns the binder for block i: Take("norm.weight") takes "backbone.layers.i.norm.weight".
func (b *Binder) Layer(i int) *Binder { return b.Under(names.Blocks + strconv.Itoa(i) + ".") }

// Take returns the tensor of that name. Its shape is that of the name table, its dtype one of tensor.Floats; Data is
// a read-only view of the file. Of a tied model whose files hold only one of embedding and head, both are that one.
//
// With an adapter, the tensor is the one that it has in place of the base model's, if any; what Delta returns is yet to be applied.
func (b *Binder) Take(name string) tensor.Tensor {
	if *b.err != nil {
		return tensor.Tensor{}
	}
	name = b.prefix + name
	if _, ok := b.ck.spec[name]; !ok {
		*b.err = fmt.Errorf("loader: a %s model of this configuration has no tensor %s", b.ck.cfg.Family(), badfile.Quote(name))
		return tensor.Tensor{}
	}
	if a := b.ck.adapter; a != nil && !b.base {
		if t, ok := a.Values[name]; ok {
			return b.merged(t, name)
		}
	}
	i, ok := b.ck.stored(name)
	if !ok { // Check vouches for all but the optional ones
		*b.err = &badfile.FormatError{File: b.ck.weights.Source, Where: badfile.Tensor(name), Detail: "missing"}
		return tensor.Tensor{}
	}
	return b.merged(b.ck.weights.Tensors[i], name)
}

// Delta returns what an adapter changes in the tensor of that name, nil if nothing.
func (b *Binder) Delta(name string) *delta.Delta {
	if b.ck.adapter == nil || b.wide || b.base {
		return nil
	}
	return b.ck.adapter.Deltas[b.prefix+name]
}

// Merged returns a binder that hands out what an adapter changes as it is then, in float64 arithmetic and memory.
func (b *Binder) Merged() *Binder {
	m := *b
	m.wide = true
	return &m
}

// Unadapted returns a binder that hands out the base model's tensors.
func (b *Binder) Unadapted() *Binder {
	m := *b
	m.base = true
	return &m
}

// merged applies the delta of a tensor if it is asked for.
func (b *Binder) merged(t tensor.Tensor, name string) tensor.Tensor {
	if !b.wide || b.base || b.ck.adapter == nil || b.ck.adapter.Deltas[name] == nil {
		return t
	}
	t, err := b.ck.adapter.Deltas[name].Merged(t)
	b.Fail(strings.TrimPrefix(name, b.prefix), err)
	return t
}

// Fail notes what is wrong with the tensor of that name, unless there was an error before.
func (b *Binder) Fail(name string, err error) {
	if *b.err == nil && err != nil {
		*b.err = &badfile.FormatError{File: b.ck.adapter.Dir, Where: badfile.Tensor(b.prefix + name), Detail: err.Error()}
	}
}

// Err returns the first error, nil when every tensor asked for was there.
func (b *Binder) Err() error { return *b.err }
