package model

import (
	"context"
	"slices"
	"testing"

	"github.com/gomamba/gomamba/loader"
)

// TestOnlyRoutedExpertsAreRead takes the weights of all experts away that no token of a pass is routed to, and expects the same
// logits. Of a single token those are all but k of each layer.
func TestOnlyRoutedExpertsAreRead(t *testing.T) {
	for _, fixture := range []string{"nemotron/latent", "granite/moe", "jamba/moe"} {
		for _, ids := range [][]int64{{3}, {5, 9, 2}} {
			ck, err := loader.Open("../fixtures/"+fixture, loader.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer ck.Close()
			m, err := New(ck, Options{Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			routed := make(map[string]bool) // names of weights
			logits := func() []float32 {
				want := Want{Logits: LogitsAll, Inputs: func(in Inputs) { routed[in.Weight] = true }}
				out, err := m.Forward(context.Background(), Single(ids), m.NewCache(1), want)
				if err != nil {
					t.Fatal(err)
				}
				return out.Logits
			}
			whole := logits()
			for _, layer := range m.weights.layers {
				for _, s := range layer {
					x, ok := s.block.(*experts)
					if !ok {
						continue
					}
					kept := 0
					for e := range x.each {
						if routed[x.each[e].down.names[0]] {
							kept++
							continue
						}
						x.each[e].gate, x.each[e].up, x.each[e].down = weight{}, weight{}, weight{}
					}
					if kept > x.Chosen*len(ids) || len(ids) == 1 && kept != x.Chosen {
						t.Errorf("%s: %d tokens pass %d experts of a layer, each of them %d", fixture, len(ids), kept, x.Chosen)
					}
				}
			}
			if !slices.Equal(logits(), whole) {
				t.Errorf("%s: other logits without the experts that are not routed to", fixture)
			}
		}
	}
}
