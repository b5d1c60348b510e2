package write

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/gomamba/gomamba/config"
)

// Generation renders generation_config.json as transformers 5.24 derives it from a model's configuration
// (generation/configuration_utils.py, from_model_config): the keys that config.json has in common with it, sorted.
func Generation(cfg config.Config) ([]byte, error) {
	c := cfg.Shared()
	keys := map[string]any{
		"_from_model_config":   true,
		"output_attentions":    false,
		"output_hidden_states": c.OutputHiddenStates,
		"transformers_version": "5.24.0",
		"use_cache":            c.UseCache,
	}
	if c.OutputHiddenStates {
		keys["return_dict_in_generate"] = true
	}
	if c.BosTokenID != nil {
		keys["bos_token_id"] = *c.BosTokenID
	}
	if c.PadTokenID != nil {
		keys["pad_token_id"] = *c.PadTokenID
	}
	switch ids := c.EosTokenID.IDs; {
	case c.EosTokenID.List:
		keys["eos_token_id"] = slices.Concat([]int{}, ids)
	case len(ids) > 0:
		keys["eos_token_id"] = ids[0]
	}
	return JSON(keys)
}

// generationOf returns the generation_config.json of the source. If it does not have one that transformers reads,
// it is the one that follows from the configuration, with the ends of texts that the source has without it.
func (p *Plan) generationOf() ([]byte, error) {
	text, err := p.From.Generation()
	if err != nil || text != nil && p.From.Unread == nil {
		return text, err
	}
	if p.From.Unread != nil {
		p.Note(p.From.Unread.Error() + ": written again from the configuration, as transformers reads it")
	}
	cfg := p.From.Config.Clone()
	SetStops(cfg, p.From.Stops)
	return Generation(cfg)
}

// SetStops states the ids that end a text, as they are stated already if they are the same.
func SetStops(cfg config.Config, ids []int64) {
	ends := make(map[int]bool)
	for _, id := range ids {
		ends[int(id)] = true
	}
	have := make(map[int]bool)
	for _, id := range cfg.Shared().EosTokenID.IDs {
		have[id] = true
	}
	if !maps.Equal(ends, have) {
		cfg.Shared().EosTokenID = config.TokenIDs{IDs: slices.Sorted(maps.Keys(ends)), List: len(ends) > 1}
	}
}

// JSON renders v as Python's json.dumps(indent=2, sort_keys=True), and a newline.
func JSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
