package tokenizer

import "context"

// EncodeContext is Encode for a text that may be long: it returns the cause of ctx soon after that has ended.
func (t *Tokenizer) EncodeContext(ctx context.Context, text string, special bool) (ids []int64, err error) {
	return t.encodeContext(ctx, t.raw, text, start, special)
}

// ContinueContext is Continue for a text that may be long, as EncodeContext is Encode.
func (t *Tokenizer) ContinueContext(ctx context.Context, before []int64, text string) (ids []int64, err error) {
	return t.encodeContext(ctx, t.raw, text, placeAfter(t.raw, before), false)
}

// EncodeTemplateContext is EncodeTemplate for a text that may be long, as EncodeContext is Encode.
func (t *Tokenizer) EncodeTemplateContext(ctx context.Context, text string) (ids []int64, err error) {
	return t.encodeContext(ctx, t.specials(), text, start, false)
}

func (t *Tokenizer) encodeContext(ctx context.Context, raw *finder, text string, at place, special bool) (ids []int64, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case canceled:
			ids, err = nil, r.cause
		default:
			panic(r)
		}
	}()
	return t.encode(ctx, raw, text, at, special), nil
}

// canceled is the panic that leaves the steps of an encoding whose context has ended.
type canceled struct{ cause error }

// checkEvery is how many small things, such as a word or a merge, are done between two looks at the context.
const checkEvery = 1 << 14

// clock looks at a context now and then.
type clock struct {
	ctx  context.Context
	done uint
}

func (c *clock) tick() {
	if c.done++; c.done%checkEvery == 0 && c.ctx.Err() != nil {
		panic(canceled{context.Cause(c.ctx)})
	}
}
