package convert_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/loader"
)

// A conversion: plan, write, read back and compare every bit.
func ExampleNewPlan() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ck, err := loader.Open("../fixtures/mamba1/default", loader.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer ck.Close()

	plan, err := convert.NewPlan(ck, convert.Request{To: convert.GGUF})
	if err != nil {
		log.Fatal(err) // names what the layout cannot hold
	}
	ctx, dst := context.Background(), filepath.Join(dir, "model.gguf")
	if err := plan.Write(ctx, dst, convert.Options{}); err != nil {
		log.Fatal(err)
	}
	if err := plan.Verify(ctx, dst, 0, nil); err != nil {
		log.Fatal(err)
	}
	first := plan.Steps[0]
	fmt.Println(len(plan.Steps), "tensors;", first.From, "is now", first.To)
	// Output: 42 tensors; backbone.embeddings.weight is now token_embd.weight
}

// Two checkpoints, whatever their layouts: do they hold the same model?
func ExampleDiff() {
	var pair [2]*loader.Checkpoint
	for i, path := range []string{"../fixtures/mamba1/default", "../fixtures/mamba1/eps"} {
		ck, err := loader.Open(path, loader.Options{})
		if err != nil {
			log.Fatal(err)
		}
		defer ck.Close()
		pair[i] = ck
	}
	d, err := convert.Diff(context.Background(), pair[0], pair[1], 0, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the same model:", d.Identical)
	// Output: the same model: false
}
