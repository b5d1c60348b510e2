package megatron

import (
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/names"
)

// The names of Megatron's tensors. Norms lie in the matrix behind them, with Transformer Engine, or by themselves.
const (
	nameLayers    = "decoder.layers."
	nameEmbedding = "embedding.word_embeddings.weight"
	nameNorm      = "decoder.final_norm.weight"
	nameHead      = "output_layer.weight"
	nameFused     = "self_attention.linear_qkv.weight"
)

// renamed is the tensor of a block under the name that it has here, within a layer.
type renamed struct {
	here  string
	there []string // the current spelling first
	norm  bool     // with a weight that may be stored less one
}

// blocks are the tensors of the blocks, the one that shows which block it is first. Fused queries, keys and values are not among
// them.
var blocks = map[config.Block][]renamed{
	config.BlockMamba2: {
		{here: "mixer.A_log", there: []string{"mixer.A_log"}},
		{here: "norm.weight", there: []string{"mixer.in_proj.layer_norm_weight", "norm.weight"}, norm: true},
		{here: "mixer.in_proj.weight", there: []string{"mixer.in_proj.weight"}},
		{here: "mixer.conv1d.weight", there: []string{"mixer.conv1d.weight", "mixer.conv1d_weight"}},
		{here: "mixer.conv1d.bias", there: []string{"mixer.conv1d.bias", "mixer.conv1d_bias"}},
		{here: "mixer.dt_bias", there: []string{"mixer.dt_bias"}},
		{here: "mixer.D", there: []string{"mixer.D"}},
		{here: "mixer.norm.weight", there: []string{"mixer.norm.weight"}},
		{here: "mixer.out_proj.weight", there: []string{"mixer.out_proj.weight"}},
	},
	config.BlockAttention: {
		{here: "mixer.o_proj.weight", there: []string{"self_attention.linear_proj.weight"}},
		{here: "norm.weight", there: []string{"self_attention.linear_qkv.layer_norm_weight", "input_layernorm.weight"}, norm: true},
	},
	config.BlockMLP: {
		{here: "mixer.down_proj.weight", there: []string{"mlp.linear_fc2.weight"}},
		{here: "norm.weight", there: []string{"mlp.linear_fc1.layer_norm_weight", "pre_mlp_layernorm.weight"}, norm: true},
		{here: "mixer.up_proj.weight", there: []string{"mlp.linear_fc1.weight"}},
	},
}

// fused are the matrices of queries, keys and values.
var fused = []string{"mixer.q_proj.weight", "mixer.k_proj.weight", "mixer.v_proj.weight"}

// layerOf splits the name of a tensor of a layer; below 0, it is not of one.
func layerOf(name string) (layer int, rest string) {
	after, ok := strings.CutPrefix(name, nameLayers)
	digits, rest, found := strings.Cut(after, ".")
	n, err := strconv.Atoi(digits)
	if !ok || !found || err != nil || n < 0 || strconv.Itoa(n) != digits {
		return -1, name
	}
	return n, rest
}

// outside are the tensors outside of the layers.
func outside(name string) (here string, norm, ok bool) {
	switch name {
	case nameEmbedding:
		return names.Embedding, false, true
	case nameNorm:
		return names.FinalNorm, true, true
	case nameHead:
		return names.Head, false, true
	}
	return "", false, false
}

// storedName returns the name that Megatron has today for a tensor.
func storedName(cfg config.Config, name string) string {
	for _, there := range []string{nameEmbedding, nameNorm, nameHead} {
		if here, _, _ := outside(there); here == name {
			return there
		}
	}
	digits, rest, ok := strings.Cut(strings.TrimPrefix(name, names.Blocks), ".")
	layer, err := strconv.Atoi(digits)
	layers := config.Blocks(cfg)
	if !strings.HasPrefix(name, names.Blocks) || !ok || err != nil || layer < 0 || layer >= len(layers) {
		return name
	}
	if slices.Contains(fused, rest) {
		return nameLayers + digits + "." + nameFused
	}
	for _, r := range blocks[layers[layer][0]] {
		if r.here == rest {
			return nameLayers + digits + "." + r.there[0]
		}
	}
	return name
}
