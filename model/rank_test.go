package model

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRank holds the linear ranking to a plain sort, on what is hard for one: many equal logits, zeros of both signs,
// numbers next to one another, the largest and the smallest.
func TestRank(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 0))
	odd := []float32{0, float32(math.Copysign(0, -1)), 1e-45, -1e-45, math.MaxFloat32, -math.MaxFloat32, 1, math.Nextafter32(1, 2)}
	var r ranker // one for all, as a sampler has
	for round := range 300 {
		logits := make([]float32, 1+rng.IntN(3000))
		for i := range logits {
			switch round % 3 {
			case 0:
				logits[i] = float32(rng.NormFloat64() * 8)
			case 1:
				logits[i] = float32(rng.IntN(5) - 2)
			case 2:
				logits[i] = odd[rng.IntN(len(odd))]
			}
		}
		allows := func(id int) bool { return round%2 == 0 || id%7 != 3 }
		want := []int32{}
		for id := range logits {
			if allows(id) {
				want = append(want, int32(id))
			}
		}
		slices.SortFunc(want, func(a, b int32) int { return cmp.Or(cmp.Compare(logits[b], logits[a]), cmp.Compare(a, b)) })
		k := rng.IntN(len(logits) + 5)
		if k > 0 {
			want = want[:min(k, len(want))]
		}
		if got := r.rank(logits, allows, k); !slices.Equal(got, want) {
			t.Fatalf("round %d, %d logits, top %d: found %v, expected %v", round, len(logits), k, got, want)
		}
	}
}

// BenchmarkSample draws from logits as many as GPT-NeoX's tokenizer has tokens.
func BenchmarkSample(b *testing.B) {
	rng := rand.New(rand.NewPCG(7, 0))
	logits := make([]float32, 50_280)
	for i := range logits {
		logits[i] = float32(rng.NormFloat64() * 4)
	}
	for _, how := range []Sampling{{}, {Temperature: 0.8}, {Temperature: 0.8, TopK: 40}, {Temperature: 0.8, TopP: 0.95}, {Temperature: 0.8, MinP: 0.05}} {
		b.Run(fmt.Sprintf("temp=%v,top-k=%d,top-p=%v,min-p=%v", how.Temperature, how.TopK, how.TopP, how.MinP), func(b *testing.B) {
			s := newSampler(how, len(logits))
			for b.Loop() {
				if _, err := s.next(logits, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
