package loader

import (
	"bytes"
	"strings"
	"testing"
)

// TestMLXConvolution opens a checkpoint whose convolutions are [channels, kernel, 1], as mlx-lm stores them.
func TestMLXConvolution(t *testing.T) {
	c := load(t)
	for i := range c.tensors {
		if x := &c.tensors[i]; strings.HasSuffix(x.Name, "conv1d.weight") {
			x.Shape = []int{x.Shape[0], x.Shape[2], 1}
		}
	}
	ck, err := Open(c.write(t), Options{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	if err := ck.Check(); err != nil {
		t.Fatal(err)
	}
	problems := ck.Problems()
	if len(problems) != 1 || problems[0].Severity != Warning || !strings.Contains(problems[0].Text, "MLX") {
		t.Errorf("problems %v, want one warning that names MLX", problems)
	}
	plain, err := Open(fixtures+"/default", Options{})
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
