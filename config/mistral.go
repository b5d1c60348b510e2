package config

import (
	"cmp"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// mistral is the params.json of Mamba-Codestral: the fields of MambaArgs in mistral-inference (args.py). Whatever it does
// not state is the default of mamba_ssm's Mamba2.
type mistral struct {
	original
	NGroups   int
	ModelType string
}

func (m *mistral) fields() []field {
	modelType := stringField(keyModelType, &m.ModelType)
	modelType.check = func() bool { return m.ModelType == "mamba" }
	modelType.want, modelType.unsupported = `"mamba", which means Mamba-2 here`, true
	return []field{
		intField("dim", &m.DModel, 1, maxWidth),
		intField("n_layers", &m.NLayer, 1, maxLayers),
		intField("vocab_size", &m.VocabSize, 1, maxWidth),
		intField("n_groups", &m.NGroups, 1, maxInner),
		boolField("rms_norm", &m.RMSNorm), // refuseVariants refused false
		boolField("residual_in_fp32", &m.ResidualInFP32),
		boolField("fused_add_norm", &m.FusedAddNorm),
		intField(keyMultiple, &m.Multiple, 1, maxWidth),
		boolField("tie_embeddings", &m.Tie),
		modelType,
	}
}

// IsMistral reports whether data looks like mistral's params.json of a Mamba-2 model, which early releases call
// config.json.
func IsMistral(data []byte) bool {
	keys, err := jsonobj.Parse(data)
	return err == nil && has(keys, "dim", "n_layers", "n_groups") && !has(keys, "architectures") && !has(keys, "hidden_size")
}

// ParseMistral reads mistral's params.json; file is its name for messages. Every key but model_type must be there, as
// mistral-inference demands; others are kept. Errors are those of ParseHF.
func ParseMistral(file string, data []byte) (Config, error) {
	return read(file, data, parseMistral)
}

func parseMistral(data []byte) (Config, error) {
	keys, notes, err := readKeys(data)
	if err != nil {
		return nil, err
	}
	if err := cmp.Or(refuseQuantized(keys), refuseVariants(keys)); err != nil {
		return nil, err
	}
	if !has(keys, "n_groups") && has(keys, "dim") {
		return nil, unsupported("n_groups", "missing: these are the parameters of another architecture; only Mamba-2 models have this key")
	}
	p := &mistral{ModelType: "mamba"}
	fields := p.fields()
	for _, f := range fields {
		if f.key != keyModelType && !has(keys, f.key) {
			return nil, formatError(f.key, "missing, expected %s", f.want)
		}
	}
	var rest Common
	if _, err := decode(keys, fields, &rest); err != nil {
		return nil, err
	}
	if err := checkFields(fields); err != nil {
		return nil, err
	}
	c := newMixer2(p.DModel)
	c.NGroups = p.NGroups
	if inner := int64(c.Expand) * int64(p.DModel); inner > maxWidth || inner%int64(c.HeadDim) != 0 {
		return nil, formatError("dim", "found %d, expected a multiple of %d, at most %d",
			p.DModel, c.HeadDim/c.Expand, maxWidth/c.Expand)
	}
	if err := p.complete(c, ""); err != nil {
		return nil, spelled("mistral", Mamba2, err)
	}
	s := c.Shared()
	s.Extra, s.notes = append(s.Extra, rest.Extra...), notes
	bos := 1 // the ids of its SentencePiece tokenizer, which does not have padding
	s.BosTokenID, s.EosTokenID, s.PadTokenID = &bos, TokenIDs{IDs: []int{2}}, nil
	return c, c.Validate()
}

// EncodeMistral implements Config.
func (c *Mamba2Config) EncodeMistral() ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if err := unsaid("mistral", "mistral's layout", c, newMixer2(c.HiddenSize)); err != nil {
		return nil, err
	}
	vocab, multiple := c.unpadded(1)
	p := &mistral{
		original: original{
			DModel: c.HiddenSize, NLayer: c.NumHiddenLayers, VocabSize: vocab, Multiple: multiple,
			RMSNorm: true, ResidualInFP32: c.ResidualInFP32, FusedAddNorm: c.fusedAddNorm(), Tie: c.TieWordEmbeddings,
		},
		NGroups: c.NGroups, ModelType: "mamba",
	}
	out := []byte("{")
	for i, f := range p.fields() {
		if i > 0 {
			out = append(out, ',')
		}
		out = jsonobj.AppendNewline(out, 2)
		out = jsonobj.AppendString(out, f.key)
		out = append(append(out, ": "...), f.text()...)
	}
	return append(jsonobj.AppendNewline(out, 0), '}', '\n'), nil
}
