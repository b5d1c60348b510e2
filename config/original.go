package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
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
		boolField("rms_norm", &o.RMSNorm),                  // refuseVariants refused false
		intField("d_intermediate", &o.DIntermediate, 0, 0), // and whatever is not 0; null means an MLP too
	}
}

// mixer holds the arguments of one of mamba_ssm's mixers, which ssm_cfg may state.
type mixer interface {
	fields() []field
	// kept lists the arguments that decide no result of a loaded model and have no key in transformers: a transformers
	// config keeps them under ssm_cfg.
	kept() []string
	// resolve settles what other values decide and checks all fields.
	resolve(o *original) error
	// config translates to transformers, except for what padded and extras see to.
	config(o *original) (Config, error)
}

// The keys of the original layout that say something only where they differ from what every pure Mamba model has.
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
	return read(file, data, parseOriginal)
}

func parseOriginal(data []byte) (Config, error) {
	keys, notes, err := readKeys(data)
	if err != nil {
		return nil, err
	}
	if err := refuseVariants(keys); err != nil {
		return nil, err
	}
	o := newOriginal()
	if err := decodeOnly(keys, "", o.fields(), originalVariants); err != nil {
		return nil, err
	}
	if err := checkFields(o.fields()); err != nil {
		return nil, err
	}
	mixer, kept, err := parseSSM(keys)
	if err != nil {
		return nil, err
	}
	if err := mixer.resolve(o); err != nil {
		return nil, err
	}
	c, err := o.config(mixer, kept)
	if err != nil {
		return nil, spelled("original", "", err)
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
			return unsupported(within+e.Key, "is no key of mamba_ssm's configuration of a pure Mamba model")
		}
	}
	return nil
}

// parseSSM reads ssm_cfg: which mixer it is, and its arguments. kept is the part that a transformers config has no key
// for, as JSON; empty if there is none.
func parseSSM(keys jsonobj.Members) (m mixer, kept string, err error) {
	m = newMixer1()
	v, ok := keys.Get("ssm_cfg")
	if !ok || v.Kind() == jsonobj.Null {
		return m, "", nil
	}
	members, ok := v.Members()
	if !ok {
		return nil, "", formatError("ssm_cfg", "found %s, expected an object", v)
	}
	if layer, ok := members.Get("layer"); ok {
		switch name, _ := layer.Text(); name {
		case "Mamba1", "Mamba":
		case "Mamba2":
			m = newMixer2()
		default:
			return nil, "", unsupported("ssm_cfg.layer", "found %s, for which there is no transformers class and no GGUF architecture; "+
				"only Mamba1 and Mamba2 models can be converted and run", layer)
		}
	}
	if err := decodeOnly(members, withinSSM, m.fields(), append(m.kept(), "layer")); err != nil {
		return nil, "", err
	}
	var parts []string
	for _, x := range members {
		if slices.Contains(m.kept(), x.Key) {
			parts = append(parts, quote(x.Key)+":"+finite(x.Value.Compact()))
		}
	}
	if len(parts) > 0 {
		slices.Sort(parts) // the order in which they are written
		kept = "{" + strings.Join(parts, ",") + "}"
	}
	return m, kept, nil
}

// padded is the number of rows that vocab_size is padded up to.
func (o *original) padded() int { return (o.VocabSize + o.Multiple - 1) / o.Multiple * o.Multiple }

// config translates to the fields of transformers.
func (o *original) config(m mixer, kept string) (Config, error) {
	c, err := m.config(o)
	if err != nil {
		return nil, err
	}
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
	return c, c.Validate()
}

// The keys under which a transformers config keeps what only the original layout states.
const (
	keyUnpadded = "unpadded_vocab_size"     // vocab_size before padding
	keyMultiple = "pad_vocab_size_multiple" // what it is padded to a multiple of
	keySSM      = "ssm_cfg"                 // arguments of the mixer that decide no result
)

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

// Differing lists the keys of config.json that two configurations of one family state differently, in the order of a.
func Differing(a, b Config) []string {
	theirs := make(map[string]string)
	for _, e := range append(stated(b), b.Shared().Extra...) {
		theirs[e.Key] = e.Value
	}
	var keys []string
	ours := append(stated(a), a.Shared().Extra...)
	for _, e := range ours {
		if theirs[e.Key] != e.Value {
			keys = append(keys, e.Key)
		}
		delete(theirs, e.Key)
	}
	return append(keys, slices.Sorted(maps.Keys(theirs))...)
}

// Value returns what config.json says under key for c, as JSON; empty where it says nothing.
func Value(c Config, key string) string {
	for _, e := range append(stated(c), c.Shared().Extra...) {
		if e.Key == key {
			return e.Value
		}
	}
	return ""
}

// stated renders the fields of c that config.json shows.
func stated(c Config) []Extra {
	var keys []Extra
	for _, f := range c.fields() {
		if text := f.text(); text != "" {
			keys = append(keys, Extra{f.key, text})
		}
	}
	return keys
}

// encodeOriginal renders the 12 keys for cfg, with the arguments of m that differ from those of defaults.
func encodeOriginal(cfg Config, m, defaults mixer, layer string) ([]byte, error) {
	c := cfg.Shared()
	usual, err := defaults.config(newOriginal())
	if err != nil {
		return nil, err
	}
	if err := unsaid("original", "the original layout", cfg, usual); err != nil {
		return nil, err
	}
	ssm, err := arguments(cfg, m, defaults)
	if err != nil {
		return nil, err
	}
	if layer != "" {
		ssm["layer"] = json.RawMessage(quote(layer))
	}
	vocab, multiple := c.unpadded(8)
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
	}{c.HiddenSize, 0, c.NumHiddenLayers, vocab, ssm, []int{}, map[string]any{}, true, c.ResidualInFP32, c.fusedAddNorm(), multiple, c.TieWordEmbeddings})
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return out.Bytes(), nil
}

func (c *Common) fusedAddNorm() bool {
	return !slices.Contains(c.Extra, Extra{"fused_add_norm", "false"})
}

// unpadded returns a vocab_size and a multiple that pad up to the rows there are: those the model came with, or else
// the rows themselves, with the usual multiple where it divides them.
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

// arguments collects the mixer's arguments that differ from their defaults, and those that c only keeps. Its errors are
// those of a size out of range.
func arguments(c Config, m, defaults mixer) (map[string]json.RawMessage, error) {
	set := make(map[string]json.RawMessage)
	usual := defaults.fields()
	for i, f := range m.fields() {
		switch {
		case f.text() == usual[i].text():
		case f.check():
			set[f.key] = json.RawMessage(f.text())
		case decides(c, ofArgument(f.key)) != Nothing: // what only initialises is left out if mamba_ssm would not take it
			return nil, checkFields([]field{f})
		}
	}
	for _, e := range c.Shared().Extra {
		if e.Key != keySSM {
			continue
		}
		v, err := jsonobj.ParseValue(e.Value)
		if err != nil {
			return nil, formatError(e.Key, "%s", err)
		}
		members, _ := v.Members()
		for _, x := range members {
			if slices.Contains(m.kept(), x.Key) {
				set[x.Key] = json.RawMessage(finite(x.Value.Compact())) // a transformers config may say Infinity
			}
		}
	}
	return set, nil
}
