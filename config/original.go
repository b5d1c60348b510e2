package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/jsonobj"
)

// original is the config.json of the state-spaces repositories: the fields of MambaConfig in
// mamba_ssm/models/config_mamba.py, with the defaults of that class.
type original struct {
	DModel, DIntermediate, NLayer, VocabSize, Multiple int
	RMSNorm, ResidualInFP32, FusedAddNorm, Tie         bool
}

func newOriginal() *original {
	return &original{
		DModel: 2560, NLayer: 64, VocabSize: 50277, Multiple: 8,
		RMSNorm: true, ResidualInFP32: true, FusedAddNorm: true, Tie: true,
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
		boolField(keyRMSNorm, &o.RMSNorm),
		intField(keyIntermediate, &o.DIntermediate, 0, maxWidth), // null means an MLP too, of another width
	}
}

// mambaSSM is how mamba_ssm writes a family: ssm_cfg holds arguments of the constructor of its mixer.
type mambaSSM struct {
	layers []string // what ssm_cfg.layer calls the mixer
	layer  string   // what it is written as; empty: not at all
	// defaults returns the constructor's defaults for a model of that width, as a configuration.
	defaults func(width int) Config
	// arguments binds what ssm_cfg may state to a configuration. settle is called once they are read: it checks them and
	// resolves what they and the width decide.
	arguments func(c Config) (args []field, settle func(width int) error)
	// kept lists the arguments that do not affect the results of a loaded model and do not have a key in transformers: a transformers
	// config keeps them under ssm_cfg.
	kept []string
	// feedForward returns where the family has the width of MLPs after the mixers; nil: MambaSSMConfig has it.
	feedForward func(c Config) *int
	lenient     bool // the constructor ignores arguments that it does not know, which are kept
}

// The keys of the original layout that parseSSM and withMore read.
var originalVariants = []string{keyAttnLayers, keyAttn, keySSM}

// IsOriginal reports whether data looks like the config.json of the original layout and not like one of transformers:
// it has d_model and no model_type, architectures or hidden_size.
func IsOriginal(data []byte) bool {
	keys, err := jsonobj.Parse(data)
	return err == nil && has(keys, "d_model") && !has(keys, keyModelType) && !has(keys, "architectures") && !has(keys, "hidden_size")
}

// ParseOriginal reads the config.json of a state-spaces repository; file is its name for messages. The vocabulary is padded to
// a multiple of pad_vocab_size_multiple, as the weights are. Errors are those of ParseHF. Keys that mamba_ssm does not know are
// refused, as mamba_ssm does.
func ParseOriginal(file string, data []byte) (Config, error) {
	return read(file, data, parseOriginal)
}

func parseOriginal(data []byte) (Config, error) {
	keys, notes, err := readKeys(data)
	if err != nil {
		return nil, err
	}
	if err := refuseQuantized(keys); err != nil {
		return nil, err
	}
	o := newOriginal()
	if err := decodeOnly(keys, "", o.fields(), originalVariants); err != nil {
		return nil, err
	}
	if err := checkFields(o.fields()); err != nil {
		return nil, err
	}
	c, settle, kept, err := parseSSM(keys, o.DModel)
	if err != nil {
		return nil, err
	}
	if err := settle(o.DModel); err != nil {
		return nil, err
	}
	c.Shared().HiddenSize = o.DModel
	if c, err = withMore(keys, c); err != nil {
		return nil, err
	}
	if err := o.complete(c, kept); err != nil {
		return nil, spelled("original", c.Family(), err)
	}
	c.Shared().notes = notes
	return c, nil
}

// decodeOnly stores the keys that have a field and refuses the others, except those in known.
func decodeOnly(keys jsonobj.Members, within string, fields []field, known []string) error {
	var rest Common
	if _, err := decode(keys, fields, &rest); err != nil {
		return underKey(within, err)
	}
	for _, e := range rest.Extra {
		if !slices.Contains(known, e.Key) {
			return unsupported(within+e.Key, "unknown key: mamba_ssm does not have such a setting")
		}
	}
	return nil
}

