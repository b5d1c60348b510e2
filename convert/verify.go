package convert

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/tensor"
	"github.com/gomamba/gomamba/loader"
)

// stored are the tensors of a checkpoint as its files hold them.
type stored interface {
	Tensor(name string) (tensor.Tensor, bool)
	io.Closer
}

// Verify opens what Write has written and compares every tensor's bits with what the plan makes of the source.
// The error is a *badfile.FormatError that names the first tensor that differs.
func (p *Plan) Verify(ctx context.Context, dst string, progress func(done, total int64)) (err error) {
	there, err := p.target.reopen(dst)
	if err != nil {
		return err
	}
	defer func() {
		if e := there.Close(); err == nil {
			err = e
		}
	}()
	done, total := int64(0), p.Bytes()
	for i, step := range p.Steps {
		t, ok := there.Tensor(step.To)
		if !ok {
			return &badfile.FormatError{File: dst, Where: "tensor " + badfile.Quote(step.To), Detail: "missing after conversion"}
		}
		if err := same(ctx, t, p.sources[i]); err != nil {
			return &badfile.FormatError{File: t.File, Where: "tensor " + badfile.Quote(step.To), Detail: err.Error()}
		}
		if done += p.sources[i].bytes(); progress != nil {
			progress(done, total)
		}
	}
	return p.ck.Changed()
}

// same compares a tensor's bytes with those of a source.
func same(ctx context.Context, t tensor.Tensor, s Source) error {
	if t.DType != s.DType || int64(len(t.Data)) != s.bytes() {
		return fmt.Errorf("found %s %v after conversion, expected %s %v", t.DType, t.Shape, s.DType, s.Shape)
	}
	at := 0
	return s.Write(func(piece []byte) error {
		return mmap.Guard(func() error {
			for len(piece) > 0 {
				if err := ctx.Err(); err != nil {
					return err
				}
				n := min(len(piece), maxPiece)
				if !bytes.Equal(piece[:n], t.Data[at:at+n]) {
					return fmt.Errorf("other bits than the source within bytes %d to %d", at, at+n)
				}
				piece, at = piece[n:], at+n
			}
			return nil
		})
	})
}

func (hfTarget) reopen(dst string) (stored, error) {
	ck, err := loader.Open(dst, loader.Options{Strict: true})
	if err != nil {
		return nil, err
	}
	return ck, ck.Check()
}
