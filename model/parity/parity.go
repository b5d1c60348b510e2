package parity

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/numcheck"
	"github.com/gomamba/gomamba/internal/progress"
	"github.com/gomamba/gomamba/internal/prompt"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/model/reference"
	"github.com/gomamba/gomamba/tensor"
)

// slack is how much farther from the oracle than our own float32 results a reference may lie.
const slack = 4

// promptTokens is the length of the built-in prompt: several windows of the convolution, and quick in float64.
const promptTokens = 24

// Tolerance replaces calibration: |got - want| <= Abs + Rel·|want|, element by element.
type Tolerance struct{ Abs, Rel float64 }

// SelfCheck compares the float32 network m, which is bound to ck, with the float64 oracle on a built-in prompt. An error means
// that it could not be computed.
func SelfCheck(ctx context.Context, ck *loader.Checkpoint, m *model.Model, tol *Tolerance) (*Report, error) {
	b := model.Single(prompt.IDs(promptTokens, m.Config().Shared().VocabSize))
	want := model.Want{Logits: model.LogitsAll, HiddenStates: true}
	own, err := ours(ctx, m, b, want)
	if err != nil {
		return nil, err
	}
	q := newInquiry(ctx, ck, m, b, want, own)
	q.theirs, q.alone = own, true
	if tol == nil {
		first, err := q.judgeRouted(reference.Variant{}, nil)
		if err != nil {
			return nil, err
		}
		r, _, err := q.followRoutes(first)
		if err == nil {
			r.doubt()
		}
		return r, err
	}
	known, err := q.oracle(false, nil)
	if err != nil {
		return nil, err
	}
	r := q.compare(&comparison{report: &Report{Judge: "float64 oracle"}, tolerance: tol}, known.truth)
	r.doubt()
	return r, nil
}

// question takes the prompt of a reference and what it holds results of. reason says why it cannot be compared.
func question(m *model.Model, ref *dump.Dump) (b model.Batch, want model.Want, reason string) {
	ids, ok := ref.InputIDs()
	if !ok {
		return b, want, fmt.Sprintf("%s holds no input_ids, so its prompt is unknown", ref.Path())
	}
	b = model.Batch{Sequences: ref.Batch(), Tokens: ref.Tokens(), IDs: ids}
	b.Mask, _ = ref.AttentionMask()
	if err := b.Check(m.Config().Shared().VocabSize); err != nil {
		return b, want, fmt.Sprintf("%s: %v", ref.Path(), err)
	}
	for _, name := range ref.Names() {
		t, _ := ref.Tensor(name)
		switch {
		case name == dump.Logits && t.Shape[1] == 1:
			want.Logits = model.LogitsLast
		case name == dump.Logits:
			want.Logits = model.LogitsAll
		case name == dump.HiddenState(layerOf(name, math.MaxInt)):
			want.HiddenStates = true
		}
	}
	return b, want, ""
}

// answers collects the results in a reference, checking their shapes against ours.
func answers(ref *dump.Dump, b *model.Batch, own *results) (theirs *results, reason string) {
	theirs = newResults()
	for _, name := range ref.Names() {
		if name == dump.InputIDs || name == dump.AttentionMask {
			continue
		}
		t, _ := ref.Tensor(name)
		shape, ok := own.shape[name]
		if !ok {
			return nil, fmt.Sprintf("%s: found %s, which this model does not have", ref.Path(), name)
		}
		found, values := t.Shape, tensor.Float64s(t)
		if isKeys(name) && ref.Has(dump.CacheTokens) { // as gomamba writes them
			found, values = placed(b, found, values)
		}
		if !slices.Equal(shape, found) {
			return nil, fmt.Sprintf("%s: found %s of shape %v, the model has %v", ref.Path(), name, t.Shape, shape)
		}
		theirs.set(name, shape, values)
	}
	if len(theirs.values) == 0 {
		return nil, fmt.Sprintf("%s holds no results that can be compared: none of logits, hidden_states.{i} and cache.*.{l}", ref.Path())
	}
	return theirs, ""
}

// ours runs the fast network.
func ours(ctx context.Context, m *model.Model, b model.Batch, want model.Want) (*results, error) {
	cache := m.NewCache(b.Sequences)
	out, err := m.Forward(progress.Stage(ctx, "float32 network"), b, cache, want)
	if err != nil {
		return nil, err
	}
	return collect(m, b, out.Logits, out.HiddenStates, cache), nil
}

