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

// Quantize: a file type of llama-quantize, and another dtype for some tensors. Rows of 32 are too short for most blocks.
func ExampleParseRecipe() {
	dir, err := os.MkdirTemp("", "")
	check(err)
	defer os.RemoveAll(dir)
	ck, err := loader.Open("../fixtures/mamba1/default", loader.Options{})
	check(err)
	defer ck.Close()

	recipe, _ := convert.ParseRecipe("q4_k_m")
	exact, err := convert.ParseTensorType("ssm_out=f16")
	check(err)
	plan, err := convert.NewPlan(ck, convert.Request{To: convert.GGUF, Recipe: recipe, TensorTypes: []convert.TensorType{exact}})
	check(err)
	for _, s := range plan.Steps {
		if s.To == "blk.0.ssm_in.weight" || s.To == "blk.0.ssm_out.weight" {
			fmt.Println(s.To, s.Shape, s.DType)
		}
	}
	fmt.Println(plan.Notes[1])
	check(plan.Write(context.Background(), filepath.Join(dir, "model.gguf"), convert.Options{}))
	// Output:
	// blk.0.ssm_in.weight [128 32] Q5_0
	// blk.0.ssm_out.weight [32 64] F16
	// 8 matrices written as Q5_0, not Q4_K: row length not a multiple of 256
}
