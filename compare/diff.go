package compare

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/blockwise"
	"github.com/gomamba/gomamba/internal/call"
	"github.com/gomamba/gomamba/internal/fold"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/numcheck"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// Difference is the result of Diff. Its JSON form is a contract of the diff command.
type Difference struct {
	Identical bool         `json:"identical"` // the same model: no tensor and no setting makes a difference to a result
	Tensors   []TensorDiff `json:"tensors"`   // in the order the model uses them
	OnlyInA   []string     `json:"only_in_a"`
	OnlyInB   []string     `json:"only_in_b"`
	Config    []KeyDiff    `json:"config"` // settings that differ
}

// TensorDiff compares one tensor by its canonical name.
type TensorDiff struct {
	Name       string        `json:"name"`
	A          string        `json:"a"` // dtype and shape
	B          string        `json:"b"`
	SameBits   bool          `json:"same_bits"`   // the same dtype and bytes, or coding and values
	SameValues bool          `json:"same_values"` // equal after exact widening; NaN equals NaN
	SameA      bool          `json:"same_a"`      // of A_log: A = -exp(A_log) is the same in float32, which is all that is used of it
	OtherShape bool          `json:"other_shape"` // nothing to compare
	MaxAbs     tensor.Number `json:"max_abs"`     // largest difference; infinite for another shape
}

// Same reports whether the network computes the same with either tensor.
func (d TensorDiff) Same() bool { return d.SameValues || d.SameA }

// KeyDiff is a setting of config.json that differs. The text of a side without the key is empty.
type KeyDiff struct {
	Key     string `json:"key"`
	A       string `json:"a"`
	B       string `json:"b"`
	Results bool   `json:"changes_results"` // and does not only say how to initialise, sample or run the model
}

