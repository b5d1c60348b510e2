package config

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/hostile"
)

func FuzzParseHF(f *testing.F) {
	for _, seed := range hostile.Seeds("config.json") {
		f.Add(seed)
	}
	f.Add(readTestdata(f, "mamba-130m-hf.json"))
	f.Add(readTestdata(f, "defaults.json"))
	for _, seed := range []string{
		``, `{`, `{}`, `{"model_type":"mamba"}`, "\ufeff{\"model_type\":\"mamba\"}",
		`{"model_type":"mamba","hidden_size":33,"time_step_rank":"auto","expand":3}`,
		`{"model_type":"mamba","hidden_size":268435456,"expand":1,"vocab_size":268435456}`,
		`{"model_type":"mamba","eos_token_id":[0,-1],"pad_token_id":null,"bos_token_id":null}`,
		`{"model_type":"mamba","eos_token_id":[]}`,
		`{"model_type":"mamba","time_step_max":Infinity,"time_step_min":{"__float__":"-Infinity"},"x":NaN}`,
		`{"model_type":"mamba","layer_norm_epsilon":1e-400,"time_step_scale":1e400,"x":-0,"y":-0.0}`,
		`{"model_type":"mamba","a":{"b":[[],{},[{"c":"\ud83d\ude00\u0000"}]]},"\u0061b":"\/"}`,
		`{"model_type":"mamba","a":1,"a":2}`,
		`{"architectures":["MambaForCausalLM","\u00e9"],"dtype":"half","torch_dtype":"torch.float32"}`,
		`{"model_type":"mamba","rms_norm":true,"d_intermediate":0,"attn_layer_idx":[],"quantization_config":null}`,
		`{"model_type":"mamba2","time_step_limit":[0.0,Infinity]}`,
		`{"model_type":"mamba2","hidden_size":40,"num_heads":10,"head_dim":8,"n_groups":5,"time_step_limit":[1e-3,{"__float__":"Infinity"}]}`,
		`{"model_type":"mamba2","num_heads":8192,"head_dim":1,"state_size":65536,"n_groups":8192,"norm_before_gate":null}`,
		`{"model_type":"falcon_mamba","mixer_rms_eps":0,"use_falcon_mambapy":true}`, `{"model_type":"mamba","use_bcdt_rms":true}`,
		`{"d_model":768,"n_layer":24,"ssm_cfg":{}}`, `{"dim":4096,"n_layers":64,"n_groups":8}`,
		"{\"model_type\":\"mamba\",\"\xff\":1}", `{"model_type":"mamba","x":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseHF("config.json", data)
		if err != nil {
			oneLine(t, err)
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("accepted but invalid: %v", err)
		}
		s := c.Shared()
		if c.DInner() < 1 || c.DInner() > maxWidth || s.HiddenSize < 1 || s.NumHiddenLayers < 1 || s.NumHiddenLayers > maxLayers {
			t.Fatalf("accepted out of bounds: %+v", c)
		}
		reencode(t, c)
	})
}

// FuzzParseGGUF feeds the keys of arbitrary GGUF files. A configuration that is accepted is valid, and comes back from its
// own keys where it can be written.
func FuzzParseGGUF(f *testing.F) {
	for _, seed := range hostile.Seeds(".gguf") {
		f.Add(seed, 16, true)
	}
	f.Fuzz(func(t *testing.T, data []byte, vocab int, tied bool) {
		file, err := gguf.Parse("fuzz", data)
		if err != nil {
			return
		}
		c, err := ParseGGUF("fuzz", file, vocab, tied)
		if err != nil {
			oneLine(t, err)
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("accepted but invalid: %v", err)
		}
		keys, own, err := c.EncodeGGUF()
		if err != nil {
			return // what llama.cpp has no keys for
		}
		var b memory
		arch := gguf.KV{Key: ggufArchitecture, Value: gguf.Of(Architecture(c))}
		w, err := gguf.NewWriter(&b, slices.Concat([]gguf.KV{arch}, keys, own), nil)
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		written, err := gguf.Parse("again", b)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseGGUF("again", written, c.Shared().VocabSize, c.Shared().TieWordEmbeddings)
		if err != nil {
			t.Fatalf("written and not read: %v", err)
		}
		if !reflect.DeepEqual(c.Clone(), again) {
			t.Fatalf("%+v came back as %+v", c, again)
		}
	})
}

// memory is a file in memory.
type memory []byte

func (m *memory) WriteAt(p []byte, at int64) (int, error) {
	if end := int(at) + len(p); end > len(*m) {
		*m = append(*m, make([]byte, end-len(*m))...)
	}
	return copy((*m)[at:], p), nil
}

// oneLine checks what every message must be.
func oneLine(t *testing.T, err error) {
	t.Helper()
	_, format := errors.AsType[*badfile.FormatError](err)
	_, unsupported := errors.AsType[*badfile.UnsupportedError](err)
	if text := err.Error(); !format && !unsupported || len(text) > 1500 || strings.ContainsFunc(text, unicode.IsControl) {
		t.Fatalf("%T: %q", err, text)
	}
}
