package model

import (
	"math"
	"slices"
	"testing"

	"github.com/gomamba/gomamba/internal/blocks"
)

// TestRoutes holds the choice of experts to what routers are defined by, ties included: the lower index wins.
func TestRoutes(t *testing.T) {
	nan := float32(math.NaN())
	sigmoid := func(e, k, groups, chosen int) *blocks.ExpertSizes {
		return &blocks.ExpertSizes{Count: e, Chosen: k, Sigmoid: true, Groups: groups, ChosenGroups: chosen, Scaling: 3}
	}
	for _, test := range []struct {
		name       string
		sizes      *blocks.ExpertSizes
		correction []float32
		logits     []float32
		experts    []int
		weights    []float64 // nil: not looked at
	}{
		{"softmax over the chosen", &blocks.ExpertSizes{Count: 4, Chosen: 2}, nil, []float32{1, 3, 2, 3}, []int{1, 3}, []float64{0.5, 0.5}},
		{"ties of logits", &blocks.ExpertSizes{Count: 5, Chosen: 3}, nil, []float32{0, 0, 0, 0, 0}, []int{0, 1, 2}, nil},
		{"a tie behind the best", &blocks.ExpertSizes{Count: 4, Chosen: 2}, nil, []float32{1, 1, 1, 2}, []int{0, 3}, nil},
		{"weights without the correction", sigmoid(4, 2, 1, 1), []float32{0, 0, 9, 9}, []float32{5, 5, 0, 0}, []int{2, 3}, []float64{1.5, 1.5}},
		{"the best pair of experts makes the best group", sigmoid(6, 2, 2, 1), []float32{0.9, 0, 0, 0.6, 0.6, 0}, make([]float32, 6), []int{3, 4}, nil},
		{"ties of groups", sigmoid(6, 2, 3, 1), make([]float32, 6), make([]float32, 6), []int{0, 1}, nil},
		{"two groups of three", sigmoid(6, 3, 3, 2), []float32{0, 0, 1, 1, 2, 2}, make([]float32, 6), []int{2, 4, 5}, nil},
		{"not a number is chosen", &blocks.ExpertSizes{Count: 4, Chosen: 1}, nil, []float32{1, 2, nan, 3}, []int{2}, nil},
		{"none is a number", sigmoid(4, 2, 2, 1), make([]float32, 4), []float32{nan, nan, nan, nan}, []int{0, 1}, nil},
	} {
		m := &experts{ExpertSizes: test.sizes, correction: test.correction}
		var r routes
		r.token(m, test.logits)
		if !slices.Equal(r.experts, test.experts) || test.weights != nil && !slices.Equal(r.weights, test.weights) {
			t.Errorf("%s: experts %v with weights %v, expected %v with %v", test.name, r.experts, r.weights, test.experts, test.weights)
		}
	}
	normed := sigmoid(3, 2, 1, 1)
	normed.Normed = true
	var r routes
	r.token(&experts{ExpertSizes: normed, correction: make([]float32, 3)}, []float32{0, -2, 1})
	if sum := r.weights[0] + r.weights[1]; math.Abs(sum-3) > 1e-12 || r.weights[1] <= r.weights[0] {
		t.Errorf("normed weights %v, expected a sum of 3", r.weights)
	}
}
