package convert

import (
	"errors"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/layout/hf"
	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/internal/layouts"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/loader"
)

// Default returns the layout for a folder if none is asked for: HF, or the first that can hold the model if HF cannot. Then
// refusal says why HF cannot.
func Default(ck *loader.Checkpoint) (l Layout, refusal error) {
	if ck.Check() != nil || ck.Hold() != nil {
		return layouts.Default, nil // NewPlan reports it
	}
	defer ck.Release()
	l = layouts.Default
	_ = mmap.Guard(func() error { // what stops it stops NewPlan, too
		p := draft(ck)
		if refusal = refuses(l, p); refusal == nil {
			return nil
		}
		for _, other := range holders(p) {
			if known, _ := layouts.Named(string(other)); known.Ending == "" {
				l = other
				return nil
			}
		}
		refusal = nil // there is no better one
		return nil
	})
	return l, refusal
}

// draft is the plan of a conversion that nothing has been asked of yet.
func draft(ck *loader.Checkpoint) *write.Plan {
	p := &write.Plan{From: originOf(ck), Config: hf.Harmless(ck.Config()), Notes: []string{}}
	p.Config.Shared().TieWordEmbeddings = ck.Tied()
	return p
}

// refuses returns the error of a layout that cannot hold the model of a plan, in any dtype.
func refuses(l Layout, p *write.Plan) error {
	to, _ := layouts.Named(string(l))
	plain := &write.Plan{From: p.From, Config: p.Config.Clone(), Texts: p.Texts}
	return to.NewTarget().Prepare(plain)
}

// holders lists the layouts that can hold the model of a plan.
func holders(p *write.Plan) (list []Layout) {
	for _, l := range written() {
		if refuses(l, p) == nil {
			list = append(list, l)
		}
	}
	return list
}

// prepare lets a target settle the configuration. If the layout cannot hold the model, the error lists those that can.
func prepare(l Layout, target write.Target, p *write.Plan) error {
	before := *p
	before.Config = p.Config.Clone()
	err := target.Prepare(p)
	e, ok := errors.AsType[*badfile.UnsupportedError](err)
	if !ok || e.File != "" {
		return err
	}
	e.File = p.From.Path // whose configuration asks for it
	if refuses(l, &before) == nil {
		return err // another request could be met
	}
	if others := holders(&before); len(others) > 0 {
		e.Detail += "; choose " + badfile.Or(others)
	}
	return err
}
