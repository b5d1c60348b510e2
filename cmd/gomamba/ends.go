package main

import (
	"path/filepath"
	"slices"

	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/tokenizer"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
)

// endsText returns what tells the tokens that end a text: those of the model's configuration, of its
// generation_config.json, as transformers' generate() has it, and of its tokenizer.
func endsText(ck *loader.Checkpoint, m *model.Model, t *tokenizer.Tokenizer) func(id int64) bool {
	ends := generationEnds(ck)
	if t != nil && t.Config().EOS != "" {
		if id, ok := t.ID(t.Config().EOS); ok {
			ends = append(ends, id)
		}
	}
	eos := m.Config().Shared().EosTokenID
	return func(id int64) bool { return slices.Contains(ends, id) || eos.Contains(int(id)) }
}

// maxGenerationConfig bounds generation_config.json.
const maxGenerationConfig = 1 << 20

// generationEnds reads eos_token_id, one or a list, of generation_config.json. A file that is not there, or is not as
// expected, ends no text.
func generationEnds(ck *loader.Checkpoint) (ids []int64) {
	data, err := jsonobj.ReadFile(filepath.Join(ck.Path(), "generation_config.json"), maxGenerationConfig)
	if err != nil {
		return nil
	}
	members, err := jsonobj.Parse(data)
	if err != nil {
		return nil
	}
	v, _ := members.Get("eos_token_id")
	list, ok := v.Elems(1000)
	if !ok {
		list = []jsonobj.Value{v}
	}
	for _, v := range list {
		if id, ok := v.Int(); ok {
			ids = append(ids, int64(id))
		}
	}
	return ids
}
