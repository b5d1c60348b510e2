package config

import (
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
)

// MegatronArgs are the arguments of a run of Megatron-LM, as its checkpoints keep them; ok is false for one that is not there, is
// None or is of another type.
type MegatronArgs interface {
	Has(name string) bool
	Int(name string) (n int, ok bool)
	Float(name string) (v float64, ok bool)
	Bool(name string) (on, ok bool)
	Text(name string) (s string, ok bool)
}

// MegatronTensors is what the tensors of such a checkpoint show.
type MegatronTensors struct {
	Vocab, Width  int
	Layers        []Block // BlockMamba2, BlockAttention or BlockMLP
	Inner, Heads  int     // I and H of Mamba-2 layers
	GroupedStates int     // G·N
	Kernel        int     // K
	Feed          int     // F of MLPs
	Queries       int     // columns of linear_proj
	Fused         int     // rows of linear_qkv: queries, keys and values
	Tied          bool
	DType         string // of the embedding
}

// What Megatron had built in before it had arguments for it (megatron/core/ssm/mamba_mixer.py).
const (
	megatronStates = 128
	megatronGroups = 8
	megatronEps    = 1e-5 // of the gated norm, to this day
)

// ParseMegatron returns the configuration of a checkpoint of Megatron-LM's Mamba: Mamba-2 if all layers are, and otherwise the
// network that transformers calls Nemotron-H. Errors are *badfile.FormatError and *badfile.UnsupportedError, with the file.
func ParseMegatron(file string, args MegatronArgs, t MegatronTensors) (Config, error) {
	c, err := parseMegatron(args, t)
	if err == nil {
		err = c.Validate()
	}
	return c, inFile(file, err)
}

func parseMegatron(args MegatronArgs, t MegatronTensors) (Config, error) {
	if err := refuseMegatron(args, t); err != nil {
		return nil, err
	}
	mixer, states, err := megatronMixer(args, t)
	if err != nil {
		return nil, err
	}
	if pure := !slices.ContainsFunc(t.Layers, func(b Block) bool { return b != BlockMamba2 }); pure && t.Inner%t.Width == 0 {
		c := NewMamba2()
		takeMegatron(&c.Common, args, t, states)
		c.Expand, c.TieWordEmbeddings = t.Inner/t.Width, t.Tied
		c.NumHeads, c.HeadDim, c.NGroups, c.ChunkSize = mixer.MambaNumHeads, mixer.MambaHeadDim, mixer.NGroups, mixer.ChunkSize
		c.TimeStepRank = (t.Width + 15) / 16
		return c, nil
	}
	c := NewNemotronH()
	takeMegatron(&c.Common, args, t, states)
	c.Layers, c.Mixer2 = t.Layers, mixer
	if t.Feed > 0 {
		c.IntermediateSize, c.MLPHiddenAct = t.Feed, "gelu"
		if on, _ := args.Bool("squared_relu"); on {
			c.MLPHiddenAct = "relu2"
		}
	}
	if t.Fused > 0 {
		c.QueryHeads, err = megatronHeads(args, t)
	}
	return c, err
}

// takeMegatron sets what all families have. Which ids begin and end a text, the arguments do not say.
func takeMegatron(c *Common, args MegatronArgs, t MegatronTensors, states int) {
	c.VocabSize, c.HiddenSize, c.StateSize, c.NumHiddenLayers, c.DType = t.Vocab, t.Width, states, len(t.Layers), t.DType
	if t.Kernel > 0 {
		c.ConvKernel = t.Kernel
	}
	c.PadTokenID, c.BosTokenID, c.EosTokenID = nil, nil, TokenIDs{}
	c.LayerNormEpsilon = megatronEpsilon(args)
	c.ResidualInFP32, _ = args.Bool("fp32_residual_connection")
}

// megatronEpsilon is that of the norms before blocks.
func megatronEpsilon(args MegatronArgs) float64 {
	for _, name := range []string{"norm_epsilon", "layernorm_epsilon"} {
		if v, ok := args.Float(name); ok {
			return v
		}
	}
	return megatronEps
}

