package names

import (
	"strings"

	"github.com/gomamba/gomamba/config"
)

// Factor is a number that some rows of a tensor are multiplied by.
type Factor struct {
	By        float32
	From, End int // rows
}

// Factors returns by what llama.cpp's converter multiplies the tensor of a canonical name, one after the other, to do without the
// multipliers of Falcon-H1 (conversion/falcon_h1.py). A bias is multiplied by what its product is multiplied by, and not by the
// factor of the input, which the converter gets wrong for keys.
func Factors(cfg config.Config, name string) []Factor {
	c, ok := cfg.(*config.FalconH1Config)
	if !ok {
		return nil
	}
	m, sizes := &c.Multipliers, config.SizesOf(cfg)
	_, rest := indexed(name, blockPrefix)
	module, bias := strings.CutSuffix(rest, ".bias")
	module = strings.TrimSuffix(module, ".weight")
	var list []Factor
	add := func(by float64, from, end int) {
		if by != 1 {
			list = append(list, Factor{float32(by), from, end})
		}
	}
	input := func(by float64, rows int) {
		if !bias {
			add(by, 0, rows)
		}
	}
	queries, keys, width := sizes["Q"], sizes["KV"], sizes["D"]
	switch module {
	case strings.TrimSuffix(Embedding, ".weight"):
		add(m.Embedding, 0, sizes["V"])
	case strings.TrimSuffix(Head, ".weight"):
		add(m.Head, 0, sizes["V"])
	case "self_attn.q_proj":
		input(m.AttentionIn, queries)
	case "self_attn.k_proj":
		add(m.Key, 0, keys)
		input(m.AttentionIn, keys)
	case "self_attn.v_proj":
		input(m.AttentionIn, keys)
	case "self_attn.o_proj":
		add(m.AttentionOut, 0, width)
	case "mamba.in_proj":
		inner, states, row := sizes["I"], sizes["G"]*sizes["N"], 0
		input(m.MambaIn, inner+sizes["C"]+sizes["H"])
		for i, n := range []int{inner, inner, states, states, sizes["H"]} {
			add(m.Mamba[i], row, row+n)
			row += n
		}
	case "mamba.out_proj":
		add(m.MambaOut, 0, width)
	case "feed_forward.gate_proj":
		add(m.MLP[0], 0, sizes["F"])
	case "feed_forward.down_proj":
		add(m.MLP[1], 0, width)
	}
	return list
}
