package parity

import (
	"math"
	"strings"

	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/numcheck"
	"github.com/gomamba/gomamba/model"
)

// results are the tensors of one pass by their names in a dump, widened to float64.
type results struct {
	values map[string][]float64
	shape  map[string][]int
}

func newResults() *results {
	return &results{values: map[string][]float64{}, shape: map[string][]int{}}
}

func (r *results) set(name string, shape []int, values []float64) {
	r.values[name], r.shape[name] = values, shape
}

// collect names the results of a pass.
func collect[F float32 | float64](m *model.Model, b model.Batch, logits []F, hidden [][]F, cache states[F]) *results {
	r := newResults()
	cfg := m.Config().Shared()
	B, T := b.Sequences, b.Tokens
	if logits != nil {
		r.set(dump.Logits, []int{B, len(logits) / (B * cfg.VocabSize), cfg.VocabSize}, wide(logits))
	}
	for i, h := range hidden {
		r.set(dump.HiddenState(i), []int{B, T, cfg.HiddenSize}, wide(h))
	}
	for l := range cache.Layers() {
		for _, s := range cache.States(l) {
			name, shape, values := dump.State(s.Name, l), s.Shape, wide(s.Values)
			if isKeys(name) {
				shape, values = placed(&b, shape, values)
			}
			r.set(name, shape, values)
		}
	}
	return r
}

// states are those of a cache of the network or the oracle.
type states[F float32 | float64] interface {
	Layers() int
	States(layer int) []model.State[F]
}

func wide[F float32 | float64](v []F) []float64 {
	if same, ok := any(v).([]float64); ok {
		return same
	}
	w := make([]float64, len(v))
	for i, x := range v {
		w[i] = float64(x)
	}
	return w
}

func isHidden(name string) bool {
	return strings.HasPrefix(name, strings.TrimSuffix(dump.HiddenState(0), "0"))
}

// allowance is how far rounding may carry a tensor, by the package comment's rule.
type allowance struct {
	samples []*results // float32 computations
	truth   *results
	floor   float64 // relative distance that is never held against a tensor
	carried float64 // largest relative distance of the tensors so far
}

// newAllowance measures by float32 computations.
func newAllowance(truth *results, samples ...*results) *allowance {
	return &allowance{samples: samples, truth: truth, floor: numcheck.Floor}
}

// of returns the allowance of a tensor whose largest magnitude is scale. Tensors are asked for in the order the
// network computes them.
func (a *allowance) of(name string, scale float64) float64 {
	for _, s := range a.samples {
		if d, err := numcheck.Compare(s.values[name], a.truth.values[name], nil); err == nil && d.Scale > 0 && !math.IsInf(d.MaxAbs, 1) {
			a.carried = max(a.carried, d.MaxAbs/d.Scale)
		}
	}
	return scale * max(slack*a.carried, a.floor)
}
