package gomamba

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/text"
)

// Sampling configures how a text is continued. The zero value is greedy, and a field that is 0 changes nothing.
type Sampling struct {
	MaxTokens int      // at most; 0: 128, and 512 for an answer of a Chat with a template
	Stop      []string // texts at which to end, and which are not part of the result
	IgnoreEOS bool     // do not end at tokens that end a text

	Temperature   float64 // divides the logits; 0: always the likeliest token
	TopK          int     // keep the k most likely tokens
	TopP          float64 // keep the most likely tokens that together reach this probability
	MinP          float64 // drop tokens less likely than this share of the likeliest
	RepeatPenalty float64 // makes recent tokens less likely; 1 is off, too
	RepeatLast    int     // how many tokens are recent; 0: 64, model.WholeText: all
	Seed          uint64  // same seed, same text, whatever the machine and the number of threads
}

// draws returns how tokens are drawn for a tokenizer.
func (s Sampling) draws(t *text.Tokenizer) model.Sampling {
	return model.Sampling{
		Temperature: s.Temperature, TopK: s.TopK, TopP: s.TopP, MinP: s.MinP,
		RepeatPenalty: s.RepeatPenalty, RepeatLast: s.RepeatLast, Seed: s.Seed, Drawable: t.Drawable,
	}
}

// check reports what does not make sense beyond what model.Sampling reports.
func (s Sampling) check() error {
	switch {
	case s.MaxTokens < 0:
		return errors.New("sampling: MaxTokens is negative: expected 0 for the usual number, or how many tokens to generate")
	case slices.Contains(s.Stop, ""):
		return errors.New("sampling: a stop string is empty: expected text at which to end")
	}
	return nil
}

// within narrows limits to what the sampling asks for.
func (s Sampling) within(limits text.Limits) text.Limits {
	limits.Tokens = cmp.Or(s.MaxTokens, limits.Tokens)
	limits.Stops = append(slices.Clip(limits.Stops), s.Stop...)
	if s.IgnoreEOS {
		limits.StopTokens = nil
	}
	return limits
}

// Generate continues a prompt and yields the text piece by piece, as soon as each piece is final. It ends at the limit, at a
// stop string, at a stop token, or with one error: those of Tokenizer and of ctx, a *model.NonFiniteError, or an empty prompt.
func (m *Model) Generate(ctx context.Context, prompt string, how Sampling) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		c, g, err := m.begin(ctx, prompt, how)
		if err != nil {
			yield("", m.named(err))
			return
		}
		for shown := 0; c.Finish() == ""; {
			if err := loader.Guard(func() error {
				id, err := g.Next(ctx)
				if err == nil {
					c.Add(id)
				}
				return err
			}); err != nil {
				yield("", m.named(err))
				return
			}
			if piece := c.Text()[shown:]; piece != "" {
				if shown += len(piece); !yield(piece, nil) {
					return
				}
			}
		}
		if err := m.net.Changed(); err != nil {
			yield("", err)
		}
	}
}

// begin runs a prompt.
func (m *Model) begin(ctx context.Context, prompt string, how Sampling) (*text.Continuation, *model.Generator, error) {
	t, err := m.tokenizer()
	if err != nil {
		return nil, nil, err
	}
	if err := how.check(); err != nil {
		return nil, nil, err
	}
	g, err := m.net.NewGenerator(nil, how.draws(t))
	if err != nil {
		return nil, nil, err
	}
	ids, past, err := text.Past{All: true}.Encode(ctx, t, prompt, true)
	if err != nil {
		return nil, nil, err
	}
	if err := loader.Guard(func() error { return g.Feed(m.watched(ctx), ids) }); err != nil {
		return nil, nil, err
	}
	stops, _ := text.StopTokens(m.ck, t) // what cannot be read is a warning of Options.Warn
	return text.NewContinuation(t, past, how.within(text.Limits{Tokens: 128, StopTokens: stops})), g, nil
}

// Score says how likely a model finds a text.
type Score struct {
	Tokens        int64   // of the text, with those that the tokenizer puts before it
	Scored        int64   // those that have one before them
	LogLikelihood float64 // the sum over the tokens scored, a natural logarithm
	Perplexity    float64 // exp of the mean negative log-likelihood
	BitsPerByte   float64 // the information in the text over its length
}

