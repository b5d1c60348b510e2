package loader

import (
	"fmt"
	"strconv"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// Binder hands out the tensors of a checkpoint by name. It keeps the first error, so that a model can take everything
// it needs and ask once; from then on every tensor is empty.
type Binder struct {
	ck     *Checkpoint
	prefix string
	err    *error // shared by all binders of one NewBinder
}

// NewBinder starts to bind. A checkpoint that fails Check binds nothing.
func NewBinder(ck *Checkpoint) *Binder {
	err := ck.Check()
	return &Binder{ck: ck, err: &err}
}

// Under returns a binder for the names that start with prefix, within b's own.
func (b *Binder) Under(prefix string) *Binder {
	return &Binder{ck: b.ck, prefix: b.prefix + prefix, err: b.err}
}

// Layer returns the binder for block i: Take("norm.weight") takes "backbone.layers.i.norm.weight".
func (b *Binder) Layer(i int) *Binder { return b.Under(names.Blocks + strconv.Itoa(i) + ".") }

// Take returns the tensor of that name. Its shape is that of the name table, its dtype one of tensor.Floats; Data is
// a read-only view of the file. Of a tied model whose files hold only one of embedding and head, both are that one.
func (b *Binder) Take(name string) tensor.Tensor {
	if *b.err != nil {
		return tensor.Tensor{}
	}
	name = b.prefix + name
	if _, ok := b.ck.spec[name]; !ok {
		*b.err = fmt.Errorf("loader: a %s model of this configuration has no tensor %s", b.ck.cfg.Family(), badfile.Quote(name))
		return tensor.Tensor{}
	}
	i, ok := b.ck.stored(name)
	if !ok { // Check vouches for all but the optional ones
		*b.err = &badfile.FormatError{File: b.ck.weights.Source, Where: badfile.Tensor(name), Detail: "missing"}
		return tensor.Tensor{}
	}
	return b.ck.tensors[i]
}

// Err returns the first error, nil when every tensor asked for was there.
func (b *Binder) Err() error { return *b.err }
