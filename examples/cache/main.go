// Cache runs a prompt, saves the state after it to a file, and continues from the file.
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
	ids, err := m.Encode("func main() {\n\tfmt.Print")
	if err != nil {
		log.Fatal(err)
	}
	cache := m.Network().NewCache(1)
	out, err := m.Network().Forward(context.Background(), model.Single(ids), cache, model.Want{Logits: model.LogitsLast})
	if err != nil {
		log.Fatal(err)
	}
	if err := m.Network().SaveCache("prompt.safetensors", cache, out.Logits); err != nil {
		log.Fatal(err)
	}

	cache, logits, err := m.Network().LoadCache("prompt.safetensors")
	if err != nil {
		log.Fatal(err)
	}
	g, err := m.Network().NewGenerator(cache, model.Sampling{})
	if err != nil {
		log.Fatal(err)
	}
	if err := g.Resume(logits); err != nil {
		log.Fatal(err)
	}
	for range 4 {
		id, err := g.Next(context.Background())
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%c", id)
	}
	fmt.Println()
}
