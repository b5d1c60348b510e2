package model

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestTransformersSampling holds the tokens that are kept, and their probabilities, to transformers' logits processors
// in its own order, in llama.cpp's and in others.
func TestTransformersSampling(t *testing.T) {
	var recorded struct {
		Vectors []struct {
			Logits []float32
			IDs    []int64
		}
		Cases []struct {
			Vector  int
			Order   Order
			Penalty float64
			Last    int
			TopK    int     `json:"top_k"`
			TopP    float64 `json:"top_p"`
			MinP    float64 `json:"min_p"`
			Temp    float64
			Kept    []int
			P       []float64
		}
	}
	data, err := os.ReadFile("testdata/sampling.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &recorded); err != nil {
		t.Fatal(err)
	}
	for n, c := range recorded.Cases {
		v := recorded.Vectors[c.Vector]
		how := Sampling{RepeatPenalty: c.Penalty, RepeatLast: c.Last, TopK: c.TopK, TopP: c.TopP, MinP: c.MinP, Temperature: c.Temp, Order: c.Order}
		if c.TopP == 0 {
			how.TopP = LikeliestOnly
		}
		if err := how.check(); err != nil {
			t.Fatalf("case %d: %v", n, err)
		}
		var seen history
		seen.see(v.IDs)
		s := newSampler(how, len(v.Logits))
		kept := s.keep(v.Logits, &seen)
		ids := make([]int, len(kept))
		for i := range kept {
			ids[i] = kept[i].id
		}
		if !slices.Equal(ids, c.Kept) {
			t.Errorf("case %d, %+v: kept %v, transformers %v", n, how, ids, c.Kept)
			continue
		}
		sum := s.weigh()
		for i := range kept {
			if p := kept[i].p / sum; math.Abs(p-c.P[i]) > 1e-6 {
				t.Errorf("case %d, %+v: token %d has the probability %v, in transformers %v", n, how, ids[i], p, c.P[i])
				break
			}
		}
	}
	if len(recorded.Cases) < 100 {
		t.Errorf("%d cases recorded", len(recorded.Cases))
	}
}

func TestSamplingRange(t *testing.T) {
	twice := LlamaOrder()
	twice[0] = StepTopK
	for _, test := range []struct {
		how  Sampling
		want string
	}{
		{Sampling{Temperature: math.NaN()}, "temperature NaN is out of range: expected 0 to 1e+06"},
		{Sampling{Temperature: math.Inf(1)}, "temperature +Inf"},
		{Sampling{TopP: 1.01}, "top-p 1.01 is out of range: expected 0 to 1"},
		{Sampling{MinP: -0.1}, "min-p -0.1"},
		{Sampling{RepeatPenalty: -1}, "repeat penalty -1"},
		{Sampling{TopK: -1}, "top-k -1 is out of range: expected 0 for all tokens"},
		{Sampling{RepeatLast: -2}, "cannot look back -2 tokens: expected 1 or more, 0 for 64, or -1 for the whole text"},
		{Sampling{Order: twice}, `does not have each of ["penalty" "top-k"`},
	} {
		if err := test.how.check(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.how, err, test.want)
		}
	}
}

// TestHistory asks a history what a list of the same tokens says, for every length of looking back, and after a file.
func TestHistory(t *testing.T) {
	text := []int64{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5}
	var h history
	h.see(text[:4])
	h.see(text[4:])
	ids, ages := h.list()
	if want := []int64{4, 1, 9, 2, 6, 3, 5}; !slices.Equal(ids, want) {
		t.Errorf("ids %v, want %v", ids, want)
	}
	for _, h := range []history{h, h.clone(), historyOf(ids, ages)} {
		for n := range len(text) + 2 {
			want := slices.Compact(slices.Sorted(slices.Values(text[max(0, len(text)-n):])))
			if got := slices.Sorted(h.recent(n)); !slices.Equal(got, want) {
				t.Errorf("the last %d: %v, want %v", n, got, want)
			}
		}
	}
}