// Score runs the network on a text, as one sequence, and adds up how likely it finds each token given those before it. Errors:
// those of Tokenizer and of ctx, a *model.NonFiniteError, and a text with nothing to score.
func (m *Model) Score(ctx context.Context, s string) (Score, error) {
	t, err := m.tokenizer()
	if err != nil {
		return Score{}, err
	}
	r := text.NewScorer(m.net, nil)
	ids, err := t.EncodeContext(ctx, s, false)
	if err != nil {
		return Score{}, err
	}
	err = loader.Guard(func() error { return r.Add(m.watched(ctx), slices.Concat(t.Begin(), ids)) })
	if err == nil {
		err = m.net.Changed()
	}
	if err != nil {
		return Score{}, m.named(err)
	}
	sum := r.Score()
	if sum.Scored == 0 {
		return Score{}, errors.New("nothing to score: expected at least two tokens, so that the first predicts the second")
	}
	return Score{sum.Tokens, sum.Scored, sum.LogLikelihood, sum.Perplexity(), sum.Bits() / float64(len(s))}, nil
}

// ChatOptions configure a conversation.
type ChatOptions struct {
	System   string              // the system message; empty: none
	Template string              // the chat template, in Jinja; empty: the model's
	Inputs   text.TemplateInputs // what the template sees beside the conversation, such as tools and enable_thinking
	Plain    bool                // use no template: the model continues what is said
	Sampling Sampling            // of every answer
}

// Chat is a conversation. Each turn runs only the new tokens. It is for one goroutine at a time.
type Chat struct {
	m      *Model
	t      *text.Tokenizer
	c      *text.Conversation
	limits text.Limits
}

// Chat starts a conversation. A model without a chat template continues what is said, up to an empty line. Errors: those of
// Tokenizer and of the template, and a system message without a template.
func (m *Model) Chat(opts ChatOptions) (*Chat, error) {
	t, err := m.tokenizer()
	if err != nil {
		return nil, err
	}
	if err := opts.Sampling.check(); err != nil {
		return nil, err
	}
	template, err := opts.template(t)
	if err != nil {
		return nil, err
	}
	if template != nil {
		if template, err = template.With(opts.Inputs); err != nil {
			return nil, err
		}
	}
	if template == nil && opts.System != "" {
		return nil, errors.New("the system message needs a chat template, and there is none: give ChatOptions.Template")
	}
	g, err := m.net.NewGenerator(nil, opts.Sampling.draws(t))
	if err != nil {
		return nil, err
	}
	limits, _ := text.AnswerLimits(m.ck, t, template) // as in begin
	c := text.NewConversation(t, g, text.ConversationOptions{Template: template, System: opts.System})
	return &Chat{m, t, c, opts.Sampling.within(limits)}, nil
}

// template returns the template to use; nil: none.
func (o ChatOptions) template(t *text.Tokenizer) (*text.ChatTemplate, error) {
	switch {
	case o.Plain:
		return nil, nil
	case o.Template != "":
		return t.ParseChatTemplate(o.Template, "the chat template")
	}
	return t.ChatTemplate()
}

// Say sends a message to the model and yields its answer piece by piece. It ends as Generate does. If the caller or ctx stops
// an answer early, the conversation keeps what there is of it. A message without any answer is dropped.
func (c *Chat) Say(ctx context.Context, message string) iter.Seq2[string, error] {
	return c.SayAs(ctx, "user", message)
}

// SayAs is Say for another role, such as "tool" for the result of a function that the model called.
func (c *Chat) SayAs(ctx context.Context, role, message string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		err := loader.Guard(func() error { return c.c.SayAs(c.m.watched(ctx), role, message) })
		if err != nil {
			yield("", c.m.named(err))
			return
		}
		stop, cancel := context.WithCancel(ctx)
		defer cancel()
		going := true
		answer := text.NewContinuation(c.t, c.c.Past(), c.limits)
		// An answer that ends with ctx is one that was stopped early, so that the conversation can go on.
		err = loader.Guard(func() error {
			return c.c.Answer(context.WithoutCancel(ctx), stop, answer, func(piece string) error {
				if going && piece != "" && !yield(piece, nil) {
					going = false
					cancel()
				}
				return nil
			})
		})
		if err == nil {
			err = cmp.Or(context.Cause(ctx), c.m.net.Changed())
		}
		if err != nil && going {
			yield("", c.m.named(err))
		}
	}
}

// Messages returns the conversation so far, the system message included.
func (c *Chat) Messages() []text.Message { return c.c.Messages() }

// Reset forgets everything but the system message.
func (c *Chat) Reset() error { return c.c.Reset() }

// Save writes the conversation, and the model's state after it, to a file.
func (c *Chat) Save(ctx context.Context, path string) error { return c.c.Save(ctx, c.m.net, path) }

// Load continues a conversation from a file written by Save.
func (c *Chat) Load(path string) error { return c.c.Load(c.m.net, path) }
