package convert_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/torchbin"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// TestThroughOriginalAndBack takes checkpoints to the original layout and back: the same bytes, and every value of the
// configuration.
func TestThroughOriginalAndBack(t *testing.T) {
	for _, name := range []string{"default", "bf16", "f16", "untied", "usebias", "noconvbias", "expand3", "oddstate", "dtrank", "resid16", "sharded"} {
		src, dir := "../fixtures/mamba1/"+name, t.TempDir()
		there := converted(t, src, filepath.Join(dir, "there"), convert.Request{To: convert.Original})
		back := converted(t, there, filepath.Join(dir, "back"), convert.Request{To: convert.HF})
		again := converted(t, back, filepath.Join(dir, "again"), convert.Request{To: convert.Original})
		if a, b := settings(t, src), settings(t, back); a != b {
			t.Errorf("%s: the configuration was\n%s\nand came back as\n%s", name, a, b)
		}
		if name != "sharded" && !sameFile(t, filepath.Join(src, "model.safetensors"), filepath.Join(back, "model.safetensors")) {
			t.Errorf("%s: model.safetensors came back as other bytes", name)
		}
		for _, file := range []string{"config.json", "pytorch_model.bin"} {
			if !sameFile(t, filepath.Join(there, file), filepath.Join(again, file)) {
				t.Errorf("%s: %s is not the same after another round", name, file)
			}
		}
		if x, y := logits(t, src), logits(t, there); !bytes.Equal(tensor.Bytes(x), tensor.Bytes(y)) {
			t.Errorf("%s: the original layout computes other bits", name)
		}
	}
}

