package names

import "github.com/gomamba/gomamba/config"

// The blocks of Falcon-H1 (transformers 5.24, models/falcon_h1/modeling_falcon_h1.py), of which attention stands beside Mamba-2,
// after one norm.
var (
	falconH1Names = hybrid{
		prefix: "model.", embedding: "embed_tokens.weight", norm: "final_layernorm.weight", steps: ones, padded: true,
		modules: []string{
			"feed_forward", "mamba.dt_bias", "mamba.A_log", "mamba.D", "mamba.conv1d", "mamba.in_proj", "mamba.norm", "mamba.out_proj",
			"self_attn", "input_layernorm", "pre_ff_layernorm",
		},
	}
	falconH1Blocks = []kind{
		{config.BlockMamba2, &falconH1Mamba2}, {config.BlockAttention, &falconH1Attention}, {config.BlockSwiGLU, &falconH1MLP},
	}

	falconH1Mamba2    = falconH1Mixer()
	falconH1Attention = attentionUnder("", "self_attn.", "attention_bias").inOrder()
	falconH1MLP       = swiGLUUnder("pre_ff_layernorm.weight", "ffn_norm", "feed_forward.", "mlp_bias")
)

// falconH1Mixer is Mamba-2 that may do without its norm, with a switch of its own for the bias of out_proj.
func falconH1Mixer() block {
	b := mamba2Under("input_layernorm.weight", "mamba.", "mamba_proj_bias", "mamba_conv_bias")
	for i := range b.rows {
		switch r := &b.rows[i]; r.name {
		case "mamba.norm.weight":
			r.when = "mamba_rms_norm"
		case "mamba.out_proj.bias":
			r.when = "projectors_bias"
		}
	}
	return b
}

// swiGLUUnder is SwiGLU after a norm, which has a name of its own in GGUF, and under a prefix, with the switch of its biases.
func swiGLUUnder(norm, gguf, under, bias string) block {
	b := block{title: "SwiGLU blocks", norm: norm, under: under}
	b.rows = append(b.rows, row{name: norm, shape: dims{"D"}, init: ones, gguf: place{name: gguf, f32: true}})
	for _, p := range []struct {
		name  string
		shape dims
	}{{"gate", dims{"=F", "D"}}, {"up", dims{"F", "D"}}, {"down", dims{"D", "F"}}} {
		b.rows = append(b.rows,
			row{name: under + p.name + "_proj.weight", shape: p.shape, gguf: place{name: "ffn_" + p.name + ".weight"}},
			row{name: under + p.name + "_proj.bias", shape: dims{p.shape[0][len(p.shape[0])-1:]}, init: zeros, when: bias, gguf: place{name: "ffn_" + p.name + ".bias", f32: true}})
	}
	return b
}