// parseSSM reads ssm_cfg of a model of that width: which mixer it is, and its arguments, which settle resolves. rest is the
// part that a transformers config has no key for, as JSON; empty if there is none.
func parseSSM(keys jsonobj.Members, width int) (c Config, settle func(width int) error, rest string, err error) {
	var members jsonobj.Members
	if v, ok := keys.Get(keySSM); ok && v.Kind() != jsonobj.Null {
		if members, ok = v.Members(); !ok {
			return nil, nil, "", formatError(keySSM, "found %s, expected an object", v)
		}
	}
	m, err := mixerOf(members)
	if err != nil {
		return nil, nil, "", err
	}
	c = m.defaults(width)
	args, settle := m.arguments(c)
	kept := slices.Clone(m.kept)
	for _, x := range members {
		if m.lenient && !slices.ContainsFunc(args, func(f field) bool { return f.key == x.Key }) && x.Key != keyLayer {
			kept = append(kept, x.Key)
		}
	}
	if err := decodeOnly(members, withinSSM, args, append(slices.Clone(kept), keyLayer)); err != nil {
		return nil, nil, "", err
	}
	var parts []string
	for _, x := range members {
		if slices.Contains(kept, x.Key) {
			parts = append(parts, quote(x.Key)+":"+finite(x.Value.Compact()))
		}
	}
	if len(parts) > 0 {
		slices.Sort(parts) // the order in which they are written
		rest = "{" + strings.Join(parts, ",") + "}"
	}
	return c, settle, rest, nil
}

// keyLayer names the mixer in ssm_cfg.
const keyLayer = "layer"

// mixerOf returns the mixer that ssm_cfg names, by default that of Mamba-1.
func mixerOf(ssm jsonobj.Members) (*mambaSSM, error) {
	layer, ok := ssm.Get(keyLayer)
	if !ok {
		return entryMamba.ssm, nil
	}
	name, _ := layer.Text()
	var known []string
	for _, e := range families {
		switch {
		case e.ssm == nil:
		case slices.Contains(e.ssm.layers, name):
			return e.ssm, nil
		default:
			known = append(known, e.ssm.layers[0])
		}
	}
	return nil, unsupported(withinSSM+keyLayer, "found %s, for which there is no transformers class and no GGUF architecture; "+
		"only %s models can be converted and run", layer, and(known))
}

// padded is the number of rows that vocab_size is padded up to.
func (o *original) padded() int { return (o.VocabSize + o.Multiple - 1) / o.Multiple * o.Multiple }

// complete adds what o states to the configuration of its mixer.
func (o *original) complete(c Config, kept string) error {
	s := c.Shared()
	s.VocabSize, s.HiddenSize, s.NumHiddenLayers = o.padded(), o.DModel, o.NLayer
	s.ResidualInFP32, s.TieWordEmbeddings = o.ResidualInFP32, o.Tie
	s.Extra = []Extra{{"fused_add_norm", strconv.FormatBool(o.FusedAddNorm)}, {keyMultiple, strconv.Itoa(o.Multiple)}}
	if kept != "" {
		s.Extra = append(s.Extra, Extra{keySSM, kept})
	}
	if o.padded() != o.VocabSize {
		s.Extra = append(s.Extra, Extra{keyUnpadded, strconv.Itoa(o.VocabSize)})
	}
	return c.Validate()
}

// The keys under which a transformers config keeps what only the original layout states.
const (
	keyUnpadded = "unpadded_vocab_size"     // vocab_size before padding
	keyMultiple = "pad_vocab_size_multiple" // what it is padded to a multiple of
	keySSM      = "ssm_cfg"                 // arguments of the mixer that decide no result
)

// extraInt returns an extra key that is an integer.
func (c *Common) extraInt(key string) (int, bool) {
	n, err := strconv.Atoi(c.extra(key))
	return n, err == nil
}

// originalFile is a config.json of the original layout: its 12 keys, in mamba_ssm's order.
type originalFile struct {
	DModel        int                        `json:"d_model"`
	DIntermediate int                        `json:"d_intermediate"`
	NLayer        int                        `json:"n_layer"`
	VocabSize     int                        `json:"vocab_size"`
	SSM           map[string]json.RawMessage `json:"ssm_cfg"`
	AttnLayers    []int                      `json:"attn_layer_idx"`
	Attn          json.RawMessage            `json:"attn_cfg"`
	RMSNorm       bool                       `json:"rms_norm"`
	Residual      bool                       `json:"residual_in_fp32"`
	Fused         bool                       `json:"fused_add_norm"`
	Multiple      int                        `json:"pad_vocab_size_multiple"`
	Tie           bool                       `json:"tie_embeddings"`
}

