package parity

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/numcheck"
	"github.com/gomamba/gomamba/model/reference"
	"github.com/gomamba/gomamba/tensor"
)

// Route is a token for which a router, in what is being judged, chose another expert than in float64.
type Route struct {
	Layer    int           `json:"layer"`
	Sequence int           `json:"sequence"`
	Token    int           `json:"token"`
	Expert   int           `json:"expert"`   // that float64 chooses
	Instead  int           `json:"instead"`  // that was chosen
	Margin   tensor.Number `json:"margin"`   // by how much the scores that decide differ in float64
	Rounding tensor.Number `json:"rounding"` // by how much rounding may move that
	Near     bool          `json:"near"`     // the margin is not larger than rounding may move it
}

// scores are those by which routers choose, by token.
type scores = map[reference.Place][]float64

// choices are the experts that tokens pass.
type choices = map[reference.Place][]int

const (
	maxRoutes = 8 // other choices that are looked for; each costs a judgement
	maxTries  = 4 // near ties that are tried for one of them
)

// routers returns the blocks with experts by their layers.
func routers(cfg config.Config) map[int]*blocks.ExpertSizes {
	all := map[int]*blocks.ExpertSizes{}
	for l, steps := range blocks.Layers(cfg) {
		for i := range steps {
			if x := steps[i].Experts; x != nil {
				all[l] = x
			}
		}
	}
	return all
}

// chosen returns what scores choose, or forced does.
func (q *inquiry) chosen(of scores, forced choices) choices {
	all := choices{}
	for place, s := range of {
		all[place] = reference.Chosen(q.routers[place.Layer], s)
	}
	maps.Copy(all, forced)
	return all
}

// followRoutes judges what a judgement has failed once more, with other choices of routers that may explain it, the nearest
// first. If one does, the report says so, and passes if rounding can tip every such choice.
func (q *inquiry) followRoutes(first *judgement) (r *Report, explained bool, err error) {
	forced, at := choices{}, first
	var routes []Route
	for !at.Passed && len(routes) < maxRoutes && len(q.routers) > 0 {
		next, route, err := q.reroute(at, forced)
		if err != nil {
			return nil, false, err
		}
		if next == nil {
			break
		}
		routes, at = append(routes, *route), next
	}
	if len(routes) == 0 {
		return first.Report, false, nil
	}
	near := !slices.ContainsFunc(routes, func(r Route) bool { return !r.Near })
	if r = first.Report; at.Passed && near {
		r = at.Report
	}
	r.Routes, r.Hint = routes, q.describe(routes)
	switch d := at.FirstDivergence; {
	case d != nil:
		r.Hint += fmt.Sprintf(". With that, %s differs first, %s", d.Tensor, d.Where())
	case near:
		r.Hint += ". The rest is judged with that choice"
	default:
		r.Hint += ". With that choice nothing else differs"
	}
	return r, at.Passed, nil
}

// candidate is another choice that may explain a difference.
type candidate struct {
	place reference.Place
	swap  reference.Swap
	route Route
}

// reroute looks for the choice that moves the first difference farther, notes it in forced and returns the judgement with it;
// nil if there is none.
func (q *inquiry) reroute(at *judgement, forced choices) (*judgement, *Route, error) {
	all := q.candidates(at, forced)
	if near := slices.IndexFunc(all, func(c candidate) bool { return !c.route.Near }); near != 0 {
		if near > 0 {
			all = all[:near]
		}
		all = all[:min(len(all), maxTries)]
	} else {
		all = all[:1] // a choice that rounding does not explain
	}
	for i := range all {
		tried := maps.Clone(forced)
		tried[all[i].place] = all[i].swap.Experts
		next, err := q.judgeRouted(reference.Variant{}, tried)
		if err != nil {
			return nil, nil, err
		}
		if next.Passed || farther(next.Report, at.Report) {
			maps.Copy(forced, tried)
			return next, &all[i].route, nil
		}
	}
	return nil, nil, nil
}

