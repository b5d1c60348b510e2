package config

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/jsonobj"
)

// Multipliers are the factors of Falcon-H1.
type Multipliers struct {
	Embedding    float64    // of the embeddings
	Head         float64    // of the logits
	AttentionIn  float64    // of what attention reads
	Key          float64    // of keys
	AttentionOut float64    // of what attention adds
	MambaIn      float64    // of what Mamba-2 reads
	Mamba        [5]float64 // of the sections of what its in_proj gives: z, x, B, C, dt
	MambaOut     float64    // of what Mamba-2 adds
	MLP          [2]float64 // of the gate, and of what the MLP adds
}

// plain are multipliers that change nothing.
func plain() Multipliers {
	return Multipliers{1, 1, 1, 1, 1, 1, [5]float64{1, 1, 1, 1, 1}, 1, [2]float64{1, 1}}
}

func (m *Multipliers) fields() []field {
	return []field{
		multiplierField("embedding_multiplier", &m.Embedding),
		multiplierField("lm_head_multiplier", &m.Head),
		multiplierField("attention_in_multiplier", &m.AttentionIn),
		multiplierField("key_multiplier", &m.Key),
		multiplierField("attention_out_multiplier", &m.AttentionOut),
		multiplierField("ssm_in_multiplier", &m.MambaIn),
		multipliersField("ssm_multipliers", m.Mamba[:]),
		multiplierField("ssm_out_multiplier", &m.MambaOut),
		multipliersField("mlp_multipliers", m.MLP[:]),
	}
}

// multiplierField is a factor that the arithmetic uses as float32. With 1 the key might as well not exist.
func multiplierField(key string, p *float64) field {
	f := scaleField(key, p)
	f.check = func() bool { return multiplies(*p) }
	f.want = "a number from 2^-60 to 2^60, of either sign"
	f.same = func() string { return multiplierText(*p) }
	return f.deciding(Results)
}

// multipliersField is a list of such factors; null stands for ones.
func multipliersField(key string, p []float64) field {
	show := func(text func(float64) string, between string) string {
		list := make([]string, len(p))
		for i, v := range p {
			list[i] = text(v)
		}
		return strings.Join(list, between)
	}
	text := func() string { return "[" + show(formatFloat, ",") + "]" }
	return field{
		key: key,
		decode: func(v jsonobj.Value) bool {
			if v.Kind() == jsonobj.Null {
				for i := range p {
					p[i] = 1
				}
				return true
			}
			elems, ok := v.Elems(len(p))
			if !ok || len(elems) != len(p) {
				return false
			}
			for i, e := range elems {
				if p[i], ok = e.Float(); !ok {
					return false
				}
			}
			return true
		},
		check: func() bool { return !slices.ContainsFunc(p, func(v float64) bool { return !multiplies(v) }) },
		found: text,
		want:  fmt.Sprintf("a list of %d numbers from 2^-60 to 2^60, of either sign", len(p)),
		text:  text,
		same: func() string {
			if !slices.ContainsFunc(p, func(v float64) bool { return v != 1 }) {
				return ""
			}
			return show(float32Text, " ")
		},
	}.deciding(Results)
}

// multiplies reports whether a factor can be used and undone in float32.
func multiplies(v float64) bool {
	const least, most = 0x1p-60, 0x1p60
	return least <= math.Abs(v) && math.Abs(v) <= most
}

func multiplierText(v float64) string {
	if v == 1 {
		return ""
	}
	return float32Text(v)
}
