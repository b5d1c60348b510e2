package config

import "github.com/gomamba/gomamba/internal/jsonobj"

// hybridDefaults adds to c the defaults that transformers has in the classes of all hybrids.
func hybridDefaults(c Common) Common {
	pad, bos := 0, 1
	c.PadTokenID, c.BosTokenID, c.EosTokenID = &pad, &bos, TokenIDs{IDs: []int{2}}
	c.Expand, c.ConvKernel, c.UseConvBias, c.HiddenAct = 2, 4, true, "silu"
	c.InitializerRange, c.UseCache = 0.02, true
	c.TimeStepMin, c.TimeStepMax, c.TimeStepFloor = 0.001, 0.1, 1e-4 // many classes do not have keys for these
	return c
}

// The fields of hybrids are made of the lists below. Each family adds its own, some of them in between.

// modelFields are those of every hybrid. epsilon is the key of LayerNormEpsilon; layers say how many layers there are and of
// which kinds.
func (c *Common) modelFields(epsilon string, layers ...field) []field {
	fields := append([]field{
		classesField("architectures", &c.Architectures).deciding(Nothing),
		intField("vocab_size", &c.VocabSize, 1, maxWidth).deciding(Tensors),
		intField("hidden_size", &c.HiddenSize, 1, maxWidth).deciding(Tensors),
	}, layers...)
	return append(fields,
		epsilonField(epsilon, &c.LayerNormEpsilon).deciding(Results),
		idField("pad_token_id", &c.PadTokenID).deciding(Nothing),
		idField("bos_token_id", &c.BosTokenID).deciding(Nothing),
		idsField(KeyEOS, &c.EosTokenID).deciding(Nothing),
	)
}

func (c *Common) depthField() field {
	return intField("num_hidden_layers", &c.NumHiddenLayers, 1, maxLayers).deciding(Tensors)
}

func (c *Common) tiedField() field {
	return boolField(keyTied, &c.TieWordEmbeddings).deciding(Tensors)
}

// siluField is a key for HiddenAct: the one activation, under two names.
func (c *Common) siluField(key string) field {
	return activationField(key, &c.HiddenAct).deciding(Nothing)
}

// mixer1Fields are those of Mamba-1. used says that the model has such blocks.
func (c *Common) mixer1Fields(rank *int, used bool) []field {
	return []field{
		intField("mamba_d_state", &c.StateSize, 1, maxInner).deciding(Tensors).counting(used),
		intField("mamba_d_conv", &c.ConvKernel, 1, maxInner).deciding(Tensors).counting(used),
		intField("mamba_expand", &c.Expand, 1, maxInner).deciding(Tensors).counting(used),
		rankField("mamba_dt_rank", rank).deciding(Tensors).counting(used),
		boolField("mamba_conv_bias", &c.UseConvBias).deciding(Tensors),
		boolField("mamba_proj_bias", &c.UseBias).deciding(Tensors),
	}
}

// runFields are the last fields of hybrids, which change no result.
func (c *Common) runFields() []field {
	return []field{
		floatField("initializer_range", &c.InitializerRange).deciding(Nothing),
		boolField("use_cache", &c.UseCache).deciding(Nothing),
		optionalBoolField("output_hidden_states", &c.OutputHiddenStates).deciding(Nothing),
		dtypeField("torch_dtype", &c.DType).deciding(Nothing),
		dtypeAliasField("dtype", &c.DType).deciding(Nothing),
	}
}

// respelled returns the members with aliases under the keys that these stand for, which they replace. given has the alias by
// the key.
func respelled(keys jsonobj.Members, aliases map[string]string) (list jsonobj.Members, given map[string]string) {
	given = make(map[string]string)
	for _, m := range keys {
		if key, ok := aliases[m.Key]; ok {
			given[key] = m.Key
		}
	}
	for _, m := range keys {
		key, ok := aliases[m.Key]
		if ok {
			m.Key = key
		} else if given[m.Key] != "" {
			continue
		}
		list = append(list, m)
	}
	return list, given
}

// notInOld is embedded by the configurations of families that the older layouts do not hold.
type notInOld struct{ family Family }

// EncodeOriginal implements Config: mamba_ssm does not have such a model.
func (o notInOld) EncodeOriginal() ([]byte, error) {
	return nil, noLayoutBut(o.family, "the original layout")
}

// EncodeMistral implements Config: mistral does not have such a model.
func (o notInOld) EncodeMistral() ([]byte, error) {
	return nil, noLayoutBut(o.family, "mistral's layout")
}

// noLayoutBut is the error of an older layout for a family that it does not hold.
func noLayoutBut(f Family, layout string) error {
	return unsupported(keyModelType, "found %q: %s is not written for hybrids", f, layout)
}
