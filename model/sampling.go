package model

import (
	"fmt"
	"math"
	"slices"
)

// Sampling says how the next token is drawn from logits. The zero value, and every Temperature of 0, is greedy: the most likely
// token, and the lowest id if several are equal. A field that is 0 changes nothing.
type Sampling struct {
	RepeatPenalty float64 // divides positive and multiplies negative logits of recent tokens; 0 or 1: off
	RepeatLast    int     // how many recent tokens the penalty looks at; 0: 64, WholeText: all
	TopK          int     // keep the k most likely tokens; 0: all
	TopP          float64 // keep the most likely tokens that together reach this probability; 0 or 1: all
	MinP          float64 // drop tokens less likely than this share of the likeliest; 0: none
	Temperature   float64 // divides the logits of what is left
	Seed          uint64  // same seed, same tokens, whatever the machine and the number of threads
	Order         Order   // of these steps; the zero value is LlamaOrder
	// Drawable says which ids may be drawn; nil: all. A vocabulary is often padded with ids that stand for no text.
	Drawable func(id int64) bool
}

const (
	// WholeText is a RepeatLast: the penalty looks at every token since the text began.
	WholeText = -1
	// LikeliestOnly is a TopP that keeps a single token, as 0 does for transformers and llama.cpp.
	LikeliestOnly = math.SmallestNonzeroFloat64

	usualRepeatLast = 64
)

// Step is one step from logits to a token.
type Step string

// The steps, by the names of their flags.
const (
	StepPenalty     Step = "penalty"
	StepTopK        Step = "top-k"
	StepTopP        Step = "top-p"
	StepMinP        Step = "min-p"
	StepTemperature Step = "temp"
)

// Order lists every step once. The order matters for top-p and min-p, which look at probabilities: a temperature before them
// changes what they keep.
type Order [5]Step

// LlamaOrder returns the order of llama.cpp, in which the temperature does not influence what is kept.
func LlamaOrder() Order { return Order{StepPenalty, StepTopK, StepTopP, StepMinP, StepTemperature} }

// TransformersOrder returns the order of transformers' generate() (5.24, generation/utils.py, _get_logits_processor).
func TransformersOrder() Order {
	return Order{StepPenalty, StepTemperature, StepTopK, StepTopP, StepMinP}
}

// MaxPenalty and MaxTemperature bound what a Sampling may ask for; beyond, float32 logits lose their differences.
const (
	MaxPenalty     = 1e6
	MaxTemperature = 1e6
)

// check reports a value that makes no sense.
func (s *Sampling) check() error {
	for _, p := range []struct {
		name      string
		value, hi float64
	}{{"repeat penalty", s.RepeatPenalty, MaxPenalty}, {"top-p", s.TopP, 1}, {"min-p", s.MinP, 1}, {"temperature", s.Temperature, MaxTemperature}} {
		if !(p.value >= 0 && p.value <= p.hi) {
			return fmt.Errorf("sampling: %s %v is out of range: expected 0 to %v", p.name, p.value, p.hi)
		}
	}
	if s.TopK < 0 {
		return fmt.Errorf("sampling: top-k %d is out of range: expected 0 for all tokens, or how many to keep", s.TopK)
	}
	if s.RepeatLast < WholeText {
		return fmt.Errorf("sampling: the repeat penalty cannot look back %d tokens: expected 1 or more, 0 for %d, or %d for the whole text",
			s.RepeatLast, usualRepeatLast, WholeText)
	}
	if sorted, all := slices.Sorted(slices.Values(s.Order[:])), LlamaOrder(); s.Order != (Order{}) {
		if slices.Sort(all[:]); !slices.Equal(sorted, all[:]) {
			return fmt.Errorf("sampling: the order %q does not have each of %q once", s.Order, LlamaOrder())
		}
	}
	return nil
}

// normal returns s with the values that its zeros stand for.
func (s Sampling) normal() Sampling {
	if s.RepeatLast == 0 {
		s.RepeatLast = usualRepeatLast
	}
	if s.RepeatLast == WholeText {
		s.RepeatLast = math.MaxInt
	}
	if s.RepeatPenalty == 0 {
		s.RepeatPenalty = 1
	}
	if s.TopP == 0 {
		s.TopP = 1
	}
	if s.Order == (Order{}) {
		s.Order = LlamaOrder()
	}
	return s
}
