package model

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/numcheck"
)

// Sampling chooses how the next token is drawn from logits. The zero value, and any Temperature of 0, is greedy: the
// most likely token, the lowest id among equals. Steps apply in the order of the fields, which is that of llama.cpp.
type Sampling struct {
	RepeatPenalty float64 // divides positive and multiplies negative logits of recent tokens; 0 or 1: off
	RepeatLast    int     // how many recent tokens the penalty looks at; 0: 64
	TopK          int     // keep the k most likely tokens; 0: all
	TopP          float64 // keep the most likely tokens that together reach this probability; 0 or 1: all
	MinP          float64 // drop tokens less likely than this share of the likeliest; 0: none
	Temperature   float64 // divides the logits of what is left
	Seed          uint64  // same seed, same tokens, whatever the machine and the number of threads
	// Drawable says which ids may be drawn; nil: all. A vocabulary is often padded with ids that stand for no text.
	Drawable func(id int64) bool
}

// check reports a value that makes no sense.
func (s *Sampling) check() error {
	for _, p := range []struct {
		name      string
		value, hi float64
	}{{"repeat penalty", s.RepeatPenalty, 1e6}, {"top-p", s.TopP, 1}, {"min-p", s.MinP, 1}, {"temperature", s.Temperature, 1e6}} {
		if !(p.value >= 0 && p.value <= p.hi) {
			return fmt.Errorf("%s %v is out of range: expected 0 to %v", p.name, p.value, p.hi)
		}
	}
	if s.TopK < 0 || s.RepeatLast < 0 {
		return fmt.Errorf("top-k %d and repeat-last %d must not be negative", s.TopK, s.RepeatLast)
	}
	return nil
}

// sampler draws tokens.
type sampler struct {
	Sampling
	rng    *rand.Rand
	recent []int64
	never  []bool // of each id whether it must not be drawn; nil where all may
	order  []candidate
	ranker ranker
}

type candidate struct {
	id    int
	logit float64
	p     float64
}

func newSampler(s Sampling, vocab int) *sampler {
	if s.RepeatLast == 0 {
		s.RepeatLast = 64
	}
	var never []bool
	for id := range vocab {
		if s.Drawable != nil && !s.Drawable(int64(id)) {
			if never == nil {
				never = make([]bool, vocab)
			}
			never[id] = true
		}
	}
	return &sampler{never: never, Sampling: s, rng: rand.New(rand.NewPCG(s.Seed, 0x6d616d6261))}
}

// saw remembers tokens for the repeat penalty.
func (s *sampler) saw(ids ...int64) {
	s.recent = append(s.recent, ids...)
	if over := len(s.recent) - s.RepeatLast; over > 0 {
		s.recent = slices.Delete(s.recent, 0, over)
	}
}

// next draws a token. It fails where the logits are not numbers.
func (s *sampler) next(logits []float32) (int64, error) {
	if id := numcheck.NonFinite(logits); id >= 0 {
		return 0, &NonFiniteError{Token: id, Logit: logits[id]}
	}
	penalised := s.penalise(logits)
	if s.Temperature == 0 {
		best := -1
		for id, v := range penalised {
			if (best < 0 || v > penalised[best]) && s.allows(id) {
				best = id
			}
		}
		if best < 0 {
			return 0, errNoToken
		}
		return int64(best), nil
	}
	kept := s.keep(penalised)
	if len(kept) == 0 {
		return 0, errNoToken
	}
	top := kept[0].logit
	sum := 0.0
	for i := range kept {
		kept[i].p = kernel.Exp((kept[i].logit - top) / s.Temperature)
		sum += kept[i].p
	}
	at := s.rng.Float64() * sum
	for _, c := range kept {
		if at -= c.p; at < 0 {
			return int64(c.id), nil
		}
	}
	return int64(kept[len(kept)-1].id), nil
}

// errNoToken says that Sampling.Drawable leaves nothing.
var errNoToken = errors.New("no token may be drawn: the tokenizer has none of the model's ids")

// allows reports whether an id may be drawn.
func (s *sampler) allows(id int) bool { return s.never == nil || !s.never[id] }

// penalise returns the logits with recent tokens made less likely.
func (s *sampler) penalise(logits []float32) []float32 {
	if s.RepeatPenalty == 0 || s.RepeatPenalty == 1 {
		return logits
	}
	out := slices.Clone(logits)
	for _, id := range s.recent {
		if v := float64(logits[id]); v > 0 {
			out[id] = float32(v / s.RepeatPenalty)
		} else {
			out[id] = float32(v * s.RepeatPenalty)
		}
	}
	return out
}

// keep returns the candidates that top-k, top-p and min-p leave, likeliest first; none only where no id may be drawn.
func (s *sampler) keep(logits []float32) []candidate {
	s.order = s.order[:0]
	for _, id := range s.ranker.rank(logits, s.allows, s.TopK) {
		s.order = append(s.order, candidate{id: int(id), logit: float64(logits[id])})
	}
	kept := s.order
	sum := 0.0
	for i := range kept {
		kept[i].p = kernel.Exp(kept[i].logit - kept[0].logit)
		sum += kept[i].p
	}
	if s.TopP > 0 && s.TopP < 1 {
		reached := 0.0
		for i, c := range kept {
			if reached += c.p / sum; reached >= s.TopP {
				kept = kept[:i+1]
				break
			}
		}
	}
	for len(kept) > 1 && kept[len(kept)-1].p < s.MinP { // kept[0].p is 1
		kept = kept[:len(kept)-1]
	}
	return kept
}
