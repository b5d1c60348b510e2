package reference

import (
	"math"
	"slices"

	"golang.org/x/exp/constraints"

	"github.com/gomamba/gomamba/internal/blocks"
)

// Place is a token at a layer with experts.
type Place struct{ Layer, Row int } // row = sequence · tokens + token

// Routing records the scores by which routers choose experts, and can override their choices.
type Routing struct {
	Scores map[Place][]float64 // [E], those that are compared: with the correction, before groups are left out
	Forced map[Place][]int     // experts that a token passes, whatever its scores; at other places the router decides
}

// NewRouting returns a Routing that records scores. forced may be nil.
func NewRouting(forced map[Place][]int) *Routing {
	return &Routing{Scores: map[Place][]float64{}, Forced: forced}
}

// choose returns the experts that a token passes, the one with the largest score first.
func (m *experts[F]) choose(row int, scores []F) []int {
	chosen := Chosen(m.ExpertSizes, scores)
	routing, place := m.variant.Routing, Place{m.layer, row}
	if routing == nil {
		return chosen
	}
	noted := make([]float64, len(scores))
	for e, v := range scores {
		noted[e] = float64(v)
	}
	routing.Scores[place] = noted
	forced, ok := routing.Forced[place]
	if !ok {
		return chosen
	}
	only := slices.Repeat([]F{F(math.Inf(-1))}, len(scores))
	for _, e := range forced {
		only[e] = scores[e]
	}
	return largest(only, m.Chosen)
}

// Chosen returns the experts with the largest scores [E] within the best groups, the largest first.
func Chosen[F constraints.Float](s *blocks.ExpertSizes, scores []F) []int {
	return largest(inGroups(s, scores, ranked(s, scores)), s.Chosen)
}

// Swap is another choice that a router would make if its scores were slightly different: one expert, or one group of them,
// replaces another.
type Swap struct {
	Experts []int   // that would be chosen
	Out, In int     // one that would no longer be, and one that would be in its place
	Margin  float64 // by how much what decides between them differs
	Scores  int     // of how many scores that is the sum
}

// Swaps returns the nearest other choices for scores [E]: one that replaces an expert, and one that replaces a group.
func Swaps(s *blocks.ExpertSizes, scores []float64) (swaps []Swap) {
	own, groups := Chosen(s, scores), ranked(s, scores)
	add := func(other []int, margin float64, terms int) {
		out := slices.IndexFunc(own, func(e int) bool { return !slices.Contains(other, e) })
		in := slices.IndexFunc(other, func(e int) bool { return !slices.Contains(own, e) })
		if out >= 0 && in >= 0 && !math.IsInf(margin, 0) {
			swaps = append(swaps, Swap{other, own[out], other[in], margin, terms})
		}
	}
	if s.Chosen < s.Count {
		left := inGroups(s, scores, groups)
		order := largest(left, s.Chosen+1)
		last, next := order[s.Chosen-1], order[s.Chosen]
		add(append(slices.Clone(own[:s.Chosen-1]), next), left[last]-left[next], 2)
	}
	if n := s.ChosenGroups; groups != nil && n < s.Groups {
		sums := groupScores(s, scores)
		other := slices.Clone(groups)
		other[n-1], other[n] = groups[n], groups[n-1]
		add(largest(inGroups(s, scores, other), s.Chosen), sums[groups[n-1]]-sums[groups[n]], 2*min(2, s.Count/s.Groups))
	}
	return swaps
}

// groupScores returns the score of each group: the sum of its two best experts.
func groupScores[F constraints.Float](s *blocks.ExpertSizes, scores []F) (sums []F) {
	for group := range slices.Chunk(scores, s.Count/s.Groups) {
		var sum F
		for _, e := range largest(group, min(2, len(group))) {
			sum += group[e]
		}
		sums = append(sums, sum)
	}
	return sums
}

// ranked returns the groups, the best first; nil if there are none to choose from.
func ranked[F constraints.Float](s *blocks.ExpertSizes, scores []F) []int {
	if !s.Sigmoid || s.Groups <= 1 {
		return nil
	}
	return largest(groupScores(s, scores), s.Groups)
}

// inGroups returns the scores, -Inf for experts outside of the first ChosenGroups of the ranked groups.
func inGroups[F constraints.Float](s *blocks.ExpertSizes, scores []F, ranked []int) []F {
	kept := slices.Clone(scores)
	if ranked == nil {
		return kept
	}
	for e := range kept {
		if !slices.Contains(ranked[:s.ChosenGroups], e/(s.Count/s.Groups)) {
			kept[e] = F(math.Inf(-1))
		}
	}
	return kept
}
