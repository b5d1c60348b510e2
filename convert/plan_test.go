package convert_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/internal/safetensors/safetensorstest"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

func openFixture(t *testing.T, path string) *loader.Checkpoint {
	t.Helper()
	ck, err := loader.Open(path, loader.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ck.Close() })
	return ck
}

// rewritten copies the default fixture with one element of a tensor replaced.
func rewritten(t *testing.T, name string, value float32) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../fixtures/mamba1/default")); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Open("../fixtures/mamba1/default/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []tensor.Tensor
	for _, w := range f.Tensors() {
		if w.Name == name {
			values := append([]float32(nil), tensor.Float32s(w)...)
			values[3] = value
			w.Data = tensor.Bytes(values)
		}
		all = append(all, w)
	}
	out, err := os.Create(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := safetensorstest.Write(out, all, f.Metadata()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestWhat16BitsCannotHold refuses finite values that would become infinite, and passes those that are infinite.
func TestWhat16BitsCannotHold(t *testing.T) {
	const name = "backbone.layers.1.mixer.D"
	for _, c := range []struct {
		value float32
		dtype tensor.DType
		want  string // in the error; "" for none
	}{
		{65519, tensor.F16, ""}, // rounds down to 65504
		{65520, tensor.F16, name},
		{-1e30, tensor.F16, "element 3 is -1e+30"},
		{float32(math.Inf(1)), tensor.F16, ""},
		{1e30, tensor.BF16, ""},
		{3.396e38, tensor.BF16, ""}, // rounds down to the largest, 3.3895e38
		{3.4e38, tensor.BF16, "beyond the largest BF16, 3.3895314e+38, and would become infinite; use f32"},
	} {
		ck := openFixture(t, rewritten(t, name, c.value))
		plan, err := convert.NewPlan(ck, convert.Request{To: convert.HF, DType: c.dtype})
		if err != nil {
			t.Fatal(err)
		}
		dst := filepath.Join(t.TempDir(), "out")
		err = plan.Write(context.Background(), dst, convert.Options{})
		if c.want == "" {
			if err != nil {
				t.Errorf("%g to %v: %v", c.value, c.dtype, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%g to %v: error %v, want %q", c.value, c.dtype, err, c.want)
		}
		if _, err := os.Stat(dst); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%g to %v: something was left at the destination", c.value, c.dtype)
		}
	}
}

// TestVerifySeesOneBit flips one bit of the result.
func TestVerifySeesOneBit(t *testing.T) {
	ck := openFixture(t, "../fixtures/mamba1/default")
	plan, err := convert.NewPlan(ck, convert.Request{To: convert.HF, DType: tensor.BF16})
	if err != nil {
		t.Fatal(err)
	}
	dst := filepath.Join(t.TempDir(), "out")
	ctx := context.Background()
	if err := plan.Write(ctx, dst, convert.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := plan.Verify(ctx, dst, loader.ReadOptions{}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dst, "model.safetensors")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := plan.Verify(ctx, dst, loader.ReadOptions{}); err == nil || !strings.Contains(err.Error(), "other bits than the source") {
		t.Errorf("error %v, want one about other bits", err)
	}
}

// TestCancelledConversionLeavesNothing stops a conversion half-way.
func TestCancelledConversionLeavesNothing(t *testing.T) {
	ck := openFixture(t, "../fixtures/mamba1/default")
	plan, err := convert.NewPlan(ck, convert.Request{To: convert.HF})
	if err != nil {
		t.Fatal(err)
	}
	parent := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	err = plan.Write(ctx, filepath.Join(parent, "out"), convert.Options{Progress: func(done, total int64) {
		if done > total/2 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	if left, _ := os.ReadDir(parent); len(left) > 0 {
		t.Errorf("%d files were left", len(left))
	}
}
