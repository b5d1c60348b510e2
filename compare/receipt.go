package compare

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/call"
	"github.com/gomamba/gomamba/internal/fold"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/internal/progress"
	"github.com/gomamba/gomamba/internal/prompt"
	"github.com/gomamba/gomamba/internal/samebits"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/tensor"
)

// Receipt says what a conversion cost. Its JSON form is a contract of the convert command.
type Receipt struct {
	Tensors []Loss     `json:"tensors"` // whose values changed, in the order the model uses them
	Same    int        `json:"same"`    // tensors whose values did not
	Logits  LogitsLoss `json:"logits"`
}

// Loss is the error of one tensor. For A_log it is that of A = -exp(A_log), which is all that the network uses.
type Loss struct {
	Name   string        `json:"name"`
	From   string        `json:"from"` // dtypes
	To     string        `json:"to"`
	MaxAbs tensor.Number `json:"max_abs"` // largest error
	MaxRel tensor.Number `json:"max_rel"` // MaxAbs relative to the tensor's largest magnitude
	RMSRel tensor.Number `json:"rms_rel"` // root of the mean square of the errors, relative to that of the values
}

// LogitsLoss compares the predictions of the next token after each token of a prompt.
type LogitsLoss struct {
	Tokens  int           `json:"tokens"`
	MaxAbs  tensor.Number `json:"max_abs"`  // largest change of a logit
	MaxRel  tensor.Number `json:"max_rel"`  // MaxAbs relative to the largest magnitude of a logit
	MeanKL  tensor.Number `json:"mean_kl"`  // KL(before || after) of the next token's distribution, in nats, over the tokens
	MaxKL   tensor.Number `json:"max_kl"`   // of one token
	SameTop tensor.Number `json:"same_top"` // share of the tokens after which the likeliest next one is the same

	largest float64 // magnitude of a logit before
}

// promptTokens is the length of the built-in prompt.
const promptTokens = 64

// ReceiptOptions configure NewReceipt. The zero value is a good default.
type ReceiptOptions struct {
	Batch   *model.Batch // whose logits are compared; nil: those of a fixed prompt
	Threads int          // 0: all cores
}

