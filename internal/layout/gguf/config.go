package gguf

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/gguf"
)

// keys are the keys of a file as package config reads them.
type keys struct{ *gguf.File }

// Has reports whether the file has the key.
func (k keys) Has(key string) bool {
	_, ok := k.Lookup(key)
	return ok
}

// Ints returns the numbers of an array, or the one that there is.
func (k keys) Ints(key string) ([]int64, error) {
	if v, _ := k.Lookup(key); v.Kind() != gguf.KindArray {
		n, err := k.Int(key)
		return []int64{n}, err
	}
	return k.File.Ints(key)
}

// parseConfig reads the configuration of f, which messages call file. vocab is the number of rows of token_embd.weight; tied says
// that f has no output.weight. Errors are those of config.ParseGGUF.
func parseConfig(file string, f *gguf.File, vocab int, tied bool) (config.Config, error) {
	has := func(ending string) bool {
		return slices.ContainsFunc(f.Tensors(), func(t gguf.Tensor) bool { return strings.HasSuffix(t.Name, ending) })
	}
	gate := 0
	if i := slices.IndexFunc(f.Tensors(), func(t gguf.Tensor) bool { return strings.HasSuffix(t.Name, ".ffn_gate.weight") && len(t.Shape) == 2 }); i >= 0 {
		gate = f.Tensors()[i].Shape[0]
	}
	return config.ParseGGUF(file, keys{f}, config.GGUFTensors{Vocab: vocab, Tied: tied, Gate: gate, Routers: routers(f),
		ConvBias: has(".ssm_conv1d.bias"), AttentionBias: has(".attn_q.bias"), MLPBias: has(".ffn_up.bias"), MixerNorm: has(".ssm_norm.weight")})
}

// routers returns the layers that have a router of experts.
func routers(f *gguf.File) map[int]bool {
	layers := make(map[int]bool)
	for _, t := range f.Tensors() {
		layer, isRouter := strings.CutSuffix(strings.TrimPrefix(t.Name, "blk."), ".ffn_gate_inp.weight")
		if n, err := strconv.Atoi(layer); isRouter && err == nil {
			layers[n] = true
		}
	}
	return layers
}

// encodeConfig returns the keys that hold a configuration, and those of gomamba's own, which stand last in a file. Errors are
// those of config.EncodeGGUF.
func encodeConfig(cfg config.Config) (keys, own []gguf.KV, err error) {
	model, ours, err := config.EncodeGGUF(cfg)
	if err != nil {
		return nil, nil, err
	}
	return stored(model), stored(ours), nil
}

func stored(keys []config.GGUFKey) []gguf.KV {
	kvs := make([]gguf.KV, len(keys))
	for i, k := range keys {
		kvs[i].Key = k.Key
		switch v := k.Value.(type) {
		case uint32:
			kvs[i].Value = gguf.Of(v)
		case float32:
			kvs[i].Value = gguf.Of(v)
		case bool:
			kvs[i].Value = gguf.Of(v)
		case string:
			kvs[i].Value = gguf.Of(v)
		case []int32:
			kvs[i].Value = gguf.ArrayOf(v)
		default:
			panic(fmt.Sprintf("gguf: %s is a %T", k.Key, v))
		}
	}
	return kvs
}
