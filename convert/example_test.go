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

// check ends an example whose work failed.
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Convert: plan, write, read back and compare every bit. The plan names what the layout cannot hold.
func ExampleNewPlan() {
	dir, err := os.MkdirTemp("", "")
	check(err)
	defer os.RemoveAll(dir)
	ck, err := loader.Open("../fixtures/mamba1/default", loader.Options{})
	check(err)
	defer ck.Close()

	plan, err := convert.NewPlan(ck, convert.Request{To: convert.GGUF})
	check(err)
	ctx, dst := context.Background(), filepath.Join(dir, "model.gguf")
	check(plan.Write(ctx, dst, convert.Options{}))
	check(plan.Verify(ctx, dst, loader.ReadOptions{}))
	fmt.Println(len(plan.Steps), "tensors;", plan.Steps[0].From, "is now", plan.Steps[0].To)
	// Output: 42 tensors; backbone.embeddings.weight is now token_embd.weight
}