// Diff compares the weights and settings of two checkpoints of any layouts, tensor by tensor under canonical names.
// The head of a tied model is its embedding, and a bias that one side lacks is zero, as GGUF has it; neither is a
// difference by itself. A_log of one side may come from the A of a GGUF file: if it differs, A decides.
//
// Both are read once, in memory that does not grow with the models; progress counts the bytes of a's tensors. Errors: those
// of Check of either, ctx.Err, and a file that changes while it is read.
func Diff(ctx context.Context, a, b *loader.Checkpoint, opts loader.ReadOptions) (*Difference, error) {
	done, err := call.Begin(ctx, "compare", opts.Threads, a, b)
	if err != nil {
		return nil, err
	}
	defer done()
	for _, ck := range []*loader.Checkpoint{a, b} {
		if err := ck.Check(); err != nil {
			return nil, err
		}
	}
	withHead := !a.Tied() || !b.Tied()
	folded := config.Folds(a.Config(), b.Config())
	cfgA, cfgB := a.Config(), b.Config()
	if folded {
		cfgA, cfgB = config.InGGUF(cfgA), config.InGGUF(cfgB)
		withHead = withHead || cfgA.Shared().TieWordEmbeddings != cfgB.Shared().TieWordEmbeddings || !cfgA.Shared().TieWordEmbeddings
	}
	inA, err := weightsOf(a, withHead, folded)
	if err != nil {
		return nil, err
	}
	inB, err := weightsOf(b, withHead, folded)
	if err != nil {
		return nil, err
	}
	d := &Difference{OnlyInA: []string{}, OnlyInB: []string{}}
	xs, ys := d.pair(a.Config(), b.Config(), inA, inB)
	if d.Tensors, err = compareTensors(ctx, opts.Threads, xs, ys, opts.Progress); err != nil {
		return nil, err
	}
	for i, t := range d.Tensors {
		d.Tensors[i].Name = names.Spelled(cfgA, t.Name)
	}
	d.Config = compareConfigs(cfgA, cfgB)
	d.Identical = len(d.OnlyInA)+len(d.OnlyInB) == 0 &&
		!slices.ContainsFunc(d.Tensors, func(t TensorDiff) bool { return !t.Same() }) &&
		!slices.ContainsFunc(d.Config, func(k KeyDiff) bool { return k.Results })
	for _, ck := range []*loader.Checkpoint{a, b} {
		if err := ck.Changed(); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// weightsOf lists a checkpoint's tensors under canonical names, in the order of the name table. The head of a tied model
// is the embedding under another name. With folded they are as GGUF has them, with the multipliers in them.
func weightsOf(ck *loader.Checkpoint, withHead, folded bool) ([]tensor.Tensor, error) {
	table, err := names.Table(ck.Config())
	if err != nil {
		return nil, err
	}
	bind := loader.NewBinder(ck)
	var list []tensor.Tensor
	for _, spec := range table {
		if spec.Name == names.Head && !withHead {
			continue
		}
		t := bind.Take(spec.Name)
		if t.Name = spec.Name; folded && bind.Err() == nil {
			t = fold.Into(ck.Config(), spec.Name, t)
		}
		list = append(list, t)
	}
	return list, bind.Err()
}

// pair returns the tensors to compare with each other, and files away those that only one side has. A bias that one side
// lacks is compared with zeros if there is something to add it to.
func (d *Difference) pair(a, b config.Config, inA, inB []tensor.Tensor) (xs, ys []tensor.Tensor) {
	byNameA, byNameB := byName(inA), byName(inB)
	for _, x := range inA {
		y, ok := byNameB[x.Name]
		if !ok {
			if !lacksBias(byNameB, x.Name) {
				d.OnlyInA = append(d.OnlyInA, names.Spelled(a, x.Name))
				continue
			}
			y = zeros(x)
		}
		xs, ys = append(xs, x), append(ys, y)
	}
	for _, y := range inB {
		if _, ok := byNameA[y.Name]; ok {
			continue
		}
		if !lacksBias(byNameA, y.Name) {
			d.OnlyInB = append(d.OnlyInB, names.Spelled(b, y.Name))
			continue
		}
		xs, ys = append(xs, zeros(y)), append(ys, y)
	}
	return xs, ys
}

func byName(tensors []tensor.Tensor) map[string]tensor.Tensor {
	m := make(map[string]tensor.Tensor, len(tensors))
	for _, t := range tensors {
		m[t.Name] = t
	}
	return m
}

// lacksBias reports whether name is that of a bias which the layer it belongs to does without there.
func lacksBias(there map[string]tensor.Tensor, name string) bool {
	_, ok := there[strings.TrimSuffix(name, "bias")+"weight"]
	return ok && names.ZeroIfAbsent(name)
}

// zeros stands for a tensor that is absent.
func zeros(like tensor.Tensor) tensor.Tensor {
	if like.Coding != nil { // a bias, so small
		return tensor.Of(like.Name, make([]float32, like.Elems()), like.Shape...)
	}
	return tensor.Tensor{Name: like.Name, DType: like.DType, Shape: like.Shape, Data: make([]byte, len(like.Data))}
}

// absent recognises what zeros made: it comes from no file.
func absent(t tensor.Tensor) bool { return t.File == "" }

// describe says what a tensor is, for people.
func describe(t tensor.Tensor) string {
	if absent(t) {
		return "absent"
	}
	return fmt.Sprintf("%s %v", t.Type(), t.Shape)
}

// compareTensors compares xs[i] with ys[i].
func compareTensors(ctx context.Context, threads int, xs, ys []tensor.Tensor, progress func(done, total int64)) ([]TensorDiff, error) {
	diffs := make([]TensorDiff, len(xs))
	for i, x := range xs {
		y := ys[i]
		same := slices.Equal(x.Shape, y.Shape)
		diffs[i] = TensorDiff{Name: x.Name, A: describe(x), B: describe(y), SameValues: same, SameA: same && names.IsALog(x.Name),
			SameBits: same && x.DType == y.DType && !absent(x) && !absent(y)}
		if !same {
			diffs[i].OtherShape, diffs[i].MaxAbs = true, tensor.Number(math.Inf(1))
		}
	}
	blocks := slices.DeleteFunc(blockwise.Of(xs), func(b blockwise.Block) bool { return !diffs[b.Tensor].SameValues })
	parts := make([]TensorDiff, len(blocks))
	err := blockwise.Each(ctx, threads, xs, blocks, progress, func(n int, b blockwise.Block) {
		parts[n] = compareBlock(xs[b.Tensor].Piece(b.First, b.End), ys[b.Tensor].Piece(b.First, b.End))
	})
	if err != nil {
		return nil, err
	}
	for n, b := range blocks {
		d := &diffs[b.Tensor]
		d.SameBits = d.SameBits && parts[n].SameBits
		d.SameValues = d.SameValues && parts[n].SameValues
		d.SameA = d.SameA && parts[n].SameA
		d.MaxAbs = max(d.MaxAbs, parts[n].MaxAbs)
	}
	return diffs, nil
}

// compareBlock compares two flat tensors of one name and length.
func compareBlock(x, y tensor.Tensor) TensorDiff {
	if x.SameBytes(y) {
		return TensorDiff{SameBits: true, SameValues: true, SameA: true}
	}
	d := TensorDiff{SameBits: x.DType == tensor.Coded && x.Type() == y.Type(), SameValues: true, SameA: names.IsALog(x.Name)}
	var u, v [digestElems]float64
	for first := 0; first < x.Elems(); first += digestElems {
		end := min(first+digestElems, x.Elems())
		px, py := x.Piece(first, end), y.Piece(first, end)
		px.Widen64(u[:end-first])
		py.Widen64(v[:end-first])
		for i, got := range u[:end-first] {
			if distance := numcheck.Distance(got, v[i]); distance > 0 {
				d.SameBits, d.SameValues = false, false
				d.MaxAbs = max(d.MaxAbs, tensor.Number(distance))
			}
		}
		d.SameA = d.SameA && sameA(px, py)
	}
	return d
}

// sameA reports whether two A_log of at most digestElems elements give the same A.
func sameA(x, y tensor.Tensor) bool {
	var a, b [digestElems]float32
	n := x.Elems()
	x.Widen32(a[:n])
	y.Widen32(b[:n])
	kernel.NegExp(a[:n], a[:n])
	kernel.NegExp(b[:n], b[:n])
	return slices.Equal(a[:n], b[:n])
}

// quiet are keys of config.json that the list of tensors says better.
var quiet = map[string]bool{"dtype": true, "torch_dtype": true, "tie_word_embeddings": true}

// compareConfigs lists the settings that differ. What other programs keep in config.json is not compared.
func compareConfigs(a, b config.Config) []KeyDiff {
	diff := []KeyDiff{}
	if x, y := a.Family(), b.Family(); x != y {
		diff = append(diff, KeyDiff{"model_type", strconv.Quote(string(x)), strconv.Quote(string(y)), true})
	}
	theirs := make(map[string]config.Setting)
	for _, y := range config.Settings(b) {
		theirs[y.Key] = y
	}
	for _, x := range config.Settings(a) {
		diff = appendDiff(diff, x, theirs[x.Key])
		delete(theirs, x.Key)
	}
	for _, y := range theirs {
		diff = appendDiff(diff, config.Setting{}, y)
	}
	slices.SortFunc(diff, func(x, y KeyDiff) int { return cmp.Compare(x.Key, y.Key) })
	return diff
}

// appendDiff adds what two sides say about one key; a side without the key is zero.
func appendDiff(diff []KeyDiff, x, y config.Setting) []KeyDiff {
	s := x
	if x.Key == "" {
		s = y
	}
	if x.Text == y.Text || quiet[s.Key] {
		return diff
	}
	results := false
	if x.Canonical != y.Canonical {
		switch max(x.Decides, y.Decides) {
		case config.Results:
			results = true
		case config.Tensors:
			results = !s.Switch // a switch decides which tensors there are: these are compared
		}
	}
	return append(diff, KeyDiff{s.Key, x.Text, y.Text, results})
}
