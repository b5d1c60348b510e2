package parity_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/prompt"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/internal/safetensors/safetensorstest"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/model/parity"
	"github.com/gomamba/gomamba/model/reference"
	"github.com/gomamba/gomamba/tensor"
)

// correction is what a router of nemotron/moe adds to its scores before it chooses by them, and to nothing else.
func correction(layer int) string {
	return fmt.Sprintf("backbone.layers.%d.mixer.gate.e_score_correction_bias", layer)
}

// nudged copies nemotron/moe with something added to the correction of an expert.
func nudged(t *testing.T, from string, layer, expert int, by float64) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Open(filepath.Join(from, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tensors := slices.Clone(f.Tensors())
	for i, w := range tensors {
		if w.Name == correction(layer) {
			values := make([]float32, w.Shape[0])
			tensor.WidenF32(values, w.DType, w.Data)
			values[expert] += float32(by)
			data := make([]byte, 4*len(values))
			tensor.NarrowF32(data, tensor.F32, values)
			tensors[i].DType, tensors[i].Data = tensor.F32, data
		}
	}
	path := filepath.Join(dir, "model.safetensors")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(safetensorstest.Write(file, tensors, nil), file.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// opened opens a checkpoint and its network.
func opened(t *testing.T, dir string) (*loader.Checkpoint, *model.Model) {
	t.Helper()
	ck, err := loader.Open(dir, loader.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ck.Close() })
	m, err := model.New(ck, model.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return ck, m
}

// swaps returns what the router of a layer would nearly choose for a token, in float64.
func swaps(t *testing.T, dir string, b model.Batch, place reference.Place) []reference.Swap {
	t.Helper()
	ck, m := opened(t, dir)
	routing := reference.NewRouting(nil)
	_, err := reference.ForwardAs(t.Context(), ck, b, reference.NewCache[float64](m.Config(), b.Sequences), model.Want{}, reference.Variant{Routing: routing})
	if err != nil {
		t.Fatal(err)
	}
	return reference.Swaps(blocks.Layers(m.Config())[place.Layer][0].Experts, routing.Scores[place])
}

// dumped writes what a network computes, hidden states or logits alone.
func dumped(t *testing.T, dir string, b model.Batch, hidden bool) string {
	t.Helper()
	_, m := opened(t, dir)
	out, err := m.Forward(t.Context(), b, m.NewCache(b.Sequences), model.Want{Logits: model.LogitsAll, HiddenStates: true})
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]byte, 8*len(b.IDs))
	for i, id := range b.IDs {
		ids[8*i] = byte(id)
	}
	tensors := []tensor.Tensor{{Name: dump.InputIDs, DType: tensor.I64, Shape: []int{b.Sequences, b.Tokens}, Data: ids}}
	add := func(name string, values []float32) {
		data := make([]byte, 4*len(values))
		tensor.NarrowF32(data, tensor.F32, values)
		shape := []int{b.Sequences, b.Tokens, len(values) / len(b.IDs)}
		tensors = append(tensors, tensor.Tensor{Name: name, DType: tensor.F32, Shape: shape, Data: data})
	}
	add(dump.Logits, out.Logits)
	for i, h := range out.HiddenStates {
		if hidden {
			add(dump.HiddenState(i), h)
		}
	}
	path := filepath.Join(t.TempDir(), "ref.safetensors")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(safetensorstest.Write(file, tensors, nil), file.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// Two experts nearly tie for one token, and the reference takes the other one. The report names layer, token, experts and margin;
// it passes what rounding can tip, and nothing else.
func TestRouterTies(t *testing.T) {
	from := filepath.Join(fixtureDir, "nemotron", "moe")
	batch := model.Batch{Sequences: 2, Tokens: 12, IDs: prompt.IDs(24, 61)}
	for _, place := range []reference.Place{{Layer: 1, Row: 5}, {Layer: 4, Row: 17}} {
		for _, c := range []struct {
			margin float64
			near   bool
		}{{1e-7, true}, {3e-5, false}} {
			was := swaps(t, from, batch, place)[0]
			tied := nudged(t, from, place.Layer, was.In, was.Margin-c.margin)
			now := swaps(t, tied, batch, place)[0]
			other := nudged(t, tied, place.Layer, was.In, 2*c.margin)
			for _, hidden := range []bool{true, false} {
				r := verify(t, tied, dumped(t, other, batch, hidden), nil)
				want := parity.Route{Layer: place.Layer, Sequence: place.Row / 12, Token: place.Row % 12, Expert: now.Out, Instead: now.In,
					Margin: tensor.Number(now.Margin), Near: c.near}
				if len(r.Routes) != 1 {
					t.Errorf("%+v, %g: %s, routes %+v", place, c.margin, r.Verdict, r.Routes)
					continue
				}
				got := r.Routes[0]
				got.Rounding = 0
				if got != want || r.Passed != c.near || (r.FirstDivergence == nil) != c.near {
					t.Errorf("%+v, %g: %s, route %+v, want %+v", place, c.margin, r.Verdict, got, want)
				}
				if text := fmt.Sprintf("chooses expert %d for token %d of sequence %d, and float64 expert %d", want.Instead, want.Token, want.Sequence, want.Expert); !strings.Contains(r.Hint, text) {
					t.Errorf("hint %q", r.Hint)
				}
			}
		}
	}
}

// The network chooses as float64 does where float32 can tell, on either side of a tie, and on the tie itself still passes.
func TestNetworkAtTies(t *testing.T) {
	from := filepath.Join(fixtureDir, "nemotron", "moe")
	batch := model.Single(prompt.IDs(24, 61)) // SelfCheck's
	for row := 0; row < 24; row += 3 {
		place := reference.Place{Layer: 1 + 3*(row%2), Row: row}
		was := swaps(t, from, batch, place)[0]
		for _, margin := range []float64{-4e-7, 0, 4e-7} {
			ck, m := opened(t, nudged(t, from, place.Layer, was.In, was.Margin-margin))
			r, err := parity.SelfCheck(t.Context(), ck, m, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !r.Passed || margin != 0 && r.Routes != nil {
				t.Errorf("%+v, %g: %s, %s", place, margin, r.Verdict, r.Hint)
			}
		}
	}
}
