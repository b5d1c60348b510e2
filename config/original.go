package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// original is the config.json of the state-spaces repositories: the fields of MambaConfig in
// mamba_ssm/models/config_mamba.py, with the defaults of that class, and the arguments of Mamba in
// mamba_ssm/modules/mamba_simple.py that ssm_cfg may hold.
type original struct {
	DModel, DIntermediate, NLayer, VocabSize, Multiple int
	RMSNorm, ResidualInFP32, FusedAddNorm, Tie         bool

	DState, DConv, Expand, DtRank  int
	DtMin, DtMax, DtScale, DtFloor float64
	DtInit                         string
	ConvBias, Bias, FastPath       bool
}

func newOriginal() *original {
	return &original{
		DModel: 2560, NLayer: 64, VocabSize: 50277, Multiple: 8,
		RMSNorm: true, ResidualInFP32: true, FusedAddNorm: true, Tie: true,
		DState: 16, DConv: 4, Expand: 2, DtRank: rankAuto,
		DtMin: 0.001, DtMax: 0.1, DtScale: 1, DtFloor: 1e-4, DtInit: "random", ConvBias: true, FastPath: true,
	}
}

func (o *original) fields() []field {
	return []field{
		intField("d_model", &o.DModel, 1, maxWidth),
		intField("n_layer", &o.NLayer, 1, maxLayers),
		intField("vocab_size", &o.VocabSize, 1, maxWidth),
		boolField("residual_in_fp32", &o.ResidualInFP32),
		boolField("fused_add_norm", &o.FusedAddNorm),
		intField("pad_vocab_size_multiple", &o.Multiple, 1, maxWidth),
		boolField("tie_embeddings", &o.Tie),
		boolField("rms_norm", &o.RMSNorm),                  // refuseVariants refused false
		intField("d_intermediate", &o.DIntermediate, 0, 0), // and whatever is not 0; null means an MLP too
	}
}

// ssmFields are the arguments of the mixer.
func (o *original) ssmFields() []field {
	return append([]field{
		intField("d_state", &o.DState, 1, maxInner),
		intField("d_conv", &o.DConv, 1, maxInner),
		intField("expand", &o.Expand, 1, maxInner),
		rankField("dt_rank", &o.DtRank),
		boolField("conv_bias", &o.ConvBias),
		boolField("bias", &o.Bias),
		boolField("use_fast_path", &o.FastPath), // mamba_ssm's choice of kernel
	}, o.initFields()...)
}

// initFields are the arguments of the mixer that only matter for its initialisation, with the values that its
// constructor takes: it draws the logarithm of dt.
func (o *original) initFields() []field {
	init := []field{
		floatField("dt_min", &o.DtMin),
		floatField("dt_max", &o.DtMax),
		floatField("dt_init_floor", &o.DtFloor),
		floatField("dt_scale", &o.DtScale),
		stringField("dt_init", &o.DtInit),
	}
	for i, p := range []*float64{&o.DtMin, &o.DtMax} {
		init[i].check = func() bool { return 0 < *p && *p <= math.MaxFloat64 }
		init[i].want = "a finite number above 0"
	}
	for i, p := range []*float64{&o.DtFloor, &o.DtScale} {
		init[2+i].check = func() bool { return math.Abs(*p) <= math.MaxFloat64 }
		init[2+i].want = "a finite number"
	}
	init[4].check = func() bool { return o.DtInit == "random" || o.DtInit == "constant" }
	init[4].want = `"random" or "constant"`
	return init
}

// The keys of the original layout that say something only where they differ from what every pure Mamba-1 model has.
// refuseVariants and parseSSM look at them.
var originalVariants = []string{"attn_layer_idx", "attn_cfg", "ssm_cfg"}

// IsOriginal reports whether data looks like the config.json of the original layout and not like one of transformers:
// it has d_model and no model_type, architectures or hidden_size.
func IsOriginal(data []byte) bool {
	keys, err := jsonobj.Parse(data)
	return err == nil && has(keys, "d_model") && !has(keys, keyModelType) && !has(keys, "architectures") && !has(keys, "hidden_size")
}

// ParseOriginal reads the config.json of a state-spaces repository; file is its name for messages. The vocabulary is
// padded up to pad_vocab_size_multiple, as the weights are. Errors are those of ParseHF; keys that mamba_ssm does not
// know are refused, as it refuses them.
func ParseOriginal(file string, data []byte) (Config, error) {
	c, err := parseOriginal(data)
	if err != nil {
		return nil, inFile(file, err)
	}
	return c, nil
}

func parseOriginal(data []byte) (Config, error) {
	keys, err := jsonobj.Parse(data)
	if err != nil {
		return nil, formatError("", "%s", err)
	}
	if err := refuseVariants(keys); err != nil {
		return nil, err
	}
	o := newOriginal()
	if err := o.decode(keys, "", o.fields(), originalVariants); err != nil {
		return nil, err
	}
	if err := o.parseSSM(keys); err != nil {
		return nil, err
	}
	if o.DtRank == rankAuto {
		o.DtRank = (o.DModel + 15) / 16
	}
	if err := checkFields(append(o.fields(), o.ssmFields()...)); err != nil {
		return nil, err
	}
	return o.config()
}

