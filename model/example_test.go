package model_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
)

// A forward pass: logits of all positions, and the cache to go on from.
func ExampleModel_Forward() {
	ck, err := loader.Open("../fixtures/mamba1/default", loader.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer ck.Close()
	m, err := model.New(ck, model.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	cache := m.NewCache(1)
	out, err := m.Forward(context.Background(), model.Single([]int64{1, 2, 3}), cache, model.Want{Logits: model.LogitsAll})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(out.Logits)/m.Config().Shared().VocabSize, "positions,", len(cache.SSMStates), "layers of state")
	// Output: 3 positions, 4 layers of state
}

// Generation: feed a prompt, then draw token after token.
func ExampleGenerator() {
	ck, err := loader.Open("../fixtures/mamba1/default", loader.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer ck.Close()
	m, err := model.New(ck, model.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	g, err := m.NewGenerator(nil, model.Sampling{}) // greedy
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if err := g.Feed(ctx, []int64{108, 49, 120, 61, 84, 115, 91, 25}); err != nil {
		log.Fatal(err)
	}
	for range 4 {
		id, err := g.Next(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(id)
	}
	// Output:
	// 10
	// 111
	// 29
	// 29
}
