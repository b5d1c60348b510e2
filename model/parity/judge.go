package parity

import (
	"context"
	"fmt"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/model/reference"
	"github.com/gomamba/gomamba/tensor"
)

// Verify compares a reference file with the network m, which is bound to ck. Unless there is a tolerance or the reference has
// the same bits as our results, it runs the float64 oracle on the reference's prompt.
func Verify(ctx context.Context, ck *loader.Checkpoint, m *model.Model, reference *Reference, tol *Tolerance) (*Report, error) {
	ref := reference.d
	foreign := notCompared(ref)
	incomparable := func(reason string) (*Report, error) {
		if asked := suggestion(foreign); asked != "" {
			reason += "; " + asked
		}
		return &Report{Verdict: NotComparable, Reason: reason, Tensors: []Tensor{}, NotCompared: foreign}, nil
	}
	b, want, reason := question(m, ref)
	if reason != "" {
		return incomparable(reason)
	}
	own, err := ours(ctx, m, b, want)
	if err != nil {
		return nil, err
	}
	theirs, reason := answers(ref, &b, own)
	if reason != "" {
		return incomparable(reason)
	}
	q := newInquiry(ctx, ck, m, b, want, own)
	q.theirs = theirs
	var r *Report
	if tol != nil || q.compare(&comparison{}, own).Verdict == Identical {
		r = q.compare(&comparison{report: &Report{Judge: "our float32 results"}, tolerance: tol}, own)
	} else if r, err = q.explainFloored(ref); err != nil {
		return nil, err
	}
	r.NotCompared = foreign
	if asked := suggestion(foreign); asked != "" && r.Passed {
		r.Reason = fmt.Sprintf("%s (the tensors that were compared: %s)", asked, r.Verdict)
		r.Passed, r.Verdict = false, NotComparable
	}
	r.doubt()
	return r, ref.Changed()
}

// notCompared lists the tensors of a reference that a dump gives no meaning to.
func notCompared(ref *dump.Dump) []Foreign {
	var list []Foreign
	for _, name := range ref.Unknown() {
		f := Foreign{Name: name}
		if meant, ok := dump.Meant(name); ok {
			if _, there := ref.Tensor(meant); !there {
				f.Meant = meant
			}
		}
		list = append(list, f)
	}
	return list
}

