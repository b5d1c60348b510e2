package parity

import (
	"maps"
	"math"
	"slices"

	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/model/reference"
)

// hintPositions explains keys that were turned by positions of the padded batch.
const hintPositions = "the keys of the reference are turned by positions that count its padding on the left. transformers counts so in a plain pass, " +
	"and generate() does not: pass position_ids=(attention_mask.cumsum(-1) - 1).clamp(min=0). Logits do not depend on it, but a cache continued by mask does"

// countsPadding reports whether a reference that differs first in keys is right but for positions that count padding on the left.
func (q *inquiry) countsPadding(first *Report) (bool, error) {
	l := layerOf(first.FirstDivergence.Tensor, math.MaxInt)
	if q.batch.Mask == nil || l < 0 || first.FirstDivergence.Tensor != dump.State(dump.KeyStates, l) {
		return false, nil
	}
	back := *q
	back.theirs = &results{maps.Clone(q.theirs.values), q.theirs.shape}
	turned := false
	for l, steps := range blocks.Layers(q.m.Config()) {
		name := dump.State(dump.KeyStates, l)
		keys, there := q.theirs.values[name]
		for i := range steps {
			if a := steps[i].Attention; a != nil && a.Turned > 0 && there && q.theirs.shape[name][2] == q.batch.Tokens {
				back.theirs.values[name] = q.turnedBack(a, keys)
				turned = true
			}
		}
	}
	if !turned {
		return false, nil
	}
	r, err := back.judge(reference.Variant{})
	return err == nil && r.Passed, err
}

// turnedBack returns keys [B, heads, T, width] turned back by as many positions as each sequence has padding on the left.
func (q *inquiry) turnedBack(a *blocks.Attention, keys []float64) []float64 {
	keys = slices.Clone(keys)
	row, half := 0, a.Turned/2
	for key := range slices.Chunk(keys, a.Dim) {
		from, _ := q.batch.Real(row / (a.KeyHeads * q.batch.Tokens))
		for i := range half {
			sin, cos := math.Sincos(-float64(from) * math.Pow(a.Theta, float64(-2*i)/float64(a.Turned)))
			x, y := key[i], key[half+i]
			key[i], key[half+i] = float64(x*cos)-float64(y*sin), float64(y*cos)+float64(x*sin)
		}
		row++
	}
	return keys
}
