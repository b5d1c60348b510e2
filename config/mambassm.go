package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// MambaSSMConfig is a model of mamba_ssm (models/config_mamba.py, class MambaConfig) that differs from those of Mamba and Mamba-2
// in more than its mixers: layers of attention instead of a mixer, an MLP after each, or LayerNorm. Only the original layout
// holds such models; transformers does not have them.
type MambaSSMConfig struct {
	Config              // of its mixers: a *MambaConfig or *Mamba2Config, with the fields that all families have
	AttnLayers    []int // attn_layer_idx, the layers of attention, as stated
	MHA                 // attn_cfg
	DIntermediate int   // d_intermediate as stated; 0: there are no MLPs
	LayerNorm     bool  // not rms_norm: norms subtract the mean and have biases
}

var entryMambaSSM = entry{
	family: MambaSSM,
	title:  "mamba_ssm with attention, MLPs or LayerNorm",
	fresh:  func() Config { return &MambaSSMConfig{Config: newMixer(&ssmMamba, newOriginal().DModel)} },
	hybrid: true,
	also:   Mamba2,
	gguf:   llamaCpp{writable: func(c Config) error { return c.(*MambaSSMConfig).only("GGUF") }},
}

// newMixer returns the defaults of a mixer in a model of that width.
func newMixer(m *mambaSSM, width int) Config {
	c := m.defaults(width)
	c.Shared().Architectures = []string{"MambaLMHeadModel"}
	return c
}

// Keys of the original layout, of which those in attn_cfg are arguments of the constructor of MHA.
const (
	keyAttnLayers   = "attn_layer_idx"
	keyAttn         = "attn_cfg"
	keyIntermediate = "d_intermediate"
	keyRMSNorm      = "rms_norm"
)

// mlpMultiple is what mamba_ssm rounds the width of an MLP up to a multiple of.
const mlpMultiple = 128

// Family returns MambaSSM.
func (c *MambaSSMConfig) Family() Family { return MambaSSM }

// MLPWidth returns W, d_intermediate rounded up to a multiple of 128.
func (c *MambaSSMConfig) MLPWidth() int { return roundUp(c.DIntermediate, mlpMultiple) }

func roundUp(n, multiple int) int { return (n + multiple - 1) / multiple * multiple }

// attends reports whether there is a layer of attention.
func (c *MambaSSMConfig) attends() bool { return len(c.AttnLayers) > 0 }

// mixes reports whether there is a layer with a Mamba mixer.
func (c *MambaSSMConfig) mixes() bool {
	for i := range c.Shared().NumHiddenLayers {
		if !slices.Contains(c.AttnLayers, i) {
			return true
		}
	}
	return false
}

// Blocks implements Config.
func (c *MambaSSMConfig) Blocks() [][]Block {
	list := c.Config.Blocks()
	for _, i := range c.AttnLayers {
		if 0 <= i && i < len(list) {
			list[i][0] = BlockMHA
		}
	}
	for i := range list {
		if c.DIntermediate > 0 {
			list[i] = append(list[i], BlockGatedMLP)
		}
	}
	return list
}

// Clone implements Config.
func (c *MambaSSMConfig) Clone() Config {
	d := *c
	d.Config = c.Config.Clone()
	d.AttnLayers, d.MHA.stated = slices.Clone(c.AttnLayers), slices.Clone(c.MHA.stated)
	return &d
}

// Validate implements Config.
func (c *MambaSSMConfig) Validate() error {
	if err := c.Config.Validate(); err != nil {
		return err
	}
	own := c.own()
	if err := checkFields(own); err != nil {
		return err
	}
	for _, i := range c.AttnLayers {
		if layers := c.Shared().NumHiddenLayers; i < 0 || i >= layers {
			return formatError(keyAttnLayers, "found layer %d, expected 0 to %d", i, layers-1)
		}
	}
	if c.attends() {
		if err := c.MHA.check(c.Shared().HiddenSize); err != nil {
			return err
		}
	}
	if err := c.checkSize(); err != nil {
		return err
	}
	return checkExtra(c.Shared().Extra, own)
}

// checkSize bounds the weights and the states of one sequence together; those of the mixers are checked for all layers.
func (c *MambaSSMConfig) checkSize() error {
	d, layers := float64(c.Shared().HiddenSize), float64(c.Shared().NumHiddenLayers)
	return checkBytes(2*float64(c.Shared().VocabSize)*d + layers*(3*d*float64(c.MLPWidth())+4*d) + float64(len(c.AttnLayers))*c.MHA.weights(d))
}

// Summary implements Config.
func (c *MambaSSMConfig) Summary() string {
	var parts []string
	if c.mixes() {
		parts = append(parts, c.Config.Summary())
	}
	if c.attends() {
		parts = append(parts, c.MHA.words())
	}
	if c.DIntermediate > 0 {
		parts = append(parts, fmt.Sprintf("MLPs of %d", c.MLPWidth()))
	}
	if c.LayerNorm {
		parts = append(parts, "LayerNorm")
	}
	return strings.Join(parts, ", ")
}

// fields binds the keys: those of the mixer as transformers names them, and the others as mamba_ssm does.
func (c *MambaSSMConfig) fields() []field {
	fields, mixes := c.Config.fields(), c.mixes()
	for i, f := range fields {
		if strings.Contains(f.spellings.original, withinSSM) {
			fields[i] = f.counting(mixes)
		}
	}
	return append(fields, c.own()...)
}

