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

	"github.com/gomamba/gomamba/model"
)

func TestBadInputIsNamed(t *testing.T) {
	_, m := open(t, filepath.Join(fixtureDir, "mamba1/default"), model.Options{}) // a vocabulary of 128
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
		if cache.Layers() > 0 && !slices.EqualFunc(statesOf(cache, 0), statesOf(before, 0), slices.Equal) {
			t.Errorf("%+v: the cache was touched", c.batch)
		}
	}
}

func TestCancelledContextStops(t *testing.T) {
	_, m := open(t, filepath.Join(fixtureDir, "mamba1/default"), model.Options{})
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
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(fixtureDir, "mamba1/default"))); err != nil {
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
	_, m := open(t, filepath.Join(fixtureDir, "mamba1/default"), model.Options{})
	_, other := open(t, filepath.Join(fixtureDir, "mamba1/conv3"), model.Options{})
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
	_, m := open(t, filepath.Join(fixtureDir, "mamba1/default"), model.Options{})
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
	_, m := open(t, filepath.Join(fixtureDir, "mamba1/default"), model.Options{})
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

// TestSequencesAreEachAlone runs sequences of different lengths side by side, ends them at different times, and forks
// a cache: each must draw what it draws alone.
func TestSequencesAreEachAlone(t *testing.T) {
	_, m := open(t, filepath.Join(fixtureDir, "mamba1/default"), model.Options{})
	ctx, how := context.Background(), model.Sampling{Temperature: 1.5, Seed: 9, Drawable: func(id int64) bool { return id != 76 }}
	prompts := [][]int64{{7, 11, 13}, {1}, {5, 4, 3, 2, 1, 0, 9, 8}}
	lengths := []int{9, 3, 6}
	g, err := m.NewGenerator(m.NewCache(len(prompts)), how)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Feed(ctx, prompts...); err != nil {
		t.Fatal(err)
	}
	got := make([][]int64, len(prompts))
	for step := range 9 {
		wanted := make([]bool, len(prompts))
		for i := range wanted {
			wanted[i] = step < lengths[i]
		}
		ids, err := g.NextOf(ctx, wanted)
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range ids {
			if (id >= 0) != wanted[i] {
				t.Fatalf("step %d: ids %v, wanted %v", step, ids, wanted)
			}
			if id >= 0 {
				got[i] = append(got[i], id)
			}
		}
	}
	for i, prompt := range prompts {
		if want := generate(t, m, prompt, lengths[i], how); !slices.Equal(got[i], want) || slices.Contains(want, 76) {
			t.Errorf("sequence %d: %v, alone %v", i, got[i], want)
		}
	}
}

// TestDamagedCacheIsRefused flips every byte of a cache file in turn. What is refused is said in a line; what is not must
// have the values that were saved.
func TestDamagedCacheIsRefused(t *testing.T) {
	named := func(name string) *model.Model {
		_, m := open(t, filepath.Join(fixtureDir, "mamba1/default"), model.Options{Fingerprint: func() (string, error) { return name, nil }})
		return m
	}
	m, other := named("f00d"), named("beef")
	cache := m.NewCache(1)
	logits := make([]float32, 128)
	if _, err := m.Forward(context.Background(), model.Single([]int64{1, 2, 3}), cache, model.Want{}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cache.safetensors")
	if err := m.SaveCache(path, cache, logits); err != nil {
		t.Fatal(err)
	}
	if _, _, err := other.LoadCache(path); err == nil || !strings.Contains(err.Error(), "another model") {
		t.Errorf("another model's: %v", err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(whole); i += 1 + i/200 {
		data := slices.Clone(whole)
		data[i] ^= 4
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		c, l, err := m.LoadCache(path)
		if err == nil && (!slices.EqualFunc(statesOf(c, 0), statesOf(cache, 0), slices.Equal) || l != nil && !slices.Equal(l, logits)) {
			t.Fatalf("byte %d: other values and no error", i)
		}
	}
	for _, n := range []int{0, 7, len(whole) / 2, len(whole) - 1} {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := m.LoadCache(path); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}
