package convert_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// TestAnyThreads writes tensors of many pieces on one thread and on several: the same bytes, in every layout.
func TestAnyThreads(t *testing.T) {
	src := initialised(t, `{"model_type": "mamba", "hidden_size": 32, "vocab_size": 20011, "num_hidden_layers": 1}`, tensor.F32)
	for _, c := range []struct {
		to    convert.Layout
		file  string
		dtype tensor.DType
	}{
		{convert.HF, "model.safetensors", 0},
		{convert.HF, "model.safetensors", tensor.BF16},
		{convert.Original, "pytorch_model.bin", 0},
		{convert.GGUF, ".", tensor.F16},
		{convert.GGUF, ".", tensor.Q8_0},
	} {
		plan, err := convert.NewPlan(openFixture(t, src), convert.Request{To: c.to, DType: c.dtype})
		if err != nil {
			t.Fatal(err)
		}
		var files []string
		for _, threads := range []int{1, 2, 7} {
			dst := filepath.Join(t.TempDir(), "out.gguf")
			total := int64(0)
			opts := convert.Options{Threads: threads, Progress: func(done, _ int64) { total = max(total, done) }}
			if err := plan.Write(context.Background(), dst, opts); err != nil {
				t.Fatal(err)
			}
			if err := plan.Verify(context.Background(), dst, loader.ReadOptions{Threads: threads}); err != nil {
				t.Fatal(err)
			}
			if total != plan.Bytes() {
				t.Errorf("%s: progress ended at %d of %d bytes", c.to, total, plan.Bytes())
			}
			files = append(files, filepath.Join(dst, c.file))
		}
		for _, other := range files[1:] {
			if !sameFile(t, files[0], other) {
				t.Errorf("%s %v: other bytes on several threads", c.to, c.dtype)
			}
		}
	}
}

// TestFirstFailure checks that the first of several tensors that fail is the one that is named, on any threads.
func TestFirstFailure(t *testing.T) {
	cfg := openFixture(t, "../fixtures/mamba1/default").Config()
	var sources []convert.Source
	for _, x := range openFixture(t, "../fixtures/mamba1/default").Tensors() {
		sources = append(sources, convert.Source{Name: x.Name, DType: x.DType, Shape: x.Shape,
			Write: func(func([]byte) error) error { return fmt.Errorf("no %s", x.Name) }})
	}
	for range 20 {
		err := convert.WriteHF(context.Background(), filepath.Join(t.TempDir(), "out"), cfg, sources, convert.Options{Threads: 4})
		if err == nil || !strings.Contains(err.Error(), "no backbone.embeddings.weight") {
			t.Fatal(err)
		}
	}
}
