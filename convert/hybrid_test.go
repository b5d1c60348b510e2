package convert

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// What predicts further tokens is not part of the network that transformers runs. A copy keeps it.
func TestFurtherTokens(t *testing.T) {
	cfg, sources := sourcesOf(t, "../fixtures/nemotron/moe")
	values := tensor.Bytes(make([]float32, 24))
	sources = append(sources, Source{Name: "mtp.layers.0.norm.weight", DType: tensor.F32, Shape: []int{24},
		Write: func(emit func([]byte) error) error { return emit(values) }})
	src, dst := filepath.Join(t.TempDir(), "src"), filepath.Join(t.TempDir(), "dst")
	if err := WriteHF(context.Background(), src, cfg, sources, Options{}); err != nil {
		t.Fatal(err)
	}
	ck, err := loader.Open(src, loader.Options{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	if problems := ck.Problems(); len(problems) > 0 || len(ck.Further()) != 1 {
		t.Errorf("problems %v, further tensors %v", problems, ck.Further())
	}
	plan, err := NewPlan(ck, Request{To: HF})
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Write(context.Background(), dst, Options{}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, dst, filenames.ModelFile), read(t, src, filenames.ModelFile)) {
		t.Error("a copy is another file")
	}
}

// Published hybrids have some tensors in float32 beside matrices of 16 bits. They come back from GGUF, which has all vectors in
// float32, as they were, though 16 bits would hold their values.
func TestFloat32ComesBack(t *testing.T) {
	cfg, sources := sourcesOf(t, "../fixtures/nemotron/sharded")
	ones := make([]float32, 6)
	for i := range ones {
		ones[i] = 1
	}
	for i := range sources {
		if sources[i].Name == "backbone.layers.0.mixer.D" {
			sources[i].DType = tensor.F32
			sources[i].Write = func(emit func([]byte) error) error { return emit(tensor.Bytes(ones)) }
		}
	}
	dir := t.TempDir()
	src, file, back := filepath.Join(dir, "src"), filepath.Join(dir, "m.gguf"), filepath.Join(dir, "back")
	if err := WriteHF(context.Background(), src, cfg, sources, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, way := range []struct {
		from, to string
		layout   Layout
	}{{src, file, GGUF}, {file, back, HF}} {
		ck, err := loader.Open(way.from, loader.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer ck.Close()
		plan, err := NewPlan(ck, Request{To: way.layout})
		if err != nil {
			t.Fatal(err)
		}
		if err := plan.Write(context.Background(), way.to, Options{}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(read(t, back, filenames.ModelFile), read(t, src, filenames.ModelFile)) {
		t.Error("the way back gives another file")
	}
}
