// Stream prints text while the model generates it.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/gomamba/gomamba"
)

func main() {
	m, err := gomamba.Open("box")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	how := gomamba.Sampling{Temperature: 0.7, TopP: 0.9, Seed: 1, Stop: []string{"\n}"}}
	for piece, err := range m.Generate(context.Background(), "func (r *Reader) ", how) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(piece)
	}
	fmt.Println()
}
