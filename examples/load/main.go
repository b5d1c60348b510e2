// Load opens a model and prints what its checkpoint contains.
package main

import (
	"fmt"
	"log"

	"github.com/gomamba/gomamba"
)

func main() {
	m, err := gomamba.Open("box") // or a folder, a file, or OWNER/NAME on the Hugging Face hub
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	ck := m.Checkpoint()
	cfg := ck.Config()
	fmt.Println(ck.Layout(), cfg.Family(), cfg.Shared().NumHiddenLayers, "layers of", cfg.Shared().HiddenSize)
	t, _ := ck.Tensor("backbone.layers.0.mixer.A_log")
	fmt.Println(t.Name, t.DType, t.Shape)
}
