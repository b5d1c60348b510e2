// Tokenize shows how a model sees a text.
package main

import (
	"fmt"
	"log"
	"os"

	"github.com/gomamba/gomamba/text"
)

func main() {
	t, err := text.Open(os.Args[1]) // a tokenizer.json, a SentencePiece model, a GGUF file, or a folder with one
	if err != nil {
		log.Fatal(err)
	}
	ids := t.Encode("Mamba is a state space model", true)
	for _, id := range ids {
		fmt.Printf("%d %q\n", id, t.Piece(id))
	}
	fmt.Println(t.Decode(ids, true))
}
