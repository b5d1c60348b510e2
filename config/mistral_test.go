package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/hostile"
)

// codestralParams is the params.json of Mamba-Codestral-7B.
const codestralParams = `{"dim": 4096, "n_layers": 64, "vocab_size": 32768, "n_groups": 8, "rms_norm": true, "residual_in_fp32": true,
	"fused_add_norm": true, "pad_vocab_size_multiple": 1, "tie_embeddings": false, "model_type": "mamba"}`

// TestParseMistral reads Codestral's parameters; all the rest is mamba_ssm's default: that is what transformers'
// own defaults describe too, but for the tokens.
func TestParseMistral(t *testing.T) {
	if !IsMistral([]byte(codestralParams)) || IsOriginal([]byte(codestralParams)) {
		t.Error("not recognised")
	}
	c, err := ParseMistral("params.json", []byte(codestralParams))
	if err != nil {
		t.Fatal(err)
	}
	if got := Differing(c, NewMamba2()); strings.Join(got, " ") != "pad_token_id bos_token_id fused_add_norm pad_vocab_size_multiple" {
		t.Errorf("other than Mamba2Config(): %v", got)
	}
	text, err := c.EncodeMistral()
	if err != nil {
		t.Fatal(err)
	}
	squeeze := strings.NewReplacer(" ", "", "\n", "", "\t", "")
	if squeeze.Replace(string(text)) != squeeze.Replace(codestralParams) {
		t.Errorf("written as\n%s", text)
	}
}

func TestParseMistralRefuses(t *testing.T) {
	edit := func(old, new string) string { return strings.Replace(codestralParams, old, new, 1) }
	for _, test := range []struct {
		text        string
		unsupported bool
		want        string
	}{
		{`{"dim": 4096, "n_layers": 32, "head_dim": 128}`, true, "n_groups: missing: these are the parameters of another architecture"},
		{edit(`"n_layers": 64, `, ``), false, "n_layers: missing"},
		{edit(`true, "residual`, `false, "residual`), true, "rms_norm: found false"},
		{edit(`"mamba"`, `"transformer"`), true, "model_type: found"},
		{edit(`: 8,`, `: 3,`), false, "n_groups: found 3, which does not divide"},
		{edit(`4096`, `33`), false, "dim: found 33, expected a multiple of 32"},
		{edit(`: 64,`, `: 0,`), false, "n_layers: found 0"},
		{edit(`"dim"`, `"attn_layer_idx": [3], "dim"`), true, "attn_layer_idx"},
		{edit(`"dim"`, `"quantization_config": {}, "dim"`), true, "already quantized"},
		{`[]`, false, "expected an object"},
	} {
		_, err := ParseMistral("params.json", []byte(test.text))
		var unsupported *badfile.UnsupportedError
		if err == nil || errors.As(err, &unsupported) != test.unsupported || !strings.HasPrefix(err.Error(), "params.json: ") ||
			!strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v (%T), want %q", test.text, err, err, test.want)
		}
	}
}

func FuzzParseMistral(f *testing.F) {
	for _, seed := range hostile.Seeds("params.json") {
		f.Add(seed)
	}
	for _, seed := range []string{
		codestralParams, `{}`, `{"dim":32,"n_groups":1}`,
		strings.Replace(codestralParams, "4096", "268435456", 1), strings.Replace(codestralParams, ": 8", ": 65536", 1),
		strings.Replace(codestralParams, `"dim"`, `"x":[NaN,{}],"dim"`, 1), strings.Replace(codestralParams, ": 1,", ": 268435456,", 1),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseMistral("x", data)
		if err != nil {
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("accepted and not valid: %v", err)
		}
		text, err := c.EncodeMistral()
		if err != nil {
			t.Fatalf("accepted and not written: %v", err)
		}
		again, err := ParseMistral("x", text)
		if err != nil {
			t.Fatalf("written and not read: %v\n%s", err, text)
		}
		if err := Agree("x", c, "y", again); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	})
}
