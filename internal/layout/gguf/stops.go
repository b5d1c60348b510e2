package gguf

import (
	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/layout"
)

// stops returns the ids at which llama.cpp ends a text, and those that our own key adds.
func stops(o *layout.Opened) ([]int64, error) {
	ids, known := gguf.Ends(o.Weights.Keys)
	if own, ok := generationKey(o); ok {
		text, err := own.Str()
		var more []int64
		if err == nil {
			more, err = config.ParseStops([]byte(text))
		}
		if err != nil {
			return ids, &badfile.FormatError{File: o.Path, Where: "key " + badfile.Quote(gguf.KeyGeneration), Detail: err.Error()}
		}
		return append(ids, more...), nil
	}
	if !known {
		return layout.ConfiguredStops(o), nil
	}
	return ids, nil
}

// generation returns the generation_config.json that our own key holds.
func generation(o *layout.Opened) ([]byte, error) {
	if own, ok := generationKey(o); ok {
		text, _ := own.Str() // another kind of value is reported with the stops
		return []byte(text), nil
	}
	return nil, nil
}

func generationKey(o *layout.Opened) (v gguf.Value, ok bool) {
	return gguf.Find(o.Weights.Keys, gguf.KeyGeneration)
}
