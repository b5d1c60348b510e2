package loader_test

import (
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/layout/layouttest"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// TestMamba2Variants recognises by their tensors the models that its code can make with blocks of other kinds.
func TestMamba2Variants(t *testing.T) {
	for name, test := range map[string]struct {
		change func(c *layouttest.Checkpoint)
		want   string
	}{
		"attention": {func(c *layouttest.Checkpoint) { // with a convolution of its own, as in mamba2attn-2.7b
			c.Drop("layers.1.mixer.")
			c.Add("backbone.layers.1.mixer.in_proj.weight", tensor.F32, 96, 32)
			c.Add("backbone.layers.1.mixer.conv1d.weight", tensor.F32, 96, 1, 4)
			c.Add("backbone.layers.1.mixer.conv1d.bias", tensor.F32, 96)
			c.Add("backbone.layers.1.mixer.out_proj.weight", tensor.F32, 32, 32)
		}, `found a hybrid model: 1 block (1) has projections but no A_log`},
		"Mamba-3": {func(c *layouttest.Checkpoint) { c.Add("backbone.layers.0.mixer.B_bias", tensor.F32, 8, 1, 16) }, `found Mamba-3 blocks, config.json says that the model is a mamba2`},
	} {
		t.Run(name, func(t *testing.T) {
			c := layouttest.LoadFrom(t, "../fixtures/mamba2/default")
			test.change(c)
			err := open(t, c.Write(t), loader.Options{}).Check()
			if err == nil || isUnsupported(t, err) != (name == "attention") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q, an UnsupportedError unless a family has such blocks", err, test.want)
			}
		})
	}
}
