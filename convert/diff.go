package convert

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"sort"

	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/numcheck"
	"github.com/gomamba/gomamba/internal/tensor"
	"github.com/gomamba/gomamba/loader"
)

// Difference is the outcome of Diff; its JSON form is a contract of the diff command.
type Difference struct {
	Identical bool         `json:"identical"` // the same values in every tensor, and the same settings
	Tensors   []TensorDiff `json:"tensors"`   // in the order the model uses them
	OnlyInA   []string     `json:"only_in_a"`
	OnlyInB   []string     `json:"only_in_b"`
	Config    []KeyDiff    `json:"config"` // settings that differ
}

// TensorDiff compares one tensor by its canonical name.
type TensorDiff struct {
	Name       string      `json:"name"`
	A          string      `json:"a"` // dtype and shape
	B          string      `json:"b"`
	SameBits   bool        `json:"same_bits"`   // the same dtype and bytes
	SameValues bool        `json:"same_values"` // equal after exact widening; NaN equals NaN
	MaxAbs     jsonobj.Num `json:"max_abs"`     // largest difference
}

// KeyDiff is a setting of config.json that differs. A side without the key has an empty text.
type KeyDiff struct {
	Key string `json:"key"`
	A   string `json:"a"`
	B   string `json:"b"`
}

// Diff compares the weights and settings of two checkpoints of any layouts, tensor by tensor under canonical names. The
// head of a tied model counts as its embedding. Memory does not grow with the models. Errors: those of Check of either,
// ctx.Err, and a file that changes while it is read.
func Diff(ctx context.Context, a, b *loader.Checkpoint) (*Difference, error) {
	for _, ck := range []*loader.Checkpoint{a, b} {
		if err := ck.Check(); err != nil {
			return nil, err
		}
	}
	d := &Difference{Identical: true, Tensors: []TensorDiff{}, OnlyInA: []string{}, OnlyInB: []string{}, Config: []KeyDiff{}}
	inA, err := weightsOf(a)
	if err != nil {
		return nil, err
	}
	inB, err := weightsOf(b)
	if err != nil {
		return nil, err
	}
	there := make(map[string]tensor.Tensor, len(inB))
	for _, t := range inB {
		there[t.Name] = t
	}
	for _, x := range inA {
		y, ok := there[x.Name]
		if !ok {
			d.OnlyInA = append(d.OnlyInA, x.Name)
			continue
		}
		delete(there, x.Name)
		t, err := compareTensors(ctx, x, y)
		if err != nil {
			return nil, err
		}
		d.Identical = d.Identical && t.SameValues
		d.Tensors = append(d.Tensors, t)
	}
	for name := range there {
		d.OnlyInB = append(d.OnlyInB, name)
	}
	sort.Strings(d.OnlyInB)
	if d.Config, err = compareConfigs(a, b); err != nil {
		return nil, err
	}
	d.Identical = d.Identical && len(d.OnlyInA)+len(d.OnlyInB)+len(d.Config) == 0
	for _, ck := range []*loader.Checkpoint{a, b} {
		if err := ck.Changed(); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// weightsOf lists a checkpoint's tensors under canonical names, without the head where it is the embedding.
func weightsOf(ck *loader.Checkpoint) ([]tensor.Tensor, error) {
	table, err := names.Table(ck.Config())
	if err != nil {
		return nil, err
	}
	bind := loader.NewBinder(ck)
	var list []tensor.Tensor
	for _, spec := range table {
		if spec.Name == nameHead && ck.Tied() {
			continue
		}
		t := bind.Take(spec.Name)
		t.Name = spec.Name
		list = append(list, t)
	}
	return list, bind.Err()
}

func compareTensors(ctx context.Context, x, y tensor.Tensor) (TensorDiff, error) {
	d := TensorDiff{Name: x.Name, A: fmt.Sprintf("%s %v", x.DType, x.Shape), B: fmt.Sprintf("%s %v", y.DType, y.Shape)}
	if fmt.Sprint(x.Shape) != fmt.Sprint(y.Shape) {
		d.MaxAbs = jsonobj.Num(math.Inf(1))
		return d, nil
	}
	err := mmap.Guard(func() error {
		d.SameBits = x.DType == y.DType && bytes.Equal(x.Data, y.Data)
		d.SameValues = d.SameBits
		if d.SameBits {
			return ctx.Err()
		}
		u, v := make([]float64, pieceElems), make([]float64, pieceElems)
		d.SameValues = true
		for first := 0; first < x.Elems(); first += pieceElems {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := min(pieceElems, x.Elems()-first)
			widenPiece(u[:n], x, first)
			widenPiece(v[:n], y, first)
			r, err := numcheck.Compare(u[:n], v[:n], nil)
			if err != nil {
				return err
			}
			d.SameValues = d.SameValues && r.Equal
			d.MaxAbs = max(d.MaxAbs, jsonobj.Num(r.MaxAbs))
		}
		return nil
	})
	return d, err
}

// widenPiece sets dst to the elements of t from first on, exactly.
func widenPiece(dst []float64, t tensor.Tensor, first int) {
	size := t.DType.Size()
	tensor.WidenF64(dst, t.DType, t.Data[first*size:(first+len(dst))*size])
}

// quiet are keys of config.json that say nothing about the model.
var quiet = map[string]bool{"dtype": true, "torch_dtype": true, "transformers_version": true, "_name_or_path": true,
	"tie_word_embeddings": true} // the tensors tell

// compareConfigs lists the settings that differ.
func compareConfigs(a, b *loader.Checkpoint) ([]KeyDiff, error) {
	keysA, err := settingsOf(a)
	if err != nil {
		return nil, err
	}
	keysB, err := settingsOf(b)
	if err != nil {
		return nil, err
	}
	diff := []KeyDiff{}
	for key, x := range keysA {
		if y := keysB[key]; x != y {
			diff = append(diff, KeyDiff{key, x, y})
		}
	}
	for key, y := range keysB {
		if _, ok := keysA[key]; !ok {
			diff = append(diff, KeyDiff{key, "", y})
		}
	}
	sort.Slice(diff, func(i, j int) bool { return diff[i].Key < diff[j].Key })
	return diff, nil
}

func settingsOf(ck *loader.Checkpoint) (map[string]string, error) {
	text, err := ck.Config().EncodeHF()
	if err != nil {
		return nil, err
	}
	members, err := jsonobj.Parse(text)
	if err != nil {
		return nil, err
	}
	keys := make(map[string]string, len(members))
	extra := map[string]bool{}
	for _, e := range ck.Config().Shared().Extra {
		extra[e.Key] = true // stale keys and those of other programs
	}
	for _, m := range members {
		if !quiet[m.Key] && !extra[m.Key] {
			keys[m.Key] = m.Value.Compact()
		}
	}
	return keys, nil
}
