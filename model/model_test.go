package model_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/tensor"
	"github.com/gomamba/gomamba/model"
)

func TestBadInputIsNamed(t *testing.T) {
	_, m := open(t, filepath.Join(fixtureDir, "default"), model.Options{}) // a vocabulary of 128
	for _, c := range []struct {
		batch model.Batch
		cache *model.Cache
		want  string
	}{
		{batch: model.Single(nil), want: "the prompt is empty"},
		{batch: model.Single([]int64{3, -1}), want: "token id -1 at position 1 of sequence 0"},
		{batch: model.Single([]int64{128}), want: "ids 0 to 127"},
		{batch: model.Single([]int64{math.MaxInt64}), want: "9223372036854775807"},
		{batch: model.Batch{Sequences: 2, Tokens: 2, IDs: []int64{1, 2, 3}}, want: "3 ids for a batch of 2 × 2"},
		{batch: model.Batch{Sequences: 1, Tokens: 3, IDs: []int64{1, 2, 3}, Mask: []int64{1, 0, 1}}, want: "gap before position 2"},
		{batch: model.Batch{Sequences: 1, Tokens: 2, IDs: []int64{1, 2}, Mask: []int64{0, 2}}, want: "holds 2 at position 1"},
		{batch: model.Batch{Sequences: 1, Tokens: 2, IDs: []int64{1, 2}, Mask: []int64{0, 0}}, want: "all zeros"},
		{batch: model.Batch{Sequences: 1, Tokens: 2, IDs: []int64{1, 2}, Mask: []int64{1}}, want: "1 mask values"},
		{batch: model.Single([]int64{1}), cache: m.NewCache(2), want: "the cache holds 2 sequences, the batch 1"},
		{batch: model.Single([]int64{1}), cache: &model.Cache{Sequences: 1}, want: "the cache holds 0 layers, the model 4"},
	} {
		cache := c.cache
		if cache == nil {
			cache = m.NewCache(max(c.batch.Sequences, 1))
		}
		before := cache.Clone()
		if _, err := m.Forward(context.Background(), c.batch, cache, everything); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", c.batch, err, c.want)
		}
		if len(cache.SSMStates) > 0 && !slices.Equal(cache.SSMStates[0], before.SSMStates[0]) {
			t.Errorf("%+v: the cache was touched", c.batch)
		}
	}
}

func TestCancelledContextStops(t *testing.T) {
	_, m := open(t, filepath.Join(fixtureDir, "default"), model.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := m.Stream(ctx, model.Single(someIDs(m, 10, 0)), m.NewCache(1), everything, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

// TestShrinkingFileIsAnError truncates the weights under a running model, which must not end the process.
func TestShrinkingFileIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(fixtureDir, "default"))); err != nil {
		t.Fatal(err)
	}
	_, m := open(t, dir, model.Options{})
	if err := os.Truncate(filepath.Join(dir, "model.safetensors"), 0); err != nil {
		t.Fatal(err)
	}
	_, err := m.Forward(context.Background(), model.Single([]int64{1, 2, 3}), m.NewCache(1), everything)
	if err == nil || !strings.Contains(err.Error(), "truncated") {
		t.Errorf("error %v, want one that says truncated", err)
	}
}

func TestCacheOfAnotherModelIsRefused(t *testing.T) {
	_, m := open(t, filepath.Join(fixtureDir, "default"), model.Options{})
	_, other := open(t, filepath.Join(fixtureDir, "conv3"), model.Options{})
	file := filepath.Join(t.TempDir(), "cache.safetensors")
	if err := m.SaveCache(file, m.NewCache(1), nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := other.LoadCache(file); err == nil || !strings.Contains(err.Error(), "another model") {
		t.Errorf("error %v, want one that says it was made with another model", err)
	}
}

// TestGenerationResumes keeps a state after some tokens, in a file, and goes on as if nothing had happened.
func TestGenerationResumes(t *testing.T) {
	_, m := open(t, filepath.Join(fixtureDir, "default"), model.Options{})
	ctx, prompt := context.Background(), []int64{7, 11, 13}
	want := generate(t, m, prompt, 12, model.Sampling{})

	g, err := m.NewGenerator(nil, model.Sampling{})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Feed(ctx, prompt); err != nil {
		t.Fatal(err)
	}
	var got []int64
	for range 5 {
		id, err := g.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, id)
	}
	cache, logits, err := g.State(ctx)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "state.safetensors")
	if err := m.SaveCache(file, cache, logits); err != nil {
		t.Fatal(err)
	}
	if cache, logits, err = m.LoadCache(file); err != nil {
		t.Fatal(err)
	}
	if g, err = m.NewGenerator(cache, model.Sampling{}); err != nil {
		t.Fatal(err)
	}
	if err := g.Resume(logits); err != nil {
		t.Fatal(err)
	}
	for range 7 {
		id, err := g.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, id)
	}
	if !slices.Equal(got, want) {
		t.Errorf("resumed: %v, uninterrupted: %v", got, want)
	}
}