// inOriginal returns the keys for cfg, with those of its arguments that differ from their defaults. The arguments are as stated
// has them.
func inOriginal(cfg, stated Config) (*originalFile, error) {
	c, m := cfg.Shared(), entryOf(cfg.Family()).ssm
	if err := unsaid("original", "the original layout", cfg, m.defaults(c.HiddenSize)); err != nil {
		return nil, err
	}
	ssm, err := m.state(stated)
	if err != nil {
		return nil, err
	}
	if m.layer != "" {
		ssm[keyLayer] = json.RawMessage(quote(m.layer))
	}
	vocab, multiple := c.unpadded(8)
	between := 0
	if m.feedForward != nil {
		between = *m.feedForward(cfg)
	}
	return &originalFile{
		DModel: c.HiddenSize, DIntermediate: between, NLayer: c.NumHiddenLayers, VocabSize: vocab, SSM: ssm,
		AttnLayers: []int{}, Attn: json.RawMessage("{}"), RMSNorm: true,
		Residual: c.ResidualInFP32, Fused: c.fusedAddNorm(), Multiple: multiple, Tie: c.TieWordEmbeddings,
	}, nil
}

// encodeOriginal renders the keys, unless there is an error.
func encodeOriginal(o *originalFile, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "    ")
	if err := e.Encode(o); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return out.Bytes(), nil
}

func (c *Common) fusedAddNorm() bool {
	return c.extra("fused_add_norm") != "false"
}

// unpadded returns a vocab_size and a multiple that pad up to the rows there are: those the model came with, or else
// the rows themselves, with the usual multiple if it divides them.
func (c *Common) unpadded(usual int) (vocab, multiple int) {
	vocab = c.VocabSize
	if n, ok := c.extraInt(keyUnpadded); ok && 0 < n && n <= vocab {
		vocab = n
	}
	if multiple, ok := c.extraInt(keyMultiple); ok && multiple > 0 && (vocab+multiple-1)/multiple*multiple == c.VocabSize {
		return vocab, multiple
	}
	if c.VocabSize%usual == 0 {
		return c.VocabSize, usual
	}
	return c.VocabSize, 1
}

// state collects the arguments of c that differ from their defaults, and those that c only keeps. Its errors are those of
// a size out of range.
func (m *mambaSSM) state(c Config) (map[string]json.RawMessage, error) {
	set := make(map[string]json.RawMessage)
	args, _ := m.arguments(c)
	usual, _ := m.arguments(m.defaults(c.Shared().HiddenSize))
	for i, f := range args {
		switch {
		case f.text() == usual[i].text():
		case f.check():
			set[f.key] = json.RawMessage(f.text())
		case !onlyInitialises(c, f.key): // what mamba_ssm would not take is left out then
			return nil, checkFields([]field{f})
		}
	}
	extra := c.Shared().extra(keySSM)
	if extra == "" {
		return set, nil
	}
	v, err := jsonobj.ParseValue(extra)
	if err != nil {
		return nil, formatError(keySSM, "%s", err)
	}
	members, _ := v.Members()
	for _, x := range members {
		if _, taken := set[x.Key]; !taken && (m.lenient || slices.Contains(m.kept, x.Key)) {
			set[x.Key] = json.RawMessage(finite(x.Value.Compact())) // a transformers config may say Infinity
		}
	}
	return set, nil
}

// onlyInitialises reports whether an argument's key of config.json affects no result.
func onlyInitialises(c Config, argument string) bool {
	return slices.ContainsFunc(c.fields(), func(f field) bool { return f.spellings.original == ssm(argument) && f.decides == Nothing })
}

// initialArguments binds the arguments that only matter for a mixer's initialisation, with the values that its constructor
// takes: it draws the logarithm of dt.
func (c *Common) initialArguments() []field {
	fields := []field{
		floatField("dt_min", &c.TimeStepMin),
		floatField("dt_max", &c.TimeStepMax),
		floatField("dt_init_floor", &c.TimeStepFloor),
	}
	for i, p := range []*float64{&c.TimeStepMin, &c.TimeStepMax} {
		fields[i].check = func() bool { return 0 < *p && *p <= math.MaxFloat64 }
		fields[i].want = "a finite number above 0"
	}
	return append(fields[:2:2], finiteField(fields[2], &c.TimeStepFloor))
}

func finiteField(f field, p *float64) field {
	f.check = func() bool { return math.Abs(*p) <= math.MaxFloat64 }
	f.want = "a finite number"
	return f
}

// finite spells the infinities of a JSON text as numbers beyond all floats, which every JSON reader understands and
// Python's reads as infinite.
func finite(text string) string {
	return strings.NewReplacer("Infinity", "1e999").Replace(text)
}