// decode stores the keys that have a field and refuses the others, except those in known.
func (o *original) decode(keys jsonobj.Members, within string, fields []field, known []string) error {
	var extra []Extra
	if _, err := decode(keys, fields, &extra); err != nil {
		return err
	}
	for _, e := range extra {
		if !slices.Contains(known, e.Key) {
			return unsupported(within+e.Key, "is no key of mamba_ssm's configuration of a Mamba-1 model")
		}
	}
	return nil
}

// parseSSM reads ssm_cfg, the arguments of the mixer.
func (o *original) parseSSM(keys jsonobj.Members) error {
	v, ok := keys.Get("ssm_cfg")
	if !ok || v.Kind() == jsonobj.Null {
		return nil
	}
	members, ok := v.Members()
	if !ok {
		return formatError("ssm_cfg", "found %s, expected an object", v)
	}
	if layer, ok := members.Get("layer"); ok {
		switch name, _ := layer.Text(); name {
		case "Mamba1", "Mamba":
		case "Mamba2":
			return unsupported("ssm_cfg.layer", `"Mamba2" is not read by this version, which reads Mamba-1`)
		default:
			return unsupported("ssm_cfg.layer", "%s: no transformers class and no GGUF architecture exists for it", layer)
		}
	}
	return o.decode(members, "ssm_cfg.", o.ssmFields(), []string{"layer"})
}

// config translates to the fields of transformers.
func (o *original) config() (Config, error) {
	c := NewMamba()
	padded := (o.VocabSize + o.Multiple - 1) / o.Multiple * o.Multiple
	c.VocabSize, c.HiddenSize, c.NumHiddenLayers = padded, o.DModel, o.NLayer
	c.StateSize, c.ConvKernel, c.Expand = o.DState, o.DConv, o.Expand
	if int64(o.Expand)*int64(o.DModel) > maxWidth {
		return nil, formatError("ssm_cfg.expand", "found %d, which times d_model %d is too wide", o.Expand, o.DModel)
	}
	c.IntermediateSize = o.Expand * o.DModel
	c.TimeStepRank = o.DtRank
	c.TimeStepMin, c.TimeStepMax, c.TimeStepFloor = o.DtMin, o.DtMax, o.DtFloor
	c.TimeStepScale, c.TimeStepInitScheme = o.DtScale, o.DtInit
	c.UseBias, c.UseConvBias = o.Bias, o.ConvBias
	c.ResidualInFP32, c.TieWordEmbeddings = o.ResidualInFP32, o.Tie
	c.Extra = []Extra{{"fused_add_norm", strconv.FormatBool(o.FusedAddNorm)}, {"pad_vocab_size_multiple", strconv.Itoa(o.Multiple)}}
	if !o.FastPath {
		c.Extra = append(c.Extra, Extra{"ssm_cfg", slowPath})
	}
	if padded != o.VocabSize {
		c.Extra = append(c.Extra, Extra{keyUnpadded, strconv.Itoa(o.VocabSize)})
	}
	return c, c.Validate()
}

// keyUnpadded keeps in a transformers config the vocab_size of an original one, before padding.
const keyUnpadded = "unpadded_vocab_size"

// slowPath is the part of ssm_cfg that a transformers config keeps under that key, for want of one of its own.
const slowPath = `{"use_fast_path":false}`

// extraInt returns an extra key that is an integer.
func (c *Common) extraInt(key string) (int, bool) {
	for _, e := range c.Extra {
		if e.Key == key {
			n, err := strconv.Atoi(e.Value)
			return n, err == nil
		}
	}
	return 0, false
}

// Agree reports the first size in which two configurations of one checkpoint differ; what the original layout does not
// hold may.
func Agree(fileA string, a Config, fileB string, b Config) error {
	x, okX := a.(*MambaConfig)
	y, okY := b.(*MambaConfig)
	if !okX || !okY {
		return &badfile.FormatError{File: fileB, Where: keyModelType, Detail: fmt.Sprintf("found %q, %s says %q", b.Family(), fileA, a.Family())}
	}
	for _, size := range []struct {
		key  string
		x, y any
	}{
		{"hidden_size", x.HiddenSize, y.HiddenSize}, {"num_hidden_layers", x.NumHiddenLayers, y.NumHiddenLayers},
		{"vocab_size", x.VocabSize, y.VocabSize}, {"state_size", x.StateSize, y.StateSize}, {"conv_kernel", x.ConvKernel, y.ConvKernel},
		{"intermediate_size", x.IntermediateSize, y.IntermediateSize}, {"time_step_rank", x.TimeStepRank, y.TimeStepRank},
		{"layer_norm_epsilon", x.LayerNormEpsilon, y.LayerNormEpsilon}, {"use_bias", x.UseBias, y.UseBias},
		{"use_conv_bias", x.UseConvBias, y.UseConvBias}, {"tie_word_embeddings", x.TieWordEmbeddings, y.TieWordEmbeddings},
	} {
		if size.x != size.y {
			return &badfile.FormatError{File: fileB, Where: size.key, Detail: fmt.Sprintf("found %v, %s says %v", size.y, fileA, size.x)}
		}
	}
	return nil
}