// own are the fields beside those of the mixer.
func (c *MambaSSMConfig) own() []field {
	norm := boolField(keyRMSNorm, &c.LayerNorm)
	decode := norm.decode
	norm.decode = func(v jsonobj.Value) bool { ok := decode(v); c.LayerNorm = !c.LayerNorm; return ok }
	norm.text = func() string { return fmt.Sprint(!c.LayerNorm) }
	norm.found, norm.on = norm.text, nil
	fields := []field{
		indicesField(keyAttnLayers, &c.AttnLayers).deciding(Results),
		intField(keyIntermediate, &c.DIntermediate, 0, maxWidth).deciding(Results), // shapes show it rounded
		norm.deciding(Results),
	}
	for _, f := range c.MHA.arguments() {
		f.key = keyAttn + "." + f.key
		fields = append(fields, f.deciding(Results).counting(c.attends()))
	}
	for i, f := range fields {
		fields[i] = f.spelled(f.key, "")
	}
	return fields
}

// indicesField is a list of layers; null is none.
func indicesField(key string, p *[]int) field {
	text := func(list []int) string { return strings.ReplaceAll(fmt.Sprint(list), " ", ",") }
	return field{
		key: key,
		decode: func(v jsonobj.Value) bool {
			*p = nil
			elems, ok := v.Elems(maxLayers)
			for _, e := range elems {
				n, isInt := e.Int()
				if !isInt {
					return false
				}
				*p = append(*p, n)
			}
			return ok || v.Kind() == jsonobj.Null
		},
		check: always,
		found: func() string { return text(*p) },
		want:  fmt.Sprintf("a list of at most %d layers", maxLayers),
		text:  func() string { return text(*p) },
		same:  func() string { return text(slices.Compact(slices.Sorted(slices.Values(*p)))) },
	}
}

func (c *MambaSSMConfig) handles() []handle {
	queries, all, width := c.Heads*c.HeadDim, c.Channels(), c.MLPWidth()
	kernel, taps, rest := c.DConv, c.DConv > 0, c.mlpRows()
	joined := queries + rest/2
	return append(c.Config.handles(),
		size("QKV", &all), size("M", &rest), size("O", &joined), size("T", &kernel), size("W", &width),
		toggle("layer_norm", &c.LayerNorm), toggle("attn_conv", &taps),
		toggle(keyAttn+".qkv_proj_bias", &c.ProjBias), toggle(keyAttn+".out_proj_bias", &c.OutBias),
	)
}

// parse implements Config: a config.json of transformers cannot describe such a model.
func (c *MambaSSMConfig) parse(jsonobj.Members) error {
	return unsupported(keyModelType, "found %q, which transformers does not have", MambaSSM)
}

// only refuses another layout, by the first key that it cannot hold.
func (c *MambaSSMConfig) only(layout string) error {
	key, found := keyRMSNorm, "false: norms with biases"
	switch {
	case c.attends():
		key, found = keyAttnLayers, "layers of attention"
	case c.DIntermediate > 0:
		key, found = keyIntermediate, fmt.Sprintf("%d: MLPs after the mixers", c.DIntermediate)
	}
	return unsupported(key, "found %s, which %s does not have for such models; choose original", found, layout)
}

// EncodeHF implements Config: transformers does not have such a model.
func (c *MambaSSMConfig) EncodeHF() ([]byte, error) { return nil, c.only("transformers") }

// EncodeMistral implements Config: mistral does not have such a model.
func (c *MambaSSMConfig) EncodeMistral() ([]byte, error) { return nil, c.only("mistral's layout") }

// EncodeOriginal implements Config.
func (c *MambaSSMConfig) EncodeOriginal() ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	o, err := c.Config.(interface{ inOriginal() (*originalFile, error) }).inOriginal()
	if err != nil {
		return nil, err
	}
	o.AttnLayers = append(o.AttnLayers, c.AttnLayers...)
	o.Attn, o.DIntermediate, o.RMSNorm = c.MHA.state(), c.DIntermediate, !c.LayerNorm
	return encodeOriginal(o, nil)
}

// withMore returns the configuration of a model whose mixers have c, or c itself if there is nothing beside them.
func withMore(keys jsonobj.Members, c Config) (Config, error) {
	m := &MambaSSMConfig{Config: c}
	beside := m.own()[:3]
	for _, f := range beside {
		if v, ok := keys.Get(f.key); ok && !f.decode(v) {
			return nil, formatError(f.key, "found %s, expected %s", v, f.want)
		}
	}
	own := entryOf(c.Family()).ssm.feedForward
	if own != nil {
		*own(c), m.DIntermediate = m.DIntermediate, 0
	}
	if !m.attends() && m.DIntermediate == 0 && !m.LayerNorm {
		return c, nil
	}
	if own != nil {
		key := keyRMSNorm
		if m.attends() {
			key = keyAttnLayers
		}
		return nil, unsupported(key, "found attention or LayerNorm beside mixers of %s: such a model is not known", Title(c.Family()))
	}
	c.Shared().Architectures = newMixer(&ssmMamba, 1).Shared().Architectures
	return m, m.MHA.read(keys, c.Shared().HiddenSize)
}

// MHA are the sizes of attention as mamba_ssm has it (modules/mha.py).
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
	scale.check, scale.want = func() bool { return -1e30 < a.Scale && a.Scale < 1e30 }, "a number other than 0, or null"
	scale.text = func() string {
		if a.Scale == 0 {
			return "null"
		}
		return formatFloat(a.Scale)
	}
	base := floatField("rotary_emb_base", &a.RotaryBase)
	base.check, base.want = func() bool { return 0 < a.RotaryBase && a.RotaryBase <= 1e30 }, "a positive number"
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