// suggestion asks whether misspelt tensors were meant to be compared; empty without any.
func suggestion(foreign []Foreign) string {
	const shown = 3
	var asked []string
	for _, f := range foreign {
		if f.Meant != "" {
			asked = append(asked, fmt.Sprintf("%s is not compared, did you mean %s?", badfile.Quote(f.Name), f.Meant))
		}
	}
	if more := len(asked) - shown; more > 0 {
		asked = append(asked[:shown], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(asked, " ")
}

// inquiry is a reference's results and all that judges them.
type inquiry struct {
	ctx         context.Context
	ck          *loader.Checkpoint
	m           *model.Model
	batch       model.Batch
	want        model.Want
	own, theirs *results
	alone       bool                        // theirs are our own
	truth       map[bool]*judgement         // float64, by whether out_proj is rescaled
	routers     map[int]*blocks.ExpertSizes // by layer
}

func newInquiry(ctx context.Context, ck *loader.Checkpoint, m *model.Model, b model.Batch, want model.Want, own *results) *inquiry {
	return &inquiry{ctx: ctx, ck: ck, m: m, batch: b, want: want, own: own, truth: map[bool]*judgement{}, routers: routers(m.Config())}
}

// judgement is a report and what it rests on.
type judgement struct {
	*Report
	truth   *results
	scores  scores // of routers, in float64
	rounded scores // and in float32
}

// explain judges the reference as what it is said to be, a float32 computation of this network. If it is not, it
// looks for what explains it: 16-bit arithmetic, which its values show, or weights that transformers changed.
func (q *inquiry) explain(ref *dump.Dump) (*Report, error) {
	first, err := q.judgeRouted(reference.Variant{}, nil)
	if err != nil {
		return nil, err
	}
	r := first.Report
	if r.Passed {
		return r, nil
	}
	if counts, err := q.countsPadding(r); err != nil {
		return nil, err
	} else if counts {
		r.Hint = hintPositions
		return r, nil
	}
	dtype := arithmetic(ref, q.theirs)
	if dtype != 0 {
		if r, err = q.judge(reference.Variant{Narrow: dtype}); err != nil {
			return nil, err
		}
		r.Arithmetic = dtype.String()
		if r.Passed {
			return r, nil
		}
	} else {
		routed, explained, err := q.followRoutes(first)
		if err != nil || explained {
			return routed, err
		}
	}
	layers := q.m.Config().Shared().NumHiddenLayers
	for _, guess := range []struct {
		possible bool
		as       reference.Variant
		hint     string
	}{
		{q.m.Config().Shared().RescalePrenormResidual, reference.Variant{Narrow: dtype, Rescaled: true},
			fmt.Sprintf("the reference is that of another model: every out_proj.weight divided by the square root of its %d layers. "+
				"transformers 5 does that while loading, because rescale_prenorm_residual is true in config.json; set it to false there", layers)},
		{dtype == 0 && stored(q.ck) != 0, reference.Variant{Narrow: stored(q.ck)},
			fmt.Sprintf("%s arithmetic would explain differences of this size. transformers computes in the dtype of the checkpoint "+
				"unless it is loaded with dtype=torch.float32", stored(q.ck))},
	} {
		if !guess.possible {
			continue
		}
		other, err := q.judge(guess.as)
		if err != nil {
			return nil, err
		}
		if other.Passed {
			r.Hint = guess.hint
			return r, nil
		}
	}
	return r, nil
}

// draws is how many samples of 16-bit arithmetic round by chance. Its errors are few and large, so that the largest of
// a tensor is a matter of luck where a norm or an exponential amplifies one.
const draws = 3

// judge measures the reference against a float64 run, with the allowance of the package comment for computations in
// the variant's arithmetic.
func (q *inquiry) judge(as reference.Variant) (*Report, error) {
	j, err := q.judgeRouted(as, nil)
	if err != nil {
		return nil, err
	}
	return j.Report, nil
}

// judgeRouted is judge with experts that tokens pass, whatever their scores are.
func (q *inquiry) judgeRouted(as reference.Variant, forced choices) (*judgement, error) {
	known, err := q.oracle(as.Rescaled, forced)
	if err != nil {
		return nil, err
	}
	j := &judgement{truth: known.truth, scores: known.scores}
	allow := newAllowance(j.truth)
	if as.Narrow != 0 {
		allow.floor = unit(as.Narrow)
	}
	follow := q.chosen(j.scores, forced)
	for _, variant := range q.variants(as) {
		if as.Narrow == 0 {
			variant.Routing = reference.NewRouting(follow)
		}
		sample, err := textbook[float32](q.ctx, q.ck, q.m, q.batch, q.want, variant)
		if err != nil {
			return nil, err
		}
		allow.samples = append(allow.samples, sample)
		if variant.Routing != nil && j.rounded == nil {
			j.rounded = variant.Routing.Scores
		}
	}
	if as.Narrow == 0 && !as.Rescaled && !q.alone && (len(j.scores) == 0 || q.follows(j.truth, allow.samples)) {
		allow.samples = append(allow.samples, q.own)
	}
	j.Report = q.compare(&comparison{report: &Report{Judge: "float64 oracle"}, allow: allow}, j.truth)
	return j, nil
}

// variants are the computations by which an allowance is measured.
func (q *inquiry) variants(as reference.Variant) []reference.Variant {
	all := []reference.Variant{as}
	if q.alone {
		return all
	}
	if blocks.Has(q.m.Config(), blocks.Mamba2) {
		inChunks := as
		inChunks.Chunked = true
		all = append(all, inChunks)
	}
	if as.Narrow != 0 {
		wide := as
		wide.WideStates = true
		all = append(all, wide)
		for wide.Dither < draws {
			wide.Dither++
			all = append(all, wide)
		}
	}
	return all
}

// follows reports whether our own results are within what samples allow: whether their routers choose as float64 does. Results
// of other experts would allow a reference everything.
func (q *inquiry) follows(truth *results, samples []*results) bool {
	c := &comparison{report: &Report{}, allow: newAllowance(truth, samples...)}
	c.between(q.m, &q.batch)
	for _, name := range c.ordered(q.own) {
		c.add(name, q.own.shape[name], q.own.values[name], truth.values[name], q.own.values[name], q.own.values[name])
	}
	c.report.conclude()
	return c.report.Passed
}

// oracle runs the network in float64, once if no experts are forced.
func (q *inquiry) oracle(rescaled bool, forced choices) (*judgement, error) {
	if known, ok := q.truth[rescaled]; ok && forced == nil {
		return known, nil
	}
	routing := reference.NewRouting(forced)
	truth, err := textbook[float64](q.ctx, q.ck, q.m, q.batch, q.want, reference.Variant{Rescaled: rescaled, Routing: routing})
	if err != nil {
		return nil, err
	}
	j := &judgement{truth: truth, scores: routing.Scores}
	if forced == nil {
		q.truth[rescaled] = j
	}
	return j, nil
}

// compare measures all tensors against the judge's and returns the report.
func (q *inquiry) compare(c *comparison, judge *results) *Report {
	if c.report == nil {
		c.report = &Report{}
	}
	c.between(q.m, &q.batch)
	for _, name := range c.ordered(q.theirs) {
		want := q.theirs.values[name]
		if q.alone {
			want = judge.values[name]
		}
		c.add(name, q.theirs.shape[name], q.theirs.values[name], judge.values[name], q.own.values[name], want)
	}
	c.report.conclude()
	return c.report
}

// stored returns the 16-bit dtype that the weights of the projections are stored in, or 0.
func stored(ck *loader.Checkpoint) tensor.DType {
	for _, t := range ck.Tensors() {
		if len(t.Shape) == 2 && strings.HasPrefix(t.Name, names.Blocks) && (t.DType == tensor.BF16 || t.DType == tensor.F16) {
			return t.DType
		}
	}
	return 0
}
