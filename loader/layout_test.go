package loader_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/layout/layouttest"
	"github.com/gomamba/gomamba/loader"
)

// TestMLXConvolution opens a checkpoint whose convolutions are [channels, kernel, 1], as mlx-lm stores them.
func TestMLXConvolution(t *testing.T) {
	c := layouttest.Load(t)
	for i := range c.Tensors {
		if x := &c.Tensors[i]; strings.HasSuffix(x.Name, "conv1d.weight") {
			x.Shape = []int{x.Shape[0], x.Shape[2], 1}
		}
	}
	ck, err := loader.Open(c.Write(t), loader.Options{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	if err := ck.Check(); err != nil {
		t.Fatal(err)
	}
	problems := ck.Problems()
	if len(problems) != 1 || problems[0].Severity != loader.Warning || !strings.Contains(problems[0].Text, "MLX") {
		t.Errorf("problems %v, want one warning that names MLX", problems)
	}
	plain, err := loader.Open(layouttest.Fixtures+"/default", loader.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	const name = "backbone.layers.1.mixer.conv1d.weight"
	x, _ := ck.Tensor(name)
	y, _ := plain.Tensor(name)
	if !bytes.Equal(x.Data, y.Data) || x.Shape[1] != 1 {
		t.Errorf("%s is %v, and its bytes equal: %v", name, x.Shape, bytes.Equal(x.Data, y.Data))
	}
	for _, listed := range ck.Tensors() {
		if listed.Name == name && listed.Shape[1] != 4 {
			t.Errorf("listed as %v, stored as [64, 4, 1]", listed.Shape)
		}
	}
}
