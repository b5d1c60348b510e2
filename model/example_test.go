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

// check ends an example whose work failed.
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// tokens are those of a text, for a model whose tokens are bytes.
func tokens(text string) (ids []int64) {
	for _, b := range []byte(text) {
		ids = append(ids, int64(b))
	}
	return ids
}

// Load: open a checkpoint of any layout and ready its network. Weights stay where they lie.
func ExampleNew() {
	ck, err := loader.Open("../fixtures/box/model", loader.Options{}) // or a GGUF file, a mamba_ssm folder
	check(err)
	defer ck.Close()
	m, err := model.New(ck, model.Options{})
	check(err)
	defer m.Close()

	cfg := m.Config().Shared()
	fmt.Println(m.Config().Family(), cfg.NumHiddenLayers, "layers of", cfg.HiddenSize)
	// Output: mamba 7 layers of 192
}

// opened is ExampleNew for the other examples. What it opens lives as long as they do.
func opened() *model.Model {
	ck, err := loader.Open("../fixtures/box/model", loader.Options{})
	check(err)
	m, err := model.New(ck, model.Options{})
	check(err)
	return m
}

// A forward pass: logits of all positions, and the cache to go on from.
func ExampleModel_Forward() {
	m := opened()
	cache := m.NewCache(1)
	out, err := m.Forward(context.Background(), model.Single(tokens("func")), cache, model.Want{Logits: model.LogitsAll})
	check(err)
	fmt.Println(len(out.Logits)/m.Config().Shared().VocabSize, "positions,", cache.Layers(), "layers of state")
	// Output: 4 positions, 7 layers of state
}

// Step: one token after the other through the same cache gives the bits of the whole prompt at once.
func ExampleModel_Forward_step() {
	m, ctx, last := opened(), context.Background(), model.Want{Logits: model.LogitsLast}
	whole, err := m.Forward(ctx, model.Single(tokens("package main")), m.NewCache(1), last)
	check(err)
	cache, logits := m.NewCache(1), []float32(nil)
	for _, id := range tokens("package main") {
		out, err := m.Forward(ctx, model.Single([]int64{id}), cache, last)
		check(err)
		logits = out.Logits
	}
	fmt.Println("the same bits:", slices.Equal(logits, whole.Logits))
	// Output: the same bits: true
}

// Stream: feed a prompt, then take token after token as they are drawn.
func ExampleGenerator() {
	g, err := opened().NewGenerator(nil, model.Sampling{}) // greedy
	check(err)
	ctx := context.Background()
	check(g.Feed(ctx, tokens("for i := 0; ")))
	for range len("i < len(s); i++ {") {
		id, err := g.Next(ctx)
		check(err)
		fmt.Printf("%c", id)
	}
	// Output: i < len(s); i++ {
}

// Save a cache: a prompt is paid for once, and whoever loads the file goes on from there.
func ExampleModel_SaveCache() {
	dir, err := os.MkdirTemp("", "")
	check(err)
	defer os.RemoveAll(dir)
	m := opened()
	cache := m.NewCache(1)
	out, err := m.Forward(context.Background(), model.Single(tokens("package main\n")), cache, model.Want{Logits: model.LogitsLast})
	check(err)
	path := filepath.Join(dir, "main.safetensors")
	check(m.SaveCache(path, cache, out.Logits))
	_, logits, err := m.LoadCache(path)
	check(err)
	fmt.Println("the same bits:", slices.Equal(logits, out.Logits))
	// Output: the same bits: true
}