// megatronMixer divides the channels of Mamba-2 layers into heads, groups and states.
func megatronMixer(args MegatronArgs, t MegatronTensors) (m Mixer2, states int, err error) {
	fresh := NewNemotronH()
	if t.Heads == 0 {
		return fresh.Mixer2, fresh.StateSize, nil
	}
	states, groups := megatronStates, megatronGroups
	if n, ok := args.Int("mamba_state_dim"); ok {
		states = n
	}
	if n, ok := args.Int("mamba_num_groups"); ok {
		groups = n
	}
	if states < 1 || groups < 1 || t.GroupedStates%groups != 0 || t.GroupedStates/groups != states {
		return m, 0, formatError("args", "mamba_num_groups %d and mamba_state_dim %d do not make up the %d channels that the convolution has for B", groups, states, t.GroupedStates)
	}
	if t.Inner%t.Heads != 0 {
		return m, 0, formatError("args", "A_log has %s, which do not divide the %d channels of the mixer", badfile.Count(t.Heads, "head"), t.Inner)
	}
	return Mixer2{MambaNumHeads: t.Heads, MambaHeadDim: t.Inner / t.Heads, NGroups: groups, ChunkSize: fresh.ChunkSize}, states, nil
}

// megatronHeads divides the rows of linear_qkv.
func megatronHeads(args MegatronArgs, t MegatronTensors) (h QueryHeads, err error) {
	n, ok := args.Int("num_attention_heads")
	if !ok || n < 1 || t.Queries%n != 0 {
		return h, formatError("args", "num_attention_heads does not divide the %d columns of linear_proj", t.Queries)
	}
	h = QueryHeads{NumAttentionHeads: n, NumKeyValueHeads: n, HeadDim: t.Queries / n}
	if grouped, _ := args.Bool("group_query_attention"); grouped {
		h.NumKeyValueHeads, _ = args.Int("num_query_groups")
	}
	if h.NumKeyValueHeads < 1 || h.NumKeyValueHeads > n || (n+2*h.NumKeyValueHeads)*h.HeadDim != t.Fused {
		return h, formatError("args", "%d heads of %d channels with keys and values in num_query_groups %d do not make up the %d rows of linear_qkv",
			n, h.HeadDim, h.NumKeyValueHeads, t.Fused)
	}
	return h, nil
}

// refuseMegatron names the first argument that asks for another network than the two families have.
func refuseMegatron(args MegatronArgs, t MegatronTensors) error {
	attends, feeds := slices.Contains(t.Layers, BlockAttention), t.Feed > 0
	refuse := func(name, found, expected string) error {
		return unsupported("args", "%s: found %s, expected %s: no family of transformers has such layers beside Mamba-2", name, found, expected)
	}
	if norm, _ := args.Text("normalization"); args.Has("normalization") && norm != "RMSNorm" {
		return refuse("normalization", badfile.Quote(norm), `"RMSNorm"`)
	}
	if eps := megatronEpsilon(args); t.Heads > 0 && float32(eps) != megatronEps {
		return refuse("norm_epsilon", formatFloat(eps), "1e-05, which the gated norm has")
	}
	switches := []struct {
		name    string
		matters bool
	}{
		{"swiglu", feeds}, {"quick_geglu", feeds}, {"openai_gelu", feeds}, {"onnx_safe", feeds}, {"use_mup", true},
		{"apply_residual_connection_post_layernorm", true}, {"multi_latent_attention", attends},
	}
	for _, s := range switches {
		if on, _ := args.Bool(s.name); on && s.matters {
			return refuse(s.name, "true", "false")
		}
	}
	if !attends {
		return nil
	}
	if positions, _ := args.Text("position_embedding_type"); args.Has("position_embedding_type") && positions != "none" {
		return refuse("position_embedding_type", badfile.Quote(positions), `"none"`)
	}
	if softmax, _ := args.Text("softmax_type"); args.Has("softmax_type") && softmax != "vanilla" {
		return refuse("softmax_type", badfile.Quote(softmax), `"vanilla"`)
	}
	for _, name := range []string{"window_size", "experimental_attention_variant"} {
		if args.Has(name) {
			return refuse(name, "a value", "None")
		}
	}
	return nil
}

// MegatronPattern returns the layers that a pattern of Megatron's letters stands for, one for each layer. Bars between the stages of
// a pipeline do not count.
func MegatronPattern(pattern string) (layers []Block, err error) {
	for _, letter := range pattern {
		if letter == '|' {
			continue
		}
		kind, known := nemotronLetters[letter]
		if !known || kind == BlockMoE || len(layers) == maxLayers {
			return nil, unsupported("args", "hybrid_layer_pattern: found %s, expected M (Mamba-2), * (attention) and - (MLP), a letter for each of at most %d layers",
				badfile.Quote(fmt.Sprintf("%c", letter)), maxLayers)
		}
		layers = append(layers, kind)
	}
	return layers, nil
}
