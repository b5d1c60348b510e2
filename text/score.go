package text

import (
	"context"
	"io"
	"math"

	"golang.org/x/sync/errgroup"

	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/numcheck"
	"github.com/gomamba/gomamba/internal/samebits"
	"github.com/gomamba/gomamba/model"
)

// Score says how likely a model finds the tokens of a text, each given all tokens before it.
type Score struct {
	Tokens        int64   // all of them
	Scored        int64   // those that have one before them
	LogLikelihood float64 // the sum over the tokens scored, a natural logarithm
}

// Perplexity returns exp of the mean negative log-likelihood of the scored tokens.
func (s Score) Perplexity() float64 { return samebits.Exp(-s.LogLikelihood / float64(s.Scored)) }

// Bits returns the information in the scored tokens, in bits.
func (s Score) Bits() float64 { return -s.LogLikelihood / math.Ln2 }

// Scorer computes the score of a text that comes in pieces.
type Scorer struct {
	m     *model.Model
	cache *model.Cache
	last  []float32 // logits after the last token; nil before the first
	each  func(id int64, logprob float64, scored bool) error
	score Score
	lost  float64 // what rounding took from the sum, see Kahan
}

// NewScorer returns a Scorer. each is called for every token with its log-likelihood, if it has one; each may be nil.
func NewScorer(m *model.Model, each func(id int64, logprob float64, scored bool) error) *Scorer {
	return &Scorer{m: m, cache: m.NewCache(1), each: each}
}

// Score returns the sums so far.
func (r *Scorer) Score() Score { return r.score }

// Add runs the next tokens. Errors: those of model.Stream, and *model.NonFiniteError.
func (r *Scorer) Add(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	b := model.Single(ids)
	vocab := r.m.Config().Shared().VocabSize
	if err := b.Check(vocab); err != nil {
		return err
	}
	if err := r.rate(ids[0], r.last); err != nil {
		return err
	}
	return r.m.Stream(ctx, b, r.cache, model.Want{Logits: model.LogitsAll}, func(p *model.Part) error {
		rows := make([]float64, p.Width)
		if i := numcheck.NonFinite(p.Logits); i >= 0 {
			return &model.NonFiniteError{Token: i % vocab, Logit: p.Logits[i], Where: r.cache.NonFinite()}
		}
		var each errgroup.Group
		each.SetLimit(r.m.Threads())
		for j := range rows {
			if next := p.Start + j + 1; next < len(ids) {
				each.Go(func() error {
					rows[j] = logLikelihood(p.Logits[j*vocab:][:vocab], ids[next])
					return nil
				})
			}
		}
		if err := each.Wait(); err != nil {
			return err
		}
		for j, v := range rows {
			if next := p.Start + j + 1; next < len(ids) {
				if err := r.note(ids[next], v, true); err != nil {
					return err
				}
			}
		}
		r.last = append(r.last[:0], p.Logits[(p.Width-1)*vocab:][:vocab]...)
		return nil
	})
}

// rate scores a token by the logits before it; without any it is only counted.
func (r *Scorer) rate(id int64, logits []float32) error {
	if logits == nil {
		return r.note(id, 0, false)
	}
	return r.note(id, logLikelihood(logits, id), true)
}

// logLikelihood is the natural logarithm of the probability of one id among all, in float64.
func logLikelihood(logits []float32, id int64) float64 {
	top := logits[0]
	for _, v := range logits {
		top = max(top, v)
	}
	sum := 0.0
	for _, v := range logits {
		sum += kernel.Exp(float64(v) - float64(top))
	}
	return float64(logits[id]) - float64(top) - samebits.Log(sum)
}

// note adds a token to the sums.
func (r *Scorer) note(id int64, v float64, scored bool) error {
	s := &r.score
	s.Tokens++
	if scored {
		s.Scored++
		y := v - r.lost
		next := s.LogLikelihood + y
		r.lost = (next - s.LogLikelihood) - y
		s.LogLikelihood = next
	}
	if r.each == nil {
		return nil
	}
	return r.each(id, v, scored)
}

// EachPiece reads in and passes the text to use in pieces of about n bytes. It only splits where that does not change any
// token.
func EachPiece(in io.Reader, t *Tokenizer, n int, use func(text string) error) error {
	var rest []byte
	for {
		have := len(rest)
		rest = append(rest, make([]byte, max(n, have))...) // twice as much if no cut was found
		got, err := io.ReadFull(in, rest[have:])
		rest = rest[:have+got]
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			if len(rest) == 0 {
				return nil
			}
			return use(string(rest))
		}
		if err != nil {
			return err
		}
		text := string(rest)
		if at := t.Cut(text); at > 0 {
			if err := use(text[:at]); err != nil {
				return err
			}
			rest = append(rest[:0], text[at:]...)
		}
	}
}
