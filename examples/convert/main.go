// Convert writes a model as a GGUF file with 8-bit weights, and verifies it.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/gomamba/gomamba"
	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

func main() {
	m, err := gomamba.Open("box")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	plan, err := convert.NewPlan(m.Checkpoint(), convert.Request{To: convert.GGUF, DType: tensor.Q8_0})
	if err != nil {
		log.Fatal(err)
	}
	if err := plan.Write(context.Background(), "box-q8_0.gguf", convert.Options{}); err != nil {
		log.Fatal(err)
	}
	if err := plan.Verify(context.Background(), "box-q8_0.gguf", loader.ReadOptions{}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(plan.Steps), "tensors,", plan.Bytes(), "bytes")
}
