package compare_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gomamba/gomamba/compare"
	"github.com/gomamba/gomamba/loader"
)

// check ends an example whose work failed.
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Two checkpoints, whatever their layouts: do they hold the same model?
func ExampleDiff() {
	a, err := loader.Open("../fixtures/mamba1/default", loader.Options{})
	check(err)
	defer a.Close()
	b, err := loader.Open("../fixtures/mamba1/eps", loader.Options{})
	check(err)
	defer b.Close()

	d, err := compare.Diff(context.Background(), a, b, loader.ReadOptions{})
	check(err)
	fmt.Println("the same model:", d.Identical)
	// Output: the same model: false
}
