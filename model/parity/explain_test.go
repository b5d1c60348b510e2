package parity_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/internal/safetensors/safetensorstest"
	"github.com/gomamba/gomamba/model/parity"
	"github.com/gomamba/gomamba/tensor"
)

var families = []string{"mamba1", "falcon", "mamba2"}

// TestSixteenBits judges what transformers computes in 16-bit arithmetic by what that explains: an honest dump passes, and
// one of a network with a mistake does not.
func TestSixteenBits(t *testing.T) {
	for _, family := range families {
		for name, dtype := range map[string]string{"bf16": "BF16", "f16": "F16"} {
			for mistake, want := range map[string]parity.Verdict{"": parity.RoundingOnly, "-no-skip": parity.Different, "-swapped": parity.Different} {
				ref := family + "-" + name + mistake + ".safetensors"
				r := verify(t, filepath.Join(fixtureDir, family, "default"), filepath.Join(fixtureDir, "precision", ref), nil)
				if r.Verdict != want || r.Arithmetic != dtype {
					t.Errorf("%s: %s in %q, expected %s in %s", ref, r.Verdict, r.Arithmetic, want, dtype)
				}
				if want == parity.Different && r.FirstDivergence.Layer != 1 {
					t.Errorf("%s: blamed %+v, the mistake is in layer 1", ref, r.FirstDivergence)
				}
			}
		}
	}
}

// TestRescaled explains what transformers computes after it has divided out_proj.weight, and explains nothing when the
// configuration does not ask for that.
func TestRescaled(t *testing.T) {
	for _, family := range families {
		from, ref := filepath.Join(fixtureDir, family, "default"), filepath.Join(fixtureDir, "precision", family+"-rescaled.safetensors")
		if r := verify(t, from, ref, nil); r.Verdict != parity.Different || r.Hint != "" {
			t.Errorf("%s: %s, explained by %q", family, r.Verdict, r.Hint)
		}
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "config.json")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte(`"rescale_prenorm_residual": false`), []byte(`"rescale_prenorm_residual": true`))
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		if r := verify(t, dir, ref, nil); r.Verdict != parity.Different || !strings.Contains(r.Hint, "rescale_prenorm_residual") {
			t.Errorf("%s: %s, explained by %q", family, r.Verdict, r.Hint)
		}
		if r := verify(t, dir, filepath.Join(from, "ref-short.safetensors"), nil); !r.Passed || r.Hint != "" {
			t.Errorf("%s as it is: %s, explained by %q", family, r.Verdict, r.Hint)
		}
	}
}

// TestStoredDType runs a checkpoint in the dtype that it is stored in, which transformers does by default. The residual stream
// is added up in float32, so that hidden states alone do not show it: then the difference stays one, and is explained.
func TestStoredDType(t *testing.T) {
	dir, ref := filepath.Join(fixtureDir, "mamba1", "bf16"), filepath.Join(fixtureDir, "precision", "stored-bf16.safetensors")
	if r := verify(t, dir, ref, nil); r.Verdict != parity.RoundingOnly || r.Arithmetic != "BF16" {
		t.Errorf("%s in %q", r.Verdict, r.Arithmetic)
	}
	hidden := renamed(t, ref, func(name string) string {
		if strings.HasPrefix(name, "hidden_states.") || name == dump.InputIDs {
			return name
		}
		return ""
	})
	if r := verify(t, dir, hidden, nil); r.Verdict != parity.Different || r.Arithmetic != "" || !strings.Contains(r.Hint, "dtype=torch.float32") {
		t.Errorf("hidden states alone: %s in %q, explained by %q", r.Verdict, r.Arithmetic, r.Hint)
	}
}