// TestOriginalIsWhatMambaSSMTakes checks config.json against the keys of mamba_ssm's MambaConfig, which refuses others,
// and that a tied head is the embedding's storage.
func TestOriginalIsWhatMambaSSMTakes(t *testing.T) {
	dst := converted(t, "../fixtures/mamba1/oddstate", filepath.Join(t.TempDir(), "x"), convert.Request{To: convert.Original})
	text, err := os.ReadFile(filepath.Join(dst, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		t.Fatal(err)
	}
	want := []string{"d_model", "d_intermediate", "n_layer", "vocab_size", "ssm_cfg", "attn_layer_idx", "attn_cfg", "rms_norm",
		"residual_in_fp32", "fused_add_norm", "pad_vocab_size_multiple", "tie_embeddings"}
	for key := range keys {
		if !slices.Contains(want, key) {
			t.Errorf("config.json has the key %s", key)
		}
	}
	if len(keys) != len(want) {
		t.Errorf("config.json has %d keys, want %d", len(keys), len(want))
	}
	var ssm map[string]any
	if err := json.Unmarshal(keys["ssm_cfg"], &ssm); err != nil || ssm["d_state"] != 11.0 {
		t.Errorf("ssm_cfg is %s (%v), want a d_state of 11 among others", keys["ssm_cfg"], err)
	}
	f, err := torchbin.Open(filepath.Join(dst, "pytorch_model.bin"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	head, _ := f.Tensor("lm_head.weight")
	embedding, _ := f.Tensor("backbone.embedding.weight")
	if len(head.Data) == 0 || &head.Data[0] != &embedding.Data[0] {
		t.Error("the tied head has a storage of its own")
	}
	var order []string
	for _, e := range f.Tensors()[:5] {
		order = append(order, strings.TrimPrefix(e.Name, "backbone."))
	}
	if got := strings.Join(order, " "); got != "embedding.weight layers.0.mixer.A_log layers.0.mixer.D layers.0.mixer.in_proj.weight layers.0.mixer.conv1d.weight" {
		t.Errorf("state dict begins with %s", got)
	}
}

// TestWhatOriginalCannotHold is refused by key.
func TestWhatOriginalCannotHold(t *testing.T) {
	for fixture, key := range map[string]string{"eps": "layer_norm_epsilon", "innersize": "intermediate_size"} {
		_, err := convert.NewPlan(openFixture(t, "../fixtures/mamba1/"+fixture), convert.Request{To: convert.Original})
		var unsupported *badfile.UnsupportedError
		if !errors.As(err, &unsupported) || unsupported.Where != key || unsupported.File == "" {
			t.Errorf("%s: error %v, want an UnsupportedError about %s", fixture, err, key)
		}
	}
}

// TestRoundTheHouse goes Hugging Face, original, GGUF, Hugging Face.
func TestRoundTheHouse(t *testing.T) {
	src, dir := "../fixtures/mamba1/bf16", t.TempDir()
	original := converted(t, src, filepath.Join(dir, "original"), convert.Request{To: convert.Original})
	file := converted(t, original, filepath.Join(dir, "x.gguf"), convert.Request{To: convert.GGUF})
	hf := converted(t, file, filepath.Join(dir, "hf"), convert.Request{To: convert.HF})
	if !sameFile(t, filepath.Join(src, "model.safetensors"), filepath.Join(hf, "model.safetensors")) {
		t.Error("model.safetensors came back as other bytes")
	}
	if a, b := settings(t, src), settings(t, hf); a != b {
		t.Errorf("the configuration was\n%s\nand came back as\n%s", a, b)
	}
}

// TestTrustTensors repairs a configuration that contradicts the weights, and only when told to.
func TestTrustTensors(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../fixtures/mamba1/default")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wrong := string(text)
	for was, is := range map[string]string{`"hidden_size": 32`: `"hidden_size": 48`, `"state_size": 16`: `"state_size": 8`,
		`"num_hidden_layers": 4`: `"num_hidden_layers": 3`, `"use_bias": false`: `"use_bias": true`} {
		if !strings.Contains(wrong, was) {
			t.Fatalf("config.json has no %s", was)
		}
		wrong = strings.Replace(wrong, was, is, 1)
	}
	if err := os.WriteFile(path, []byte(wrong), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := openFixture(t, dir).Check(); err == nil || !strings.Contains(err.Error(), "hidden_size") {
		t.Errorf("error %v, want one about hidden_size", err)
	}
	ck, err := loader.Open(dir, loader.Options{TrustTensors: true})
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	if err := ck.Check(); err != nil {
		t.Fatal(err)
	}
	repaired, err := ck.Config().EncodeHF()
	if err != nil {
		t.Fatal(err)
	}
	if want := settings(t, "../fixtures/mamba1/default"); string(repaired) != want {
		t.Errorf("rebuilt\n%s\nwant\n%s", repaired, want)
	}
	if n := len(ck.Problems()); n != 4 {
		t.Errorf("%d warnings, want one for each of 4 keys", n)
	}
}

// TestDamagedPyTorchFileIsNoticed flips one bit of a weight, which only the archive's checksum shows.
func TestDamagedPyTorchFileIsNoticed(t *testing.T) {
	src := converted(t, "../fixtures/mamba1/default", filepath.Join(t.TempDir(), "src"), convert.Request{To: convert.Original})
	path := filepath.Join(src, "pytorch_model.bin")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	embedding, _ := openFixture(t, "../fixtures/mamba1/default").Tensor("backbone.embeddings.weight")
	at := bytes.Index(data, embedding.Data)
	if at < 0 {
		t.Fatal("the embedding's bytes are not in the file")
	}
	data[at+5] ^= 1
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	plan, err := convert.NewPlan(openFixture(t, src), convert.Request{To: convert.HF})
	if err != nil {
		t.Fatal(err)
	}
	dst := filepath.Join(t.TempDir(), "dst")
	if err := plan.Write(context.Background(), dst, convert.Options{}); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("error %v, want one that says damaged", err)
	}
	if err := plan.Write(context.Background(), dst, convert.Options{SkipChecksums: true}); err != nil {
		t.Error(err)
	}
}
