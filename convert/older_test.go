package convert_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/internal/layout/layouttest"
)

// TestOlderNames reads Jamba under the names of AI21's own code, which transformers does not find: they are written as
// save_pretrained has them.
func TestOlderNames(t *testing.T) {
	for _, model := range []string{"moe", "dense"} {
		src := filepath.Join("../fixtures/jamba", model)
		c := layouttest.LoadFrom(t, src)
		c.Rename(func(name string) string {
			name = strings.NewReplacer("mamba.b_", "mamba.B_", "mamba.c_", "mamba.C_", "pre_ff_", "pre_moe_", "feed_forward.experts", "moe.experts",
				"feed_forward.router", "moe.router", "feed_forward.", "moe.experts.0.").Replace(name)
			return name
		})
		dst := converted(t, c.Write(t), place(t, convert.HF), convert.Request{To: convert.HF})
		if !sameFile(t, filepath.Join(src, "model.safetensors"), filepath.Join(dst, "model.safetensors")) {
			t.Errorf("%s: other weights than save_pretrained writes", model)
		}
	}
}
