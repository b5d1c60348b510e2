package model_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"

	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
)

// box opens the model in the box, whose tokens are bytes, and ends the example if that fails.
func box() (m *model.Model, done func()) {
	ck, err := loader.Open("../fixtures/box/model", loader.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if m, err = model.New(ck, model.Options{}); err != nil {
		log.Fatal(err)
	}
	return m, func() { m.Close(); ck.Close() }
}

// tokens are those of a text.
func tokens(text string) (ids []int64) {
	for _, b := range []byte(text) {
		ids = append(ids, int64(b))
	}
	return ids
}

// Load: open a checkpoint of any layout and ready its network. Weights stay where they lie.
func ExampleNew() {
	ck, err := loader.Open("../fixtures/box/model", loader.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer ck.Close()
	m, err := model.New(ck, model.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	cfg := m.Config().Shared()
	fmt.Println(m.Config().Family(), cfg.NumHiddenLayers, "layers of", cfg.HiddenSize)
	// Output: mamba 7 layers of 192
}

// A forward pass: logits of all positions, and the cache to go on from.
func ExampleModel_Forward() {
	m, done := box()
	defer done()

	cache := m.NewCache(1)
	out, err := m.Forward(context.Background(), model.Single(tokens("func")), cache, model.Want{Logits: model.LogitsAll})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(out.Logits)/m.Config().Shared().VocabSize, "positions,", len(cache.SSMStates), "layers of state")
	// Output: 4 positions, 7 layers of state
}

// Step: one token after the other through the same cache gives the bits of the whole prompt at once.
func ExampleModel_Forward_step() {
	m, done := box()
	defer done()
	ctx, last := context.Background(), model.Want{Logits: model.LogitsLast}

	whole, err := m.Forward(ctx, model.Single(tokens("package main")), m.NewCache(1), last)
	if err != nil {
		log.Fatal(err)
	}
	cache, logits := m.NewCache(1), []float32(nil)
	for _, id := range tokens("package main") {
		out, err := m.Forward(ctx, model.Single([]int64{id}), cache, last)
		if err != nil {
			log.Fatal(err)
		}
		logits = out.Logits
	}
	fmt.Println("the same bits:", slices.Equal(logits, whole.Logits))
	// Output: the same bits: true
}

// Stream: feed a prompt, then take token after token as they are drawn.
func ExampleGenerator() {
	m, done := box()
	defer done()

	g, err := m.NewGenerator(nil, model.Sampling{}) // greedy
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if err := g.Feed(ctx, tokens("for i := 0; ")); err != nil {
		log.Fatal(err)
	}
	for range len("i < len(s); i++ {") {
		id, err := g.Next(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%c", id)
	}
	// Output: i < len(s); i++ {
}

// Save a cache: a prompt is paid for once, and whoever loads the file goes on from there.
func ExampleModel_SaveCache() {
	m, done := box()
	defer done()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	cache := m.NewCache(1)
	out, err := m.Forward(context.Background(), model.Single(tokens("package main\n")), cache, model.Want{Logits: model.LogitsLast})
	if err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(dir, "main.safetensors")
	if err := m.SaveCache(path, cache, out.Logits); err != nil {
		log.Fatal(err)
	}
	saved, logits, err := m.LoadCache(path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(saved.Sequences, "sequence,", len(logits), "logits, the same bits:", slices.Equal(logits, out.Logits))
	// Output: 1 sequence, 256 logits, the same bits: true
}