// textbook runs the textbook recurrence, or a variant of it, in type F from a fresh cache.
func textbook[F float32 | float64](ctx context.Context, ck *loader.Checkpoint, m *model.Model, b model.Batch, want model.Want, as reference.Variant) (*results, error) {
	var zero F
	as.DtFloor = as.DtFloor || m.DtFloor()
	ctx = progress.Stage(ctx, fmt.Sprintf("%T oracle%v", zero, as))
	cache := reference.NewCache[F](m.Config(), b.Sequences)
	out, err := reference.ForwardAs(ctx, ck, b, cache, want, as)
	if err != nil {
		return nil, err
	}
	return collect(m, b, out.Logits, out.HiddenStates, cache), nil
}

// comparison compares tensor after tensor, in the order the network computes them.
type comparison struct {
	report    *Report
	batch     *model.Batch
	layers    int
	embedding bool // hidden state 0 is the embedding, and i the output of block i-1
	tolerance *Tolerance
	allow     *allowance // where there is no tolerance
}

// between says what is compared: results of m for a batch.
func (c *comparison) between(m *model.Model, b *model.Batch) {
	cfg := m.Config()
	c.batch, c.layers, c.embedding = b, cfg.Shared().NumHiddenLayers, blocks.EmbeddingShown(cfg)
}

// layerOf returns the index of the block that computes a tensor, or -1.
func (c *comparison) layerOf(name string) int {
	l := layerOf(name, c.layers)
	if c.embedding && isHidden(name) && l >= 0 {
		return l - 1
	}
	return l
}

// ordered lists the tensors of r in the order the network computes them.
func (c *comparison) ordered(r *results) []string {
	list := dump.Ordered(slices.Collect(maps.Keys(r.values)))
	if !c.embedding {
		return list
	}
	stage := func(name string) int {
		switch l := layerOf(name, math.MaxInt); {
		case l < 0:
			return math.MaxInt // logits
		case isHidden(name):
			return 2*l - 1
		default:
			return 2 * l
		}
	}
	slices.SortStableFunc(list, func(a, b string) int { return cmp.Compare(stage(a), stage(b)) })
	return list
}

// add measures what against the judge's values. got and want are ours and the reference's, for the divergence.
func (c *comparison) add(name string, shape []int, what, judge, got, want []float64) {
	mask := c.mask(name, shape)
	if i := numcheck.NonFinite(got); i >= 0 && c.report.NonFinite == "" {
		c.report.NonFinite = fmt.Sprintf("%s is %v at %v", name, got[i], coordinates(i, shape))
		if l := c.layerOf(name); l >= 0 {
			c.report.NonFinite += fmt.Sprintf(", in block %d", l)
		}
	}
	d, _ := numcheck.Compare(what, judge, mask) // shapes were checked
	own, _ := numcheck.Compare(got, judge, mask)
	t := Tensor{Name: name, MaxAbs: tensor.Number(d.MaxAbs), MaxRel: tensor.Number(d.MaxRel), OwnMaxAbs: tensor.Number(own.MaxAbs), Scale: tensor.Number(d.Scale), Identical: d.Equal}
	if d.MaxAbs > 0 {
		t.Worst = &Element{Index: coordinates(d.Worst, shape), Value: tensor.Number(d.Got), Judge: tensor.Number(d.Want)}
	}
	abs, rel := 0.0, 0.0
	switch {
	case c.tolerance != nil:
		abs, rel = c.tolerance.Abs, c.tolerance.Rel
		t.Allowed = tensor.Number(abs + float64(rel*math.Abs(d.Want)))
	case c.allow != nil:
		abs = c.allow.of(name, d.Scale)
		t.Allowed = tensor.Number(abs)
	}
	first := numcheck.First(what, judge, abs, rel, mask)
	t.Passed = first < 0
	if !t.Passed && c.report.FirstDivergence == nil {
		c.report.FirstDivergence = &Divergence{
			Tensor: name, Layer: c.layerOf(name), Index: coordinates(first, shape),
			Got: tensor.Number(got[first]), Want: tensor.Number(want[first]),
		}
	}
	c.report.Tensors = append(c.report.Tensors, t)
}

// mask leaves out the positions of padding, which mean nothing. Of states only keys and values have positions.
func (c *comparison) mask(name string, shape []int) func(i int) bool {
	tokens := c.batch.Tokens
	switch {
	case c.batch.Mask == nil:
	case isKeys(name) && len(shape) == 4 && shape[2] == tokens:
		heads, width := shape[1], shape[3]
		return func(i int) bool { return c.batch.Mask[i/(heads*tokens*width)*tokens+i/width%tokens] == 1 }
	case len(shape) == 3 && shape[1] == tokens && (layerOf(name, math.MaxInt) < 0 || isHidden(name)):
		width := shape[2]
		return func(i int) bool { return c.batch.Mask[i/width] == 1 }
	}
	return nil
}
