// Step runs a model token by token and picks the most likely next token each time.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/gomamba/gomamba"
	"github.com/gomamba/gomamba/model"
)

func main() {
	m, err := gomamba.Open("box")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	ids, cache := []int64{'f', 'u', 'n', 'c', ' '}, m.Network().NewCache(1) // the model's tokens are bytes
	for range 16 {
		out, err := m.Network().Forward(context.Background(), model.Single(ids), cache, model.Want{Logits: model.LogitsLast})
		if err != nil {
			log.Fatal(err)
		}
		best := 0
		for id, logit := range out.Logits {
			if logit > out.Logits[best] {
				best = id
			}
		}
		fmt.Printf("%c", best)
		ids = []int64{int64(best)} // the cache knows the rest
	}
	fmt.Println()
}