// EncodeOriginal renders the config.json of the original layout: the 12 keys that mamba_ssm knows and no other, since
// it refuses what it does not know; ssm_cfg holds what differs from the mixer's defaults.
//
// A value that the layout cannot hold and that changes results is a *badfile.UnsupportedError that names its key. What
// it drops without changing a result is told by ParseOriginal on the outcome: token ids, for example, an expand that
// is not the ratio of the widths, and initial values that mamba_ssm would not start with.
func (c *MambaConfig) EncodeOriginal() ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.LayerNormEpsilon != 1e-5 {
		return nil, unsupported("layer_norm_epsilon", "found %v: the original layout always means 1e-05", c.LayerNormEpsilon)
	}
	if expand := c.IntermediateSize / c.HiddenSize; expand*c.HiddenSize != c.IntermediateSize || expand > maxInner {
		return nil, unsupported("intermediate_size", "found %d for a hidden_size of %d: the original layout holds only its ratio, "+
			"as an integer from 1 to %d", c.IntermediateSize, c.HiddenSize, maxInner)
	}
	ssm, err := c.ssm()
	if err != nil {
		return nil, err
	}
	vocab, multiple := c.unpadded()
	fused := !slices.Contains(c.Extra, Extra{"fused_add_norm", "false"})
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "    ")
	err = e.Encode(struct {
		DModel        int                        `json:"d_model"`
		DIntermediate int                        `json:"d_intermediate"`
		NLayer        int                        `json:"n_layer"`
		VocabSize     int                        `json:"vocab_size"`
		SSM           map[string]json.RawMessage `json:"ssm_cfg"`
		AttnLayers    []int                      `json:"attn_layer_idx"`
		Attn          map[string]any             `json:"attn_cfg"`
		RMSNorm       bool                       `json:"rms_norm"`
		Residual      bool                       `json:"residual_in_fp32"`
		Fused         bool                       `json:"fused_add_norm"`
		Multiple      int                        `json:"pad_vocab_size_multiple"`
		Tie           bool                       `json:"tie_embeddings"`
	}{c.HiddenSize, 0, c.NumHiddenLayers, vocab, ssm, []int{}, map[string]any{}, true, c.ResidualInFP32, fused, multiple, c.TieWordEmbeddings})
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return out.Bytes(), nil
}

// unpadded returns a vocab_size and a multiple that pad up to the rows there are: those the model came with, or else
// the rows themselves.
func (c *MambaConfig) unpadded() (vocab, multiple int) {
	vocab = c.VocabSize
	if n, ok := c.extraInt(keyUnpadded); ok && 0 < n && n <= vocab {
		vocab = n
	}
	if multiple, ok := c.extraInt("pad_vocab_size_multiple"); ok && multiple > 0 && (vocab+multiple-1)/multiple*multiple == c.VocabSize {
		return vocab, multiple
	}
	if c.VocabSize%8 == 0 {
		return c.VocabSize, 8
	}
	return c.VocabSize, 1
}

// ssm collects the mixer's arguments that differ from their defaults. Its errors are those of a size out of range.
func (c *MambaConfig) ssm() (map[string]json.RawMessage, error) {
	o, d := newOriginal(), newOriginal()
	d.DtRank = (c.HiddenSize + 15) / 16
	o.DState, o.DConv, o.Expand, o.DtRank = c.StateSize, c.ConvKernel, c.IntermediateSize/c.HiddenSize, c.TimeStepRank
	o.DtMin, o.DtMax, o.DtFloor = c.TimeStepMin, c.TimeStepMax, c.TimeStepFloor
	o.DtScale, o.DtInit = c.TimeStepScale, c.TimeStepInitScheme
	o.ConvBias, o.Bias = c.UseConvBias, c.UseBias
	o.FastPath = !slices.Contains(c.Extra, Extra{"ssm_cfg", slowPath})

	optional := make(map[string]bool)
	for _, f := range o.initFields() {
		optional[f.key] = true
	}
	set := make(map[string]json.RawMessage)
	defaults := d.ssmFields()
	for i, f := range o.ssmFields() {
		switch {
		case f.text() == defaults[i].text():
		case f.check():
			set[f.key] = json.RawMessage(f.text())
		case !optional[f.key]:
			return nil, checkFields([]field{f})
		}
	}
	return set, nil
}
