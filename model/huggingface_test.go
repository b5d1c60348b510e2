package model_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/fixtures"
	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/numcheck"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/model/reference"
	"github.com/gomamba/gomamba/tensor"
)

// TestCloserToTruthThanHuggingFace holds every logit, hidden state and cache entry of every fixture to the promise:
// at most 1.5 times as far from float64 as transformers' float32 is, or 2e-6 of the tensor's largest value.
func TestCloserToTruthThanHuggingFace(t *testing.T) {
	nearer, tensors := 0, 0
	for _, ref := range glob(t, "*/*/ref*.safetensors") {
		floor := floored(ref)
		ck, m := open(t, filepath.Dir(ref), model.Options{DtFloor: floor})
		d, b := readDump(t, ref)
		out, cache := forward(t, m, b, everything)
		truthCache := reference.NewCache[float64](m.Config(), b.Sequences)
		truth, err := reference.ForwardAs(context.Background(), ck, b, truthCache, everything, reference.Variant{DtFloor: floor})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range d.Names() {
			got, want := pick(name, out.Logits, out.HiddenStates, cache),
				pick(name, truth.Logits, truth.HiddenStates, truthCache)
			if got == nil {
				continue // the input
			}
			stored, _ := d.Tensor(name)
			if name == dump.Logits && stored.Shape[1] == 1 && b.Sequences == 1 { // the last position only
				v := stored.Shape[2]
				got, want = got[len(got)-v:], want[len(want)-v:]
			}
			mask := meant(m, &b, name)
			hf, err := numcheck.Compare(tensor.Float32s(stored), want, mask)
			if err != nil {
				t.Fatalf("%s, %s: %v", ref, name, err)
			}
			ours, _ := numcheck.Compare(got, want, mask)
			if ours.MaxAbs > 1.5*hf.MaxAbs && ours.MaxAbs > numcheck.Floor*ours.Scale {
				t.Errorf("%s, %s: %.3g from float64, transformers %.3g, largest value %.3g", ref, name, ours.MaxAbs, hf.MaxAbs, ours.Scale)
			}
			tensors++
			if ours.MaxAbs <= hf.MaxAbs {
				nearer++
			}
		}
	}
	t.Logf("nearer to float64 than transformers on %d of %d tensors", nearer, tensors)
	if nearer*4 < tensors*3 {
		t.Errorf("nearer to float64 than transformers on only %d of %d tensors", nearer, tensors)
	}
}

// floored reports fixtures of which transformers' full pass raises dt.
func floored(path string) bool { return filepath.Base(filepath.Dir(path)) == "floor" }

// meant leaves out what hybrids compute at positions of padding, which has no meaning. Blocks of Mamba alone leave the embedding
// there.
func meant(m *model.Model, b *model.Batch, name string) func(i int) bool {
	if b.Mask == nil || !blocks.EmbeddingShown(m.Config()) || strings.HasPrefix(name, "cache.") {
		return nil
	}
	width := m.Config().Shared().HiddenSize
	if name == dump.Logits {
		width = m.Config().Shared().VocabSize
	}
	return func(i int) bool { return b.Mask[i/width] == 1 }
}

// pick returns the tensor of that name in a dump, nil for the input.
func pick[F any](name string, logits []F, hidden [][]F, cache interface {
	Layers() int
	States(layer int) []model.State[F]
}) []F {
	if name == dump.Logits {
		return logits
	}
	for i, v := range hidden {
		if dump.HiddenState(i) == name {
			return v
		}
	}
	for l := range cache.Layers() {
		for _, s := range cache.States(l) {
			if dump.State(s.Name, l) == name {
				return s.Values
			}
		}
	}
	return nil
}

// TestOracleIsTheTruth holds the float64 oracle to an independent float64 computation: fixtures/oracle.py, in numpy.
func TestOracleIsTheTruth(t *testing.T) {
	for _, ref := range glob(t, "*/*/oracle*.safetensors") {
		ck, m := open(t, filepath.Dir(ref), model.Options{})
		d, b := readDump(t, ref)
		cache := reference.NewCache[float64](m.Config(), b.Sequences)
		out, err := reference.Forward(context.Background(), ck, b, cache, everything)
		if err != nil {
			t.Fatal(err)
		}
		compared := 0
		for _, name := range d.Names() {
			got := pick(name, out.Logits, out.HiddenStates, cache)
			if got == nil {
				continue
			}
			stored, _ := d.Tensor(name)
			r, err := numcheck.Compare(got, tensor.Float64s(stored), nil)
			if err != nil {
				t.Fatalf("%s, %s: %v", ref, name, err)
			}
			if !(r.MaxRel <= 1e-12) {
				t.Errorf("%s, %s: %.3g of the largest value", ref, name, r.MaxRel)
			}
			compared++
		}
		if compared == 0 {
			t.Errorf("%s: nothing compared", ref)
		}
	}
}

// TestChunksChangeOnlyRounding holds the chunked form of Mamba-2 to the recurrence, in float64.
func TestChunksChangeOnlyRounding(t *testing.T) {
	for _, ref := range glob(t, "mamba2/*/ref*.safetensors") {
		ck, m := open(t, filepath.Dir(ref), model.Options{})
		_, b := readDump(t, ref)
		caches := [2]*reference.Cache[float64]{reference.NewCache[float64](m.Config(), b.Sequences), reference.NewCache[float64](m.Config(), b.Sequences)}
		whole, err := reference.Forward(context.Background(), ck, b, caches[0], everything)
		if err != nil {
			t.Fatal(err)
		}
		chunked, err := reference.ForwardAs(context.Background(), ck, b, caches[1], everything, reference.Variant{Chunked: true})
		if err != nil {
			t.Fatal(err)
		}
		for what, pair := range map[string][2][]float64{
			"logits": {chunked.Logits, whole.Logits}, "state": {caches[1].States(0)[1].Values, caches[0].States(0)[1].Values},
		} {
			if r, err := numcheck.Compare(pair[0], pair[1], nil); err != nil || !(r.MaxRel <= 1e-11) {
				t.Errorf("%s: %s differ by %.3g of the largest (%v)", ref, what, r.MaxRel, err)
			}
		}
	}
}

// TestGreedyAsHuggingFace continues prompts as transformers' generate(do_sample=False) did.
func TestGreedyAsHuggingFace(t *testing.T) {
	for _, path := range glob(t, "*/*/greedy.json") {
		_, m := open(t, filepath.Dir(path), model.Options{})
		for _, want := range readGreedy(t, path) {
			if got := generate(t, m, want.Prompt, len(want.Tokens), model.Sampling{}); !slices.Equal(got, want.Tokens) {
				t.Errorf("%s: continued with %v, transformers with %v", path, got, want.Tokens)
			}
		}
	}
}

// readGreedy reads one run, or a list of runs.
func readGreedy(t *testing.T, path string) (runs []fixtures.Greedy) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(text, []byte("[")) {
		text = slices.Concat([]byte("["), text, []byte("]"))
	}
	if err := json.Unmarshal(text, &runs); err != nil || len(runs) == 0 {
		t.Fatalf("%s: %d runs (%v)", path, len(runs), err)
	}
	return runs
}

func generate(t *testing.T, m *model.Model, prompt []int64, n int, how model.Sampling) []int64 {
	t.Helper()
	g, err := m.NewGenerator(nil, how)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Feed(context.Background(), prompt); err != nil {
		t.Fatal(err)
	}
	var ids []int64
	for range n {
		id, err := g.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}