// candidates returns the other choices that can cause the first difference, those first that the least rounding tips.
func (q *inquiry) candidates(at *judgement, forced choices) (all []candidate) {
	d := at.FirstDivergence
	rows := q.rowsOf(d)
	from, to := q.between(at.Report)
	for l, sizes := range q.routers {
		if l <= from || l > to {
			continue
		}
		moved := at.moved(l)
		for _, row := range rows {
			place := reference.Place{Layer: l, Row: row}
			if _, done := forced[place]; done {
				continue
			}
			for _, swap := range reference.Swaps(sizes, at.scores[place]) {
				rounding := moved * float64(swap.Scores)
				r := Route{Layer: l, Sequence: row / q.batch.Tokens, Token: row % q.batch.Tokens, Expert: swap.Out, Instead: swap.In,
					Margin: tensor.Number(swap.Margin), Rounding: tensor.Number(rounding), Near: swap.Margin <= rounding}
				all = append(all, candidate{place, swap, r})
			}
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(float64(a.route.Margin)/float64(a.route.Rounding), float64(b.route.Margin)/float64(b.route.Rounding)),
			cmp.Compare(a.place.Layer, b.place.Layer), cmp.Compare(a.place.Row, b.place.Row))
	})
	return all
}

// moved returns by how much rounding may move a score of a layer, by the package comment's rule.
func (j *judgement) moved(layer int) float64 {
	var distance, scale float64
	for place, s := range j.scores {
		if place.Layer != layer {
			continue
		}
		for e, v := range s {
			scale = max(scale, math.Abs(v))
			distance = max(distance, math.Abs(v-j.rounded[place][e]))
		}
	}
	return max(slack*distance, numcheck.Floor*scale)
}

// rowsOf returns the tokens at which a difference can begin that shows first in an element: the token of it, or any of its
// sequence if the tensor does not say.
func (q *inquiry) rowsOf(d *Divergence) (rows []int) {
	shape, tokens := q.theirs.shape[d.Tensor], q.batch.Tokens
	seq := d.Index[0]
	switch {
	case len(shape) == 3 && shape[1] == tokens && (isHidden(d.Tensor) || d.Tensor == dump.Logits):
		return []int{seq*tokens + d.Index[1]}
	case isKeys(d.Tensor) && shape[2] == tokens:
		return []int{seq*tokens + d.Index[2]}
	}
	from, to := q.batch.Real(seq)
	for t := from; t < to; t++ {
		rows = append(rows, seq*tokens+t)
	}
	return rows
}

// between returns the layers in which the first difference can begin: after the first, up to the last.
func (q *inquiry) between(r *Report) (after, upTo int) {
	c := &comparison{}
	c.between(q.m, &q.batch)
	after, upTo = -1, r.FirstDivergence.Layer
	if upTo < 0 && r.FirstDivergence.Tensor != dump.HiddenState(0) {
		upTo = c.layers
	}
	for _, t := range r.Tensors {
		if t.Passed && isHidden(t.Name) {
			after = max(after, c.layerOf(t.Name))
		}
	}
	return min(after, upTo), upTo
}

// farther reports whether the first difference of a report comes later than that of another.
func farther(r, than *Report) bool {
	place := func(name string) int {
		return slices.IndexFunc(r.Tensors, func(t Tensor) bool { return t.Name == name })
	}
	a, b := r.FirstDivergence, than.FirstDivergence
	if a.Tensor != b.Tensor {
		return place(a.Tensor) > place(b.Tensor)
	}
	n := min(2, len(a.Index)) // sequence and token
	return slices.Compare(a.Index[:n], b.Index[:n]) > 0
}

// describe says which routers have chosen otherwise.
func (q *inquiry) describe(routes []Route) string {
	const shown = 3
	var parts []string
	for _, r := range routes[:min(len(routes), shown)] {
		token := fmt.Sprintf("token %d", r.Token)
		if q.batch.Sequences > 1 {
			token += fmt.Sprintf(" of sequence %d", r.Sequence)
		}
		only := ""
		if !r.Near {
			only = "only "
		}
		parts = append(parts, fmt.Sprintf("in layer %d the router chooses expert %d for %s, and float64 expert %d: their scores are %.2g apart, and rounding may move that by %s%.2g",
			r.Layer, r.Instead, token, r.Expert, float64(r.Margin), only, float64(r.Rounding)))
	}
	text := "a router's choice and not arithmetic makes the difference: " + strings.Join(parts, "; ")
	if more := len(routes) - shown; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}
