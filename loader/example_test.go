package loader_test

import (
	"fmt"
	"log"

	"github.com/gomamba/gomamba/loader"
)

func ExampleOpen() {
	ck, err := loader.Open("../fixtures/mamba1/default", loader.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer ck.Close()
	for _, p := range ck.Problems() {
		fmt.Println(p.Severity, p.Text)
	}

	b := loader.NewBinder(ck)
	head := b.Take("lm_head.weight")
	aLog := b.Layer(0).Under("mixer.").Take("A_log")
	if err := b.Err(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(ck.Config().Family(), ck.Layout(), len(ck.Tensors()), "tensors, tied:", ck.Tied())
	fmt.Println(head.Name, head.DType, head.Shape)
	fmt.Println(aLog.Name, aLog.DType, aLog.Shape)
	// Output:
	// mamba hf 42 tensors, tied: true
	// backbone.embeddings.weight F32 [128 32]
	// backbone.layers.0.mixer.A_log F32 [64 16]
}
