package config

import (
	"fmt"
	"slices"
	"strings"

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

// Layer implements Config.
func (c *MambaSSMConfig) Layer(i int) []Block {
	list := c.Config.Layer(i)
	if slices.Contains(c.AttnLayers, i) {
		list = []Block{BlockMHA}
	}
	if c.DIntermediate > 0 {
		list = append(list, BlockGatedMLP)
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
	return unsupported(key, "found %s, which %s does not have for such models", found, layout)
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