// TestNames reports every tensor that is not compared. One that was meant to be keeps the rest from passing.
func TestNames(t *testing.T) {
	dir := filepath.Join(fixtureDir, "mamba1", "default")
	for _, c := range []struct {
		rename       map[string]string
		want         parity.Verdict
		name, meant  string
		reason       string
		tensorsFewer int
	}{
		{map[string]string{"hidden_states.0": "hidden_state.0"}, parity.NotComparable, "hidden_state.0", "hidden_states.0", "did you mean hidden_states.0?", 1},
		{map[string]string{"logits": "lm_logits"}, parity.NotComparable, "lm_logits", "logits", "did you mean logits?", 1},
		{map[string]string{"hidden_states.1": "labels"}, parity.RoundingOnly, "labels", "", "", 1},
		{map[string]string{"input_ids": "inputs_ids"}, parity.NotComparable, "inputs_ids", "input_ids", "did you mean input_ids?", 14},
	} {
		ref := renamed(t, filepath.Join(dir, "ref.safetensors"), func(name string) string {
			if to, ok := c.rename[name]; ok {
				return to
			}
			return name
		})
		r := verify(t, dir, ref, nil)
		if r.Verdict != c.want || r.Passed != (c.want == parity.RoundingOnly) || len(r.Tensors) != 14-c.tensorsFewer {
			t.Errorf("%v: %s of %d tensors, passed %v, expected %s", c.rename, r.Verdict, len(r.Tensors), r.Passed, c.want)
		}
		if want := (parity.Foreign{Name: c.name, Meant: c.meant}); len(r.NotCompared) != 1 || r.NotCompared[0] != want {
			t.Errorf("%v: not compared %+v, expected %+v", c.rename, r.NotCompared, want)
		}
		if !strings.Contains(r.Reason, c.reason) || c.reason == "" && r.Reason != "" {
			t.Errorf("%v: reason %q", c.rename, r.Reason)
		}
	}

	nothing := renamed(t, filepath.Join(dir, "ref.safetensors"), func(name string) string {
		if name == dump.InputIDs {
			return name
		}
		return "x." + strings.NewReplacer("hidden", "h", "logits", "l", "states", "s").Replace(name) + ".x"
	})
	if r := verify(t, dir, nothing, nil); r.Verdict != parity.NotComparable || len(r.NotCompared) != 14 || len(r.Tensors) != 0 {
		t.Errorf("nothing known: %s, %d tensors not compared", r.Verdict, len(r.NotCompared))
	}

	// The right name beside it: what is extra was not meant.
	twice := renamed(t, filepath.Join(dir, "ref.safetensors"), func(name string) string { return strings.Replace(name, "hidden_states.2", "logit", 1) })
	if r := verify(t, dir, twice, nil); r.Verdict != parity.RoundingOnly || r.NotCompared[0] != (parity.Foreign{Name: "logit"}) {
		t.Errorf("logit beside logits: %s, not compared %+v", r.Verdict, r.NotCompared)
	}
}

// renamed copies a dump with other names; a tensor with an empty name is left out.
func renamed(t *testing.T, from string, to func(name string) string) string {
	t.Helper()
	f, err := safetensors.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var tensors []tensor.Tensor
	for _, w := range f.Tensors() {
		if w.Name = to(w.Name); w.Name != "" {
			tensors = append(tensors, w)
		}
	}
	path := filepath.Join(t.TempDir(), "renamed.safetensors")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(safetensorstest.Write(file, tensors, nil), file.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFloor judges a full pass of transformers in which it raises dt, which is explained, and is what a network with the same
// floor computes.
func TestFloor(t *testing.T) {
	dir := filepath.Join(fixtureDir, "nemotron", "floor")
	ref := filepath.Join(dir, "ref.safetensors")
	if r := verify(t, dir, ref, nil); r.Verdict != parity.RoundingOnly || !strings.Contains(r.Hint, "time_step_min, 0.02") {
		t.Errorf("%s, explained by %q", r.Verdict, r.Hint)
	}
	if r := verify(t, dir, filepath.Join(fixtureDir, "nemotron", "dense", "ref.safetensors"), nil); r.Verdict != parity.Different || r.Hint != "" {
		t.Errorf("of another model: %s, explained by %q", r.Verdict, r.Hint)
	}
}

// TestHybridBlame names the block that computes a hidden state of hybrids, which stands one later than in other families.
func TestHybridBlame(t *testing.T) {
	moe, latent := filepath.Join(fixtureDir, "nemotron", "moe"), filepath.Join(fixtureDir, "nemotron", "unnormed", "ref.safetensors")
	for left, want := range map[string]parity.Divergence{
		"":              {Tensor: dump.HiddenState(0), Layer: -1},
		"hidden_states": {Tensor: dump.State(dump.ConvStates, 0), Layer: 0},
	} {
		ref := renamed(t, latent, func(name string) string {
			if left != "" && strings.HasPrefix(name, left) {
				return ""
			}
			return name
		})
		r := verify(t, moe, ref, nil)
		if d := r.FirstDivergence; d == nil || d.Tensor != want.Tensor || d.Layer != want.Layer {
			t.Errorf("without %q: blamed %+v", left, d)
		}
	}
}
