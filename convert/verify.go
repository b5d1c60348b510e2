package convert

import (
	"bytes"
	"cmp"
	"context"
	"fmt"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/call"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// Verify opens what Write has written and compares the bits of every tensor with those of the converted source. The error is a
// *badfile.FormatError that names the first tensor that differs.
func (p *Plan) Verify(ctx context.Context, dst string, opts loader.ReadOptions) (err error) {
	done, err := call.Begin(ctx, "convert", opts.Threads, p.ck)
	if err != nil {
		return err
	}
	defer done()
	there, err := loader.Open(p.Result(dst), loader.Options{Strict: true})
	if err != nil {
		return err
	}
	defer func() {
		if e := there.Close(); err == nil {
			err = e
		}
	}()
	if err := there.Check(); err != nil {
		return err
	}
	stored := make(map[string]tensor.Tensor)
	list := layout.Inside(there).Weights.Stored
	if list == nil {
		list = there.Tensors()
	}
	for _, t := range list {
		stored[t.Name] = t
	}
	written := make([]tensor.Tensor, len(p.Steps))
	for i, step := range p.Steps {
		t, ok := stored[step.To]
		if !ok {
			return &badfile.FormatError{File: dst, Where: "tensor " + badfile.Quote(step.To), Detail: "missing after conversion"}
		}
		if s := p.plan.Sources[i]; t.DType != s.DType || int64(len(t.Data)) != s.Bytes() {
			return &badfile.FormatError{File: t.File, Where: "tensor " + badfile.Quote(step.To),
				Detail: fmt.Sprintf("found %s %v after conversion, expected %s %v", t.DType, t.Shape, s.DType, s.Shape)}
		}
		written[i] = t
	}
	count := write.NewProgress(ctx, p.plan.Sources, write.Options{Threads: opts.Threads, Progress: opts.Progress})
	err = write.EachPiece(ctx, opts.Threads, p.plan.Sources, func(i int, at int64, piece []byte) error {
		there := written[i].Data[at : at+int64(len(piece))]
		mmap.Fetch(there)
		if !bytes.Equal(piece, there) {
			return &badfile.FormatError{File: written[i].File, Where: "tensor " + badfile.Quote(p.Steps[i].To),
				Detail: fmt.Sprintf("other bits than the source within bytes %d to %d", at, at+int64(len(piece)))}
		}
		count.Add(int64(len(piece)))
		return nil
	})
	return cmp.Or(err, p.ck.Changed())
}