// TestSampling checks what a user sees of each knob.
func TestSampling(t *testing.T) {
	_, m := open(t, filepath.Join(fixtureDir, "default"), model.Options{})
	prompt := []int64{5, 9}
	greedy := generate(t, m, prompt, 16, model.Sampling{})
	hot := model.Sampling{Temperature: 20, Seed: 1}
	a, b := generate(t, m, prompt, 16, hot), generate(t, m, prompt, 16, hot)
	if !slices.Equal(a, b) {
		t.Errorf("the same seed gave %v and %v", a, b)
	}
	if hot.Seed = 2; slices.Equal(a, generate(t, m, prompt, 16, hot)) {
		t.Errorf("seeds 1 and 2 both gave %v", a)
	}
	if slices.Equal(a, greedy) {
		t.Error("a temperature of 20 changed nothing")
	}
	for name, how := range map[string]model.Sampling{
		"top-k 1":       {Temperature: 20, TopK: 1},
		"tiny top-p":    {Temperature: 20, TopP: 1e-9},
		"min-p 1":       {Temperature: 20, MinP: 1},
		"cold":          {Temperature: 1e-4},
		"greedy, seeds": {Seed: 99},
	} {
		if got := generate(t, m, prompt, 16, how); !slices.Equal(got, greedy) {
			t.Errorf("%s: %v, want the greedy %v", name, got, greedy)
		}
	}
	repeats := func(ids []int64) int {
		return len(ids) - len(slices.Compact(slices.Sorted(slices.Values(ids))))
	}
	plain, penalised := generate(t, m, prompt, 40, model.Sampling{}), generate(t, m, prompt, 40, model.Sampling{RepeatPenalty: 50})
	if repeats(plain) == 0 || repeats(penalised) != 0 {
		t.Errorf("%d repeated tokens without and %d with a strong penalty", repeats(plain), repeats(penalised))
	}
	for _, how := range []model.Sampling{{Temperature: -1}, {TopP: 2}, {MinP: math.NaN()}, {TopK: -1}} {
		if _, err := m.NewGenerator(nil, how); err == nil {
			t.Errorf("%+v was accepted", how)
		}
	}
}

// TestInit checks the initialisation against what the papers' code promises, on drawn values.
func TestInit(t *testing.T) {
	cfg := config.NewMamba()
	cfg.NumHiddenLayers, cfg.VocabSize, cfg.UseBias, cfg.RescalePrenormResidual = 2, 500, true, true
	values := map[string][]float32{}
	for _, seed := range []uint64{7, 8, 7} {
		params, err := model.Init(cfg, seed)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range params {
			var v []float32
			err := p.Encode(tensor.F32, func(piece []byte) error {
				v = append(v, tensor.Float32s(tensor.Tensor{DType: tensor.F32, Data: slices.Clone(piece)})...)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if n, _ := tensor.Count(p.Shape); n != len(v) {
				t.Fatalf("%s: %d values of shape %v", p.Name, len(v), p.Shape)
			}
			if before, ok := values[p.Name]; ok && strings.HasSuffix(p.Name, "in_proj.weight") && seed == 8 == slices.Equal(before, v) {
				t.Errorf("%s: seed 7 and seed %d: equal %v", p.Name, seed, seed == 8)
			}
			if seed == 7 {
				values[p.Name] = v
			}
		}
	}
	if _, ok := values["lm_head.weight"]; ok {
		t.Error("a tied model has a head of its own")
	}
	mixer := "backbone.layers.1.mixer."
	for name, c := range map[string]struct{ low, high float64 }{
		mixer + "A_log":                 {0, math.Log(16)},
		mixer + "D":                     {1, 1},
		mixer + "in_proj.weight":        {-1 / math.Sqrt(768), 1 / math.Sqrt(768)},
		mixer + "in_proj.bias":          {0, 0},
		mixer + "x_proj.weight":         {-1 / math.Sqrt(1536), 1 / math.Sqrt(1536)},
		mixer + "conv1d.weight":         {-0.5, 0.5},
		mixer + "dt_proj.weight":        {-1 / math.Sqrt(48), 1 / math.Sqrt(48)},
		mixer + "out_proj.weight":       {-1 / math.Sqrt(1536*2), 1 / math.Sqrt(1536*2)},
		"backbone.layers.0.norm.weight": {1, 1},
	} {
		low, high := float64(slices.Min(values[name])), float64(slices.Max(values[name]))
		span := c.high - c.low
		if low < c.low-1e-6 || low > c.low+0.01*span+1e-6 || high > c.high+1e-6 || high < c.high-0.01*span-1e-6 {
			t.Errorf("%s: drawn from %.4f to %.4f, want %.4f to %.4f", name, low, high, c.low, c.high)
		}
	}
	for _, bias := range values[mixer+"dt_proj.bias"] {
		if dt := math.Log1p(math.Exp(float64(bias))); dt < 0.001*0.999 || dt > 0.1*1.001 {
			t.Fatalf("a step size of %g, want 0.001 to 0.1", dt)
		}
	}
}