// NewReceipt compares a converted checkpoint with the original: every tensor, and the logits of a batch. Its memory does not
// grow with the models or the prompt. Errors: those of either checkpoint and of the batch, and ctx.Err.
func NewReceipt(ctx context.Context, before, after *loader.Checkpoint, opts ReceiptOptions) (*Receipt, error) {
	batch, threads := opts.Batch, opts.Threads
	done, err := call.Begin(ctx, "compare", threads, before, after)
	if err != nil {
		return nil, err
	}
	defer done()
	r := &Receipt{Tensors: []Loss{}}
	if err := r.weigh(ctx, before, after, threads); err != nil {
		return nil, err
	}
	a, err := model.New(before, model.Options{Threads: threads})
	if err != nil {
		return nil, err
	}
	defer a.Close()
	b, err := model.New(after, model.Options{Threads: threads})
	if err != nil {
		return nil, err
	}
	defer b.Close()
	if batch == nil {
		fixed := model.Single(prompt.IDs(promptTokens, before.Config().Shared().VocabSize))
		batch = &fixed
	}
	if err := batch.Check(before.Config().Shared().VocabSize); err != nil {
		return nil, err
	}
	for seq := range batch.Sequences {
		from, to := batch.Real(seq)
		if err := r.Logits.add(ctx, a, b, batch.IDs[seq*batch.Tokens:][from:to]); err != nil {
			return nil, err
		}
	}
	r.Logits.conclude()
	for _, ck := range []*loader.Checkpoint{before, after} {
		if err := ck.Changed(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// weigh compares the tensors.
func (r *Receipt) weigh(ctx context.Context, before, after *loader.Checkpoint, threads int) error {
	table, err := names.Table(before.Config())
	if err != nil {
		return err
	}
	x, y := loader.NewBinder(before), loader.NewBinder(after)
	var pairs [][2]tensor.Tensor
	size := 0 // bytes before
	for _, spec := range table {
		if spec.Optional {
			continue // the head of a tied model is its embedding
		}
		a, b := x.Take(spec.Name), y.Take(spec.Name)
		for _, bind := range []*loader.Binder{x, y} {
			if err := bind.Err(); err != nil {
				return err
			}
		}
		if !slices.Equal(a.Shape, b.Shape) {
			return fmt.Errorf("tensor %s: %v before the conversion and %v after it", spec.Name, a.Shape, b.Shape)
		}
		a.Name, b.Name = spec.Name, spec.Name
		if config.Folds(before.Config(), after.Config()) {
			a, b = fold.Into(before.Config(), a.Name, a), fold.Into(after.Config(), b.Name, b)
		}
		pairs = append(pairs, [2]tensor.Tensor{a, b})
		size += a.Size()
	}
	losses := make([]Loss, len(pairs))
	errs := make([]error, len(pairs))
	meter := progress.Start(progress.Stage(ctx, "tensors"), "bytes", size, 1)
	pool := parallel.NewPool(threads)
	defer pool.Close()
	pool.Run(len(pairs), 1, func(lo, hi int) {
		for i := lo; i < hi && ctx.Err() == nil; i++ {
			stored, _ := names.ToGGUF(before.Config(), pairs[i][0].Name)
			errs[i] = mmap.Guard(func() error {
				losses[i] = newLoss(pairs[i][0], pairs[i][1], stored.NegExp)
				return nil
			})
			meter.Add(pairs[i][0].Size())
		}
	})
	for i, loss := range losses {
		if errs[i] != nil {
			return errs[i]
		}
		if loss.MaxAbs == 0 {
			r.Same++
		} else {
			r.Tensors = append(r.Tensors, loss)
		}
	}
	return ctx.Err()
}

// newLoss compares the values of two tensors of one shape, or minus their exponentials.
func newLoss(a, b tensor.Tensor, negExp bool) Loss {
	const chunk = 4096 // whole blocks of every dtype
	var x, y [chunk]float32
	var largest, worst, squares, errors float64
	for first := 0; first < a.Elems(); first += chunk {
		n := min(chunk, a.Elems()-first)
		for _, side := range []struct {
			t      tensor.Tensor
			values []float32
		}{{a, x[:n]}, {b, y[:n]}} {
			side.t.Piece(first, first+n).Widen32(side.values)
			if negExp {
				kernel.NegExp(side.values, side.values)
			}
		}
		for i, v := range x[:n] {
			if v == y[i] || v != v && y[i] != y[i] {
				squares += float64(float64(v) * float64(v))
				largest = max(largest, math.Abs(float64(v)))
				continue
			}
			d := math.Abs(float64(y[i]) - float64(v))
			largest, worst = max(largest, math.Abs(float64(v))), max(worst, d)
			squares, errors = squares+float64(float64(v)*float64(v)), errors+float64(d*d)
		}
	}
	return Loss{Name: a.Name, From: a.Type(), To: b.Type(), MaxAbs: tensor.Number(worst),
		MaxRel: tensor.Number(worst / largest), RMSRel: tensor.Number(math.Sqrt(errors / squares))}
}

// add compares the predictions of two models along a sequence, a window at a time.
func (l *LogitsLoss) add(ctx context.Context, a, b *model.Model, ids []int64) error {
	const window = 32
	atA, atB := a.NewCache(1), b.NewCache(1)
	vocab := a.Config().Shared().VocabSize
	meter := progress.Start(progress.Stage(ctx, "predictions"), "tokens", len(ids), 2)
	for part := range slices.Chunk(ids, window) {
		x, err := a.Forward(meter.Within(ctx), model.Single(part), atA, model.Want{Logits: model.LogitsAll})
		if err != nil {
			return err
		}
		y, err := b.Forward(meter.Within(ctx), model.Single(part), atB, model.Want{Logits: model.LogitsAll})
		if err != nil {
			return err
		}
		for t := range part {
			l.token(x.Logits[t*vocab:][:vocab], y.Logits[t*vocab:][:vocab])
		}
	}
	return nil
}

// token adds up what one prediction contributes; conclude makes means of the sums.
func (l *LogitsLoss) token(before, after []float32) {
	l.Tokens++
	for i, v := range before {
		l.MaxAbs = max(l.MaxAbs, tensor.Number(math.Abs(float64(after[i])-float64(v))))
		l.largest = max(l.largest, math.Abs(float64(v)))
	}
	kl := divergence(before, after)
	l.MeanKL += kl
	l.MaxKL = max(l.MaxKL, kl)
	if top(before) == top(after) {
		l.SameTop++
	}
}

func (l *LogitsLoss) conclude() {
	n := tensor.Number(l.Tokens)
	if l.MaxAbs != 0 {
		l.MaxRel = l.MaxAbs / tensor.Number(l.largest)
	}
	l.MeanKL /= n
	l.SameTop /= n
}

// divergence returns KL(softmax(a) || softmax(b)) in nats.
func divergence(a, b []float32) tensor.Number {
	sumA, sumB := logSumExp(a), logSumExp(b)
	kl := 0.0
	for i, v := range a {
		p := float64(v) - sumA
		kl += float64(samebits.Exp(p) * (p - (float64(b[i]) - sumB)))
	}
	return tensor.Number(max(kl, 0)) // below zero by rounding alone; NaN stays
}

func logSumExp(v []float32) float64 {
	largest := float64(slices.Max(v))
	sum := 0.0
	for _, x := range v {
		sum += samebits.Exp(float64(x) - largest)
	}
	return largest + samebits.Log(sum)
}

// top returns the index of the largest value.
func top(v []float32) int { return slices.Index(v, slices.Max(v)) }
