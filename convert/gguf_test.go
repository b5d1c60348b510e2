package convert_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/tensor"
)

// converted writes a checkpoint in another layout and checks the result bit by bit.
func converted(t *testing.T, src, dst string, req convert.Request) string {
	t.Helper()
	plan, err := convert.NewPlan(openFixture(t, src), req)
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Write(context.Background(), dst, convert.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := plan.Verify(context.Background(), dst, loader.ReadOptions{}); err != nil {
		t.Fatal(err)
	}
	return dst
}

func sameFile(t *testing.T, a, b string) bool {
	t.Helper()
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(x, y)
}

// settings are a checkpoint's configuration as config.json states it.
func settings(t *testing.T, path string) string {
	t.Helper()
	text, err := openFixture(t, path).Config().EncodeHF()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestThroughGGUFAndBack takes checkpoints to GGUF and back: the same bits, 16-bit weights included, but for A_log of
// float32, whose exponential GGUF stores; and every value of the configuration.
func TestThroughGGUFAndBack(t *testing.T) {
	for _, name := range []string{"default", "bf16", "f16", "untied", "noconvbias", "oddstate", "dtrank", "eps", "smalldt"} {
		src, dir := "../fixtures/mamba1/"+name, t.TempDir()
		there := converted(t, src, filepath.Join(dir, "there.gguf"), convert.Request{To: convert.GGUF})
		back := converted(t, there, filepath.Join(dir, "back"), convert.Request{To: convert.HF})
		again := converted(t, back, filepath.Join(dir, "again.gguf"), convert.Request{To: convert.GGUF})

		if a, b := settings(t, src), settings(t, back); a != b {
			t.Errorf("%s: the configuration was\n%s\nand came back as\n%s", name, a, b)
		}
		before, after := openFixture(t, src), openFixture(t, back)
		for _, w := range before.Tensors() {
			r, ok := after.Tensor(w.Name)
			if !ok || r.DType != w.DType {
				t.Errorf("%s: %s %v came back as %v (%v)", name, w.Name, w.DType, r.DType, ok)
				continue
			}
			if !bytes.Equal(w.Data, r.Data) && (w.DType != tensor.F32 || !strings.HasSuffix(w.Name, "A_log")) {
				t.Errorf("%s: %s came back with other bits", name, w.Name)
			}
		}
		if len(after.Tensors()) != len(before.Tensors()) {
			t.Errorf("%s: %d tensors came back as %d", name, len(before.Tensors()), len(after.Tensors()))
		}
		if !sameTensors(t, there, again) {
			t.Errorf("%s: GGUF to Hugging Face to GGUF changed bits", name)
		}
		if x, y := logits(t, src), logits(t, there); !bytes.Equal(tensor.Bytes(x), tensor.Bytes(y)) {
			t.Errorf("%s: the GGUF file computes other bits", name)
		}
	}
}

// sameTensors compares all of two GGUF files but their names.
func sameTensors(t *testing.T, a, b string) bool {
	t.Helper()
	x, err := gguf.Open(a)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	y, err := gguf.Open(b)
	if err != nil {
		t.Fatal(err)
	}
	defer y.Close()
	for i, w := range x.Tensors() {
		if i >= len(y.Tensors()) || y.Tensors()[i].Name != w.Name || y.Tensors()[i].Type != w.Type || !bytes.Equal(y.Tensors()[i].Data, w.Data) {
			return false
		}
	}
	return len(x.Tensors()) == len(y.Tensors())
}

// logits runs a few tokens.
func logits(t *testing.T, path string) []float32 {
	t.Helper()
	m, err := model.New(openFixture(t, path), model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	out, err := m.Forward(context.Background(), model.Single([]int64{1, 2, 3, 5, 8}), m.NewCache(1), model.Want{Logits: model.LogitsAll})
	if err != nil {
		t.Fatal(err)
	}
	return out.Logits
}

// TestSameInputSameBytes converts twice.
func TestSameInputSameBytes(t *testing.T) {
	dir := t.TempDir()
	a := converted(t, "../fixtures/mamba1/f16", filepath.Join(dir, "a.gguf"), convert.Request{To: convert.GGUF})
	b := converted(t, "../fixtures/mamba1/f16", filepath.Join(dir, "b.gguf"), convert.Request{To: convert.GGUF})
	if !sameFile(t, a, b) {
		t.Error("the same input gave other bytes")
	}
}

// TestWhatGGUFCannotHold is refused by key, before anything is written.
func TestWhatGGUFCannotHold(t *testing.T) {
	for _, c := range []struct {
		fixture, want string
		dtype         tensor.DType
	}{
		{"usebias", "use_bias", 0},
		{"expand3", "intermediate_size", 0},
		{"default", "F64", tensor.F64},
	} {
		_, err := convert.NewPlan(openFixture(t, "../fixtures/mamba1/"+c.fixture), convert.Request{To: convert.GGUF, DType: c.dtype})
		var unsupported *badfile.UnsupportedError
		if !errors.As(err, &unsupported) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want an UnsupportedError that names %s", c.fixture, err, c.want)
		}
	}
}

// TestKeysOfLlamaCpp checks keys, types and order against what llama.cpp's converter writes, and that a file with its
// keys alone can be read.
func TestKeysOfLlamaCpp(t *testing.T) {
	dir := t.TempDir()
	f, err := gguf.Open(converted(t, "../fixtures/mamba1/f16", filepath.Join(dir, "x.gguf"), convert.Request{To: convert.GGUF}))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var got []string
	for _, kv := range f.KVs() {
		got = append(got, kv.Key+" "+kv.Value.Kind().String())
	}
	want := []string{
		"general.architecture str", "general.type str", "general.name str", "general.size_label str",
		"mamba.context_length u32", "mamba.embedding_length u32", "mamba.feed_forward_length u32", "mamba.attention.head_count u32",
		"mamba.block_count u32", "mamba.ssm.conv_kernel u32", "mamba.ssm.inner_size u32", "mamba.ssm.state_size u32",
		"mamba.ssm.time_step_rank u32", "mamba.attention.layer_norm_rms_epsilon f32", "mamba.ssm.dt_b_c_rms bool",
		"general.file_type u32", "general.quantization_version u32", "mamba.vocab_size u32", "tokenizer.ggml.model str",
		"gomamba.config str",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("keys\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if kind, err := f.Uint("general.file_type"); err != nil || kind != 1 {
		t.Errorf("file type %d (%v), want 1, mostly F16", kind, err)
	}
	bare := filepath.Join(dir, "bare.gguf")
	withoutOwnKey(t, f, bare)
	cfg := openFixture(t, bare).Config().(*config.MambaConfig)
	if cfg.LayerNormEpsilon != 1e-5 || cfg.Expand != 2 || cfg.HiddenSize != 24 && cfg.HiddenSize != 32 {
		t.Errorf("from llama.cpp's keys alone: %+v", cfg)
	}
}

// llama.cpp has one epsilon for all norms of a FalconMamba: without our own key that is the one of dt, B and C too.
func TestEpsilonOfLlamaCpp(t *testing.T) {
	dir := t.TempDir()
	cfg := openFixture(t, "../fixtures/falcon/default").Config().(*config.FalconMambaConfig)
	f, err := gguf.Open(converted(t, "../fixtures/falcon/default", filepath.Join(dir, "x.gguf"), convert.Request{To: convert.GGUF}))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	bare := filepath.Join(dir, "bare.gguf")
	withoutOwnKey(t, f, bare)
	got := openFixture(t, bare).Config().(*config.FalconMambaConfig)
	if cfg.MixerRMSEps == cfg.LayerNormEpsilon || got.MixerRMSEps != cfg.LayerNormEpsilon {
		t.Errorf("mixer_rms_eps %v, want %v", got.MixerRMSEps, cfg.LayerNormEpsilon)
	}
}

// TestScaledWeights applies a scale of a whole weight, and ignores one that is for activations.
func TestScaledWeights(t *testing.T) {
	f, err := gguf.Open("../fixtures/quantized/codes.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := func(extra ...gguf.Tensor) []float32 {
		path := filepath.Join(t.TempDir(), "x.gguf")
		writeGGUF(t, path, f.KVs(), append(slices.Clone(f.Tensors()), extra...))
		ck := openFixture(t, path)
		w, ok := ck.Tensor("backbone.layers.1.mixer.in_proj.weight")
		if err := ck.Check(); err != nil || !ok || w.Type() != "NVFP4" {
			t.Fatal(w.Type(), err)
		}
		return tensor.Float32s(w)
	}
	one := func(name string, v ...float32) gguf.Tensor {
		return gguf.Tensor{Name: name, Shape: []int{len(v)}, Data: tensor.Bytes(v)}
	}
	plain := in(one("blk.1.ssm_in.input_scale", 3))
	for i, v := range in(one("blk.1.ssm_in.scale", 0.3)) {
		if v != plain[i]*0.3 {
			t.Fatalf("element %d is %v, want %v times 0.3", i, v, plain[i])
		}
	}
	path := filepath.Join(t.TempDir(), "x.gguf")
	writeGGUF(t, path, f.KVs(), append(slices.Clone(f.Tensors()), one("blk.1.ssm_in.scale", 1, 2)))
	if _, err := loader.Open(path, loader.Options{}); err == nil || !strings.Contains(err.Error(), `"blk.1.ssm_in.scale": found F32 [2], expected F32 with one number`) {
		t.Error(err)
	}
}

// withoutOwnKey copies a file, leaving out the key that only gomamba writes.
func withoutOwnKey(t *testing.T, f *gguf.File, path string) {
	t.Helper()
	kvs := f.KVs()
	writeGGUF(t, path, kvs[:len(kvs)-1], f.Tensors())
}

func writeGGUF(t *testing.T, path string, kvs []gguf.KV, tensors []gguf.Tensor) {
	t.Helper()
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	var entries []gguf.Entry
	for _, w := range tensors {
		entries = append(entries, gguf.Entry{Name: w.Name, Type: w.Type, Shape: w.Shape})
	}
	w, err := gguf.NewWriter(out, kvs, entries)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range tensors {
		if err := w.WriteAt(x.Name, 0, x.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestVocabulary turns a byte-level tokenizer.json into llama.cpp's keys, and says what it cannot turn.
func TestVocabulary(t *testing.T) {
	const head = `{"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
		"added_tokens": [{"id": 0, "content": "<end>", "special": true}, {"id": 4, "content": "  ", "special": false}], "model": `
	for _, c := range []struct{ name, text, note string }{
		{"merges as text", head + `{"type": "BPE", "vocab": {"<end>": 0, "a": 1, "b": 2, "ab": 3}, "merges": ["a b", "Ġ a"]}}`, ""},
		{"merges as pairs", head + `{"type": "BPE", "vocab": {"<end>": 0, "a": 1, "b": 2, "ab": 3}, "merges": [["a", "b"], ["Ġ", "a"]]}}`, ""},
		{"another model", strings.Replace(head, "ByteLevel", "Metaspace", 1) + `{"type": "BPE", "vocab": {}, "merges": []}}`, "no text"},
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS("../fixtures/mamba1/default")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		plan, err := convert.NewPlan(openFixture(t, dir), convert.Request{To: convert.GGUF})
		if err != nil {
			t.Fatal(err)
		}
		if notes := strings.Join(plan.Notes, " "); !strings.Contains(notes, c.note) || c.note == "" && notes != "" {
			t.Errorf("%s: notes %q", c.name, notes)
		}
		dst := filepath.Join(t.TempDir(), "x.gguf")
		if err := plan.Write(context.Background(), dst, convert.Options{}); err != nil {
			t.Fatal(err)
		}
		f, err := gguf.Open(dst)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if c.note != "" {
			if n, err := f.Uint("mamba.vocab_size"); err != nil || n != 128 {
				t.Errorf("%s: vocabulary of %d ids (%v), want 128", c.name, n, err)
			}
			continue
		}
		tokens, err1 := f.Strings("tokenizer.ggml.tokens")
		types, err2 := f.Ints("tokenizer.ggml.token_type")
		merges, err3 := f.Strings("tokenizer.ggml.merges")
		if err := errors.Join(err1, err2, err3); err != nil || len(tokens) != 128 || len(types) != 128 {
			t.Fatalf("%s: %d tokens, %d types (%v)", c.name, len(tokens), len(types), err)
		}
		if got := strings.Join(tokens[:6], "|"); got != "<end>|a|b|ab|  |[PAD5]" {
			t.Errorf("%s: tokens %s", c.name, got)
		}
		if types[0] != 3 || types[1] != 1 || types[4] != 4 || types[5] != 5 {
			t.Errorf("%s: token types %v", c.name, types[:6])
		}
		if got := strings.Join(merges, "|"); got != "a b|Ġ a" {
			t.Errorf("%s: merges %s", c.name, got)
		}
	}
}
