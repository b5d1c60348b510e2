package model

import (
	"cmp"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/numcheck"
)

// RandomState is the state of the generator that draws tokens, PCG-DXSM as in math/rand/v2.
type RandomState [2]uint64

// streamOf is the second half of every stream's first state; the seed is the first.
const streamOf = 0x6d616d6261

// sampler draws the tokens of one sequence.
type sampler struct {
	Sampling
	source *rand.PCG
	rng    *rand.Rand
	never  []bool // of each id whether it must not be drawn; nil if all may
	ranker ranker

	// The token that is being drawn:
	logits  []float32   // of all ids, until they are ranked
	kept    []candidate // likeliest first, once they are
	ranked  bool
	divisor float64 // of the logits, by the temperature
	own     []float32
}

type candidate struct {
	id    int
	logit float64 // of the temperature 1
	p     float64 // beside the likeliest, which has 1
}

func newSampler(s Sampling, vocab int) *sampler {
	var never []bool
	for id := range vocab {
		if s.Drawable != nil && !s.Drawable(int64(id)) {
			if never == nil {
				never = make([]bool, vocab)
			}
			never[id] = true
		}
	}
	source := rand.NewPCG(s.Seed, streamOf)
	return &sampler{never: never, Sampling: s.normal(), source: source, rng: rand.New(source)}
}

// state returns where the random stream stands.
func (s *sampler) state() RandomState {
	text, _ := s.source.MarshalBinary() // never fails: "pcg:" and two big-endian words
	return RandomState{binary.BigEndian.Uint64(text[4:]), binary.BigEndian.Uint64(text[12:])}
}

// goOn makes the random stream stand there.
func (s *sampler) goOn(from RandomState) { *s.source = *rand.NewPCG(from[0], from[1]) }

// next draws a token of a sequence that has seen some. It fails if the logits are not numbers.
func (s *sampler) next(logits []float32, seen *history) (int64, error) {
	if id := numcheck.NonFinite(logits); id >= 0 {
		return 0, &NonFiniteError{Token: id, Logit: logits[id]}
	}
	if s.Temperature == 0 && s.Order[0] == StepPenalty { // no other step takes the likeliest away
		s.begin(logits)
		s.penalise(seen)
		return s.likeliest()
	}
	kept := s.keep(logits, seen)
	if len(kept) == 0 {
		return 0, errNoToken
	}
	if s.Temperature == 0 {
		return int64(kept[0].id), nil
	}
	at := s.rng.Float64() * s.weigh()
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

// likeliest returns the greedy choice.
func (s *sampler) likeliest() (int64, error) {
	best := -1
	for id, v := range s.logits {
		if (best < 0 || v > s.logits[best]) && s.allows(id) {
			best = id
		}
	}
	if best < 0 {
		return 0, errNoToken
	}
	return int64(best), nil
}

func (s *sampler) begin(logits []float32) {
	s.logits, s.kept, s.ranked, s.divisor = logits, s.kept[:0], false, 1
}

// keep takes the steps in their order and returns the candidates they leave, likeliest first; none only if no id may be
// drawn.
func (s *sampler) keep(logits []float32, seen *history) []candidate {
	s.begin(logits)
	for _, step := range s.Order {
		switch step {
		case StepPenalty:
			s.penalise(seen)
		case StepTopK:
			if s.TopK > 0 {
				s.rank(s.TopK)
			}
		case StepTopP:
			s.topP()
		case StepMinP:
			s.minP()
		case StepTemperature:
			if s.Temperature > 0 {
				s.divisor = s.Temperature
			}
		}
	}
	s.rank(0)
	return s.kept
}

// penalised is a logit made less likely, rounded as transformers and llama.cpp do.
func (s *sampler) penalised(logit float64) float32 {
	if logit > 0 {
		return float32(logit / s.RepeatPenalty)
	}
	return float32(logit * s.RepeatPenalty)
}

// penalise makes recent tokens less likely. A temperature before or after it makes no difference.
func (s *sampler) penalise(seen *history) {
	if s.RepeatPenalty == 1 || seen == nil {
		return
	}
	if !s.ranked {
		s.own = append(s.own[:0], s.logits...)
		s.logits = s.own
		for id := range seen.recent(s.RepeatLast) {
			s.logits[id] = s.penalised(float64(s.logits[id]))
		}
		return
	}
	for i, c := range s.kept {
		if seen.within(int64(c.id), s.RepeatLast) {
			s.kept[i].logit = float64(s.penalised(c.logit))
		}
	}
	slices.SortFunc(s.kept, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.logit, a.logit), cmp.Compare(a.id, b.id))
	})
}

// rank makes candidates of the k likeliest tokens, 0 for all, or drops candidates beyond k.
func (s *sampler) rank(k int) {
	if s.ranked {
		if k > 0 {
			s.kept = s.kept[:min(k, len(s.kept))]
		}
		return
	}
	for _, id := range s.ranker.rank(s.logits, s.allows, k) {
		s.kept = append(s.kept, candidate{id: int(id), logit: float64(s.logits[id])})
	}
	s.ranked = true
}

// weigh sets the probabilities of the candidates beside that of the likeliest, and returns their sum.
func (s *sampler) weigh() (sum float64) {
	for i := range s.kept {
		s.kept[i].p = kernel.Exp((s.kept[i].logit - s.kept[0].logit) / s.divisor)
		sum += s.kept[i].p
	}
	return sum
}

// topP drops the tokens after those that together reach the probability.
func (s *sampler) topP() {
	if s.TopP == 1 {
		return
	}
	s.rank(0)
	sum, reached := s.weigh(), 0.0
	for i, c := range s.kept {
		if reached += c.p / sum; reached >= s.TopP {
			s.kept = s.kept[:i+1]
			return
		}
	}
}

// minP drops the tokens that are too unlikely beside the likeliest.
func (s *sampler) minP() {
	if s.MinP == 0 {
		return
	}
	s.rank(0)
	s.weigh()
	for len(s.kept) > 1 && s.kept[len(s.kept)-1].p < s.MinP {
		s.kept = s.kept[:len(s.kept)-1]
	}
}
