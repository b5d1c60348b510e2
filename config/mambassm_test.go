package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/badfile"
)

// mamba2attn is the config.json of state-spaces/mamba2attn-2.7b.
const mamba2attn = `{
    "d_model": 2560,
    "d_intermediate": 0,
    "n_layer": 64,
    "vocab_size": 50277,
    "ssm_cfg": {
        "layer": "Mamba2"
    },
    "attn_layer_idx": [
        9,
        18,
        27,
        36,
        45,
        56
    ],
    "attn_cfg": {
        "causal": true,
        "d_conv": 4,
        "head_dim": 128,
        "num_heads": 30,
        "out_proj_bias": false,
        "qkv_proj_bias": false,
        "rotary_emb_dim": 64
    },
    "rms_norm": true,
    "residual_in_fp32": true,
    "fused_add_norm": true,
    "pad_vocab_size_multiple": 16,
    "tie_embeddings": true
}
`

// TestMamba2Attn reads a published configuration, and writes it back to the byte.
func TestMamba2Attn(t *testing.T) {
	c, err := ParseOriginal("config.json", []byte(mamba2attn))
	if err != nil {
		t.Fatal(err)
	}
	m := c.(*MambaSSMConfig)
	if m.Shared().VocabSize != 50288 || m.DInner() != 5120 || m.KeyHeads != 30 || m.Channels() != 11520 || m.MLPWidth() != 0 {
		t.Errorf("%+v", m)
	}
	for i, layer := range Blocks(c) {
		want := BlockMamba2
		if i == 9 || i == 18 || i == 27 || i == 36 || i == 45 || i == 56 {
			want = BlockMHA
		}
		if len(layer) != 1 || layer[0] != want {
			t.Errorf("layer %d is %v, want %s", i, layer, want)
		}
	}
	text, err := c.Clone().EncodeOriginal()
	if err != nil || string(text) != mamba2attn {
		t.Errorf("written as %s, error %v", text, err)
	}
	for layout, encode := range map[string]func() ([]byte, error){"transformers": c.EncodeHF, "mistral": c.EncodeMistral} {
		var unsupported *badfile.UnsupportedError
		if _, err := encode(); !errors.As(err, &unsupported) || unsupported.Where != "attn_layer_idx" || !strings.Contains(err.Error(), layout) {
			t.Errorf("%s: error %v", layout, err)
		}
	}
}

// TestAttentionRefused gives values of attn_cfg and beside it that make no model, or one that gomamba does not run.
func TestAttentionRefused(t *testing.T) {
	for keys, want := range map[string]string{
		`"attn_layer_idx": [0, 4], "attn_cfg": {"causal": true, "num_heads": 2}`: "attn_layer_idx: found layer 4, expected 0 to 3",
		`"attn_layer_idx": [-1], "attn_cfg": {"causal": true, "num_heads": 2}`:   "attn_layer_idx: found layer -1",
		`"attn_layer_idx": 1`:                                                 "attn_layer_idx: found 1, expected a list",
		`"attn_layer_idx": ["1"]`:                                             "attn_layer_idx",
		`"attn_layer_idx": [1]`:                                               "attn_cfg.causal: found false, which is also what its absence means",
		`"attn_layer_idx": [1], "attn_cfg": [1]`:                              "attn_cfg: found",
		`"attn_layer_idx": [1], "attn_cfg": {"causal": true}`:                 "attn_cfg.num_heads: missing",
		`"attn_layer_idx": [1], "attn_cfg": {"causal": true, "num_heads": 5}`: "attn_cfg.head_dim: missing, and num_heads 5 does not divide d_model 32",
		`"attn_layer_idx": [1], "attn_cfg": {"causal": true, "num_heads": 4, "num_heads_kv": 3}`:     "attn_cfg.num_heads_kv: found 3, which does not divide num_heads 4",
		`"attn_layer_idx": [1], "attn_cfg": {"causal": true, "num_heads": 4, "rotary_emb_dim": 10}`:  "attn_cfg.rotary_emb_dim: found 10, expected an even number of at most head_dim 8",
		`"attn_layer_idx": [1], "attn_cfg": {"causal": true, "num_heads": 4, "rotary_emb_dim": 3}`:   "attn_cfg.rotary_emb_dim: found 3",
		`"attn_layer_idx": [1], "attn_cfg": {"causal": true, "num_heads": 4, "rotary_emb_base": 0}`:  "attn_cfg.rotary_emb_base: found 0",
		`"attn_layer_idx": [1], "attn_cfg": {"causal": true, "num_heads": 4, "softmax_scale": 0}`:    "attn_cfg.softmax_scale: found 0, expected a number other than 0, of less than 1e30, or null",
		`"attn_layer_idx": [1], "attn_cfg": {"causal": true, "num_heads": 4, "d_conv": -1}`:          "attn_cfg.d_conv: found -1",
		`"attn_layer_idx": [1], "attn_cfg": {"causal": true, "num_heads": 4, "dropout": 0.1}`:        "attn_cfg.dropout: unknown key",
		`"attn_layer_idx": [1], "attn_cfg": {"causal": true, "num_heads": 65536, "head_dim": 65536}`: "attn_cfg.num_heads: found 65536 heads of 65536 channels, which is too wide",
		`"d_intermediate": -1`:   "d_intermediate: found -1",
		`"d_intermediate": null`: "d_intermediate",
		`"rms_norm": "no"`:       "rms_norm",
	} {
		_, err := ParseOriginal("config.json", []byte(`{"d_model": 32, "n_layer": 4, "vocab_size": 8, `+keys+`}`))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "config.json: ") {
			t.Errorf("%s: error %v, want %q", keys, err, want)
		}
	}
}
