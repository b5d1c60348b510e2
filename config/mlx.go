package config

import (
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
)

// mlxLM is how mlx-lm (0.32, mlx_lm/models) has a family: it reads transformers' config.json, but demands other keys and computes
// some models otherwise.
type mlxLM struct {
	// writable refuses by key a model that mlx-lm would compute otherwise.
	writable func(c Config) error
	// stated are keys that it demands, or takes for something else if they are not stated so. They stand in place of what the
	// file has.
	stated func(c Config) []Extra
	added  []string // those of them that transformers does not have, or no longer: a copy for that is without
	// read makes of a configuration in a file of mlx-lm that of the weights beside it.
	read func(c Config) error
}

// Keys that mlx-lm demands, though it needs some of them for nothing.
const (
	keyInner     = "intermediate_size"
	keyPositions = "max_position_embeddings"
	keyLimit     = "time_step_limit"
	keyTheta     = "rope_theta"
)

var (
	mlxMamba = &mlxLM{writable: func(c Config) error {
		if eps := c.Shared().LayerNormEpsilon; float32(eps) != 1e-5 {
			return unsupported("layer_norm_epsilon", "found %s: mlx-lm has 1e-05 for every such model", formatFloat(eps))
		}
		return nil
	}}
	mlxMamba2 = &mlxLM{
		writable: func(c Config) error { return mlxGroups("n_groups", c.(*Mamba2Config).NGroups) },
		stated: func(c Config) []Extra {
			return []Extra{{keyInner, fmt.Sprint(c.DInner())}, {keyLimit, limitText(c.(*Mamba2Config).TimeStepLimit)}}
		},
		added: []string{keyInner},
	}
	mlxNemotronH = &mlxLM{
		writable: func(c Config) error {
			n := c.(*NemotronHConfig)
			if n.has(BlockMLP) && n.MLPHiddenAct != "relu2" {
				return unsupported("mlp_hidden_act", `found "%s": mlx-lm computes every such model with relu2`, n.MLPHiddenAct)
			}
			for _, b := range []Block{BlockMamba2, BlockAttention} {
				if !n.has(b) {
					return unsupported(keyLayers, "found no layer of %s: mlx-lm generates only with models that have layers of Mamba-2 and of attention", b)
				}
			}
			return nil
		},
		stated: func(c Config) []Extra {
			n := c.(*NemotronHConfig)
			stated := []Extra{{"attention_bias", "false"}, {"mamba_proj_bias", fmt.Sprint(n.UseBias)}, {keyPattern, quote(n.pattern())}}
			if extra := n.extra(keyLimit); extra != "" {
				stated = append(stated, Extra{keyLimit, limitText(noLimit)}) // transformers ignores it, mlx-lm does not
			}
			if extra := n.extra("n_shared_experts"); extra == "" || extra == "null" {
				stated = append(stated, Extra{"n_shared_experts", "1"})
			}
			return append(stated, n.longest()...)
		},
	}
	mlxGranite = &mlxLM{
		writable: func(c Config) error {
			g := c.(*GraniteHybridConfig)
			if g.HeadDim*g.NumAttentionHeads != g.HiddenSize && hasBlock(g, BlockAttention) {
				return mlxHeads(&g.QueryHeads, g.HiddenSize)
			}
			if !hasBlock(g, BlockMamba2) {
				return nil
			}
			return mlxGroups("mamba_n_groups", g.NGroups)
		},
		stated: func(c Config) []Extra {
			g := c.(*GraniteHybridConfig)
			layers := "["
			for i, b := range g.Layers {
				if i > 0 {
					layers += ","
				}
				layers += quote(map[Block]string{BlockMamba2: "mamba", BlockAttention: "attention"}[b])
			}
			stated := []Extra{{keyLayerTypes, layers + "]"}, {keyLimit, limitText(g.TimeStepLimit)}}
			if !g.Positions() {
				stated = append(stated, Extra{"position_embedding_type", quote("nope")})
			}
			if g.NumLocalExperts == 0 {
				stated = append(stated, Extra{keyInner, fmt.Sprint(g.SharedSize)}) // which transformers has for experts alone
			}
			if g.extra("mlp_bias") != "" {
				stated = append(stated, Extra{"mlp_bias", "false"})
			}
			return append(stated, g.longest()...)
		},
	}
)

// mlxGroups refuses groups of channels that are normed by themselves.
func mlxGroups(key string, groups int) error {
	if groups == 1 {
		return nil
	}
	return unsupported(key, "found %d: mlx-lm norms all channels of this family together, and would compute other results", groups)
}

// limitText spells a time_step_limit, also one that limits nothing.
func limitText(limit [2]float64) string {
	return "[" + formatFloat(limit[0]) + "," + formatFloat(limit[1]) + "]"
}

// longest states the longest text, if the file does not: mlx-lm demands the key and uses it only for a rotary embedding that
// depends on it, which no model here has.
func (c *Common) longest() []Extra {
	if x := c.extra(keyPositions); x != "" && x != "null" {
		return nil
	}
	return []Extra{{keyPositions, "131072"}}
}

// pattern is the older spelling of layers_block_type.
func (c *NemotronHConfig) pattern() string {
	text := ""
	for _, b := range c.Layers {
		for letter, block := range nemotronLetters {
			if block == b {
				text += string(letter)
			}
		}
	}
	return text
}

// EncodeMLX renders a config.json for mlx-lm. quantization is the JSON text that describes quantized weights, or empty if there
// are none. Errors: those of EncodeHF, and a *badfile.UnsupportedError that names the key that mlx-lm cannot hold.
func EncodeMLX(c Config, quantization string) ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if !InTransformers(c.Family()) {
		return nil, unsupported(keyModelType, "found %q: mlx-lm does not have %s models", c.Family(), Title(c.Family()))
	}
	how := entryOf(c.Family()).mlx
	if how == nil {
		return nil, unsupported(keyModelType, "found %s: models of this family are not written for mlx-lm", badfile.Quote(string(c.Family())))
	}
	if err := how.writable(c); err != nil {
		return nil, err
	}
	var stated []Extra
	if how.stated != nil {
		stated = how.stated(c)
	}
	if quantization != "" {
		for _, key := range quantizations {
			stated = append(stated, Extra{key, quantization})
		}
	}
	extra := slices.DeleteFunc(slices.Clone(c.Shared().Extra), func(x Extra) bool { return states(stated, x.Key) })
	fields := slices.DeleteFunc(c.fields(), func(f field) bool { return states(stated, f.key) })
	return encode(c.Family(), fields, append(extra, stated...))
}

func states(list []Extra, key string) bool {
	return slices.ContainsFunc(list, func(x Extra) bool { return x.Key == key })
}

// ParseMLX reads the config.json of mlx-lm, which extends that of transformers. Errors: those of ParseHF.
func ParseMLX(file string, data []byte) (Config, error) {
	c, err := ParseHF(file, data)
	if err != nil {
		return nil, err
	}
	how := entryOf(c.Family()).mlx
	if how == nil {
		return c, nil
	}
	s := c.Shared()
	s.Extra = slices.DeleteFunc(s.Extra, func(x Extra) bool { return slices.Contains(how.added, x.Key) })
	if how.read != nil {
		if err := how.read(c); err != nil {
			return nil, inFile(file, err)
		}
	}
	return c, nil
}
