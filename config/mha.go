package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// MHA holds the sizes of mamba_ssm's attention (modules/mha.py).
type MHA struct {
	Heads, KeyHeads, HeadDim int     // num_heads, num_heads_kv, head_dim
	MLPDim                   int     // of a gated MLP beside the heads, rounded up to a multiple of 256; 0: none
	ProjBias, OutBias        bool    // qkv_proj_bias, out_proj_bias
	Scale                    float64 // softmax_scale; 0: HeadDim^-½
	Causal                   bool
	DConv                    int     // taps of a convolution over queries, keys and values; 0: none
	RotaryDim                int     // channels of a head that positions turn; 0: none
	RotaryBase               float64 // rotary_emb_base
	Interleaved              bool    // pairs of channels are neighbours

	stated []string // keys of attn_cfg
}

// Channels returns the channels of queries, keys and values together.
func (a *MHA) Channels() int { return a.HeadDim * (a.Heads + 2*a.KeyHeads) }

// mlpRows returns M, the rows of the MLP's gate and input in in_proj.
func (a *MHA) mlpRows() int { return roundUp(a.MLPDim, 256) }

// GateWidth returns the width of the MLP beside the heads.
func (a *MHA) GateWidth() int { return a.mlpRows() / 2 }

// arguments binds what attn_cfg may state.
func (a *MHA) arguments() []field {
	scale := floatField("softmax_scale", &a.Scale)
	decode := scale.decode
	scale.decode = func(v jsonobj.Value) bool {
		if v.Kind() == jsonobj.Null {
			a.Scale = 0
			return true
		}
		return decode(v) && a.Scale != 0
	}
	scale.check, scale.want = func() bool { return -1e30 < a.Scale && a.Scale < 1e30 }, "a number other than 0, of less than 1e30, or null"
	scale.text = func() string {
		if a.Scale == 0 {
			return "null"
		}
		return formatFloat(a.Scale)
	}
	base := floatField("rotary_emb_base", &a.RotaryBase)
	base.check, base.want = func() bool { return 0 < a.RotaryBase && a.RotaryBase <= 1e30 }, "a number above 0, at most 1e30"
	return []field{
		intField("num_heads", &a.Heads, 0, maxInner),
		nullableField(intField("num_heads_kv", &a.KeyHeads, 0, maxInner), &a.KeyHeads, 0),
		nullableField(intField("head_dim", &a.HeadDim, 0, maxInner), &a.HeadDim, 0),
		intField("mlp_dim", &a.MLPDim, 0, maxWidth),
		boolField("qkv_proj_bias", &a.ProjBias),
		boolField("out_proj_bias", &a.OutBias),
		scale,
		boolField("causal", &a.Causal),
		intField("d_conv", &a.DConv, 0, maxInner),
		intField("rotary_emb_dim", &a.RotaryDim, 0, maxInner),
		base,
		boolField("rotary_emb_interleaved", &a.Interleaved),
	}
}

// newMHA returns the defaults of the constructor.
func newMHA() MHA { return MHA{ProjBias: true, OutBias: true, RotaryBase: defaultTheta} }

// read reads attn_cfg of a model of that width.
func (a *MHA) read(keys jsonobj.Members, width int) error {
	*a = newMHA()
	v, ok := keys.Get(keyAttn)
	if !ok || v.Kind() == jsonobj.Null {
		return nil
	}
	members, ok := v.Members()
	if !ok {
		return formatError(keyAttn, "found %s, expected an object", v)
	}
	if err := decodeOnly(members, keyAttn+".", a.arguments(), nil); err != nil {
		return err
	}
	for _, m := range members {
		a.stated = append(a.stated, m.Key)
	}
	if a.KeyHeads == 0 {
		a.KeyHeads = a.Heads
	}
	if a.HeadDim == 0 && a.Heads > 0 && width%a.Heads == 0 {
		a.HeadDim = width / a.Heads
	}
	return nil
}

// state renders the arguments that were stated, in their order, and then others that are not the defaults.
func (a *MHA) state() json.RawMessage {
	set, keys, usual := make(map[string]string), slices.Clone(a.stated), newMHA()
	usual.Heads, usual.KeyHeads, usual.HeadDim = a.Heads, a.KeyHeads, a.HeadDim
	defaults := usual.arguments()
	for i, f := range a.arguments() {
		set[f.key] = quote(f.key) + ":" + f.text()
		if !slices.Contains(a.stated, f.key) && f.text() != defaults[i].text() {
			keys = append(keys, f.key)
		}
	}
	var parts []string
	for _, key := range keys {
		parts = append(parts, set[key])
	}
	return json.RawMessage("{" + strings.Join(parts, ",") + "}")
}

// check reports what makes no attention, in a model of that width.
func (a *MHA) check(width int) error {
	key := func(name string) string { return keyAttn + "." + name }
	switch {
	case !a.Causal:
		return unsupported(key("causal"), "found false, which is also what its absence means: tokens would attend to later ones; only causal models are supported")
	case a.Heads == 0:
		return formatError(key("num_heads"), "missing or 0, expected the number of heads of a model with layers of attention")
	case a.Heads%a.KeyHeads != 0:
		return formatError(key("num_heads_kv"), "found %d, which does not divide num_heads %d", a.KeyHeads, a.Heads)
	case a.HeadDim == 0:
		return formatError(key("head_dim"), "missing, and num_heads %d does not divide d_model %d", a.Heads, width)
	case int64(a.Heads)*int64(a.HeadDim)*3+int64(a.MLPDim) > maxWidth:
		return formatError(key("num_heads"), "found %d heads of %d channels, which is too wide", a.Heads, a.HeadDim)
	case a.RotaryDim%2 != 0 || a.RotaryDim > a.HeadDim:
		return formatError(key("rotary_emb_dim"), "found %d, expected an even number of at most head_dim %d", a.RotaryDim, a.HeadDim)
	}
	return nil
}

// weights counts the weights and fixed states of such a block, of width d.
func (a *MHA) weights(d float64) float64 {
	all := float64(a.Channels())
	return d*(all+float64(a.mlpRows())+float64(a.Heads*a.HeadDim+a.GateWidth())+3) + all*(2*float64(a.DConv)+2) + float64(a.mlpRows())
}

// words says the sizes.
func (a *MHA) words() string {
	s := fmt.Sprintf("attention %s of %d, %d of keys", badfile.Count(a.Heads, "head"), a.HeadDim, a.KeyHeads)
	if a.DConv > 0 {
		s += fmt.Sprintf(", convolved by %d", a.DConv)
	}
	if a.RotaryDim > 0 {
		s += fmt.Sprintf(", %d channels turned", a.RotaryDim)
	}
	return s
}
