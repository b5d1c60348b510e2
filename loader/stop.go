package loader

import (
	"cmp"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// StopTokens returns the ids that end a text, sorted. In a folder they are those at which transformers' generate() stops:
// eos_token_id of generation_config.json, or without a readable one that of config.json. In a GGUF file they are those at
// which llama.cpp stops, and what our own key adds. An error says what could not be read; the ids are right even so.
func (ck *Checkpoint) StopTokens() (ids []int64, err error) {
	if kvs := ck.GGUFKeys(); kvs != nil {
		ids, err = ck.stopsGGUF(kvs)
	} else {
		ids, err = ck.stopsFolder()
	}
	slices.Sort(ids)
	return slices.Compact(ids), err
}

func (ck *Checkpoint) stopsFolder() ([]int64, error) {
	path := filepath.Join(ck.path, filenames.Generation)
	data, unread := jsonobj.ReadFile(path, config.MaxFile)
	if unread == nil {
		var ids []int64
		if ids, unread = config.ParseStops(data); unread == nil {
			return ids, nil
		}
		unread = &badfile.FormatError{File: path, Detail: unread.Error()}
	}
	if errors.Is(unread, fs.ErrNotExist) {
		unread = nil
	}
	if ck.layout != "hf" {
		return ck.configured(), unread
	}
	data, err := jsonobj.ReadFile(filepath.Join(ck.path, filenames.Config), config.MaxFile)
	if err != nil {
		return ck.configured(), cmp.Or(unread, err)
	}
	ids, err := config.ParseStops(data)
	return ids, cmp.Or(unread, err)
}

// configured are the ids of the configuration as it is resolved.
func (ck *Checkpoint) configured() (ids []int64) {
	for _, id := range ck.cfg.Shared().EosTokenID.IDs {
		ids = append(ids, int64(id))
	}
	return ids
}

func (ck *Checkpoint) stopsGGUF(kvs []gguf.KV) ([]int64, error) {
	ids, known := gguf.Ends(kvs)
	if own, ok := ggufValue(kvs, gguf.KeyGeneration); ok {
		text, err := own.Str()
		var more []int64
		if err == nil {
			more, err = config.ParseStops([]byte(text))
		}
		if err != nil {
			return ids, &badfile.FormatError{File: ck.path, Where: "key " + badfile.Quote(gguf.KeyGeneration), Detail: err.Error()}
		}
		return append(ids, more...), nil
	}
	if !known {
		return ck.configured(), nil
	}
	return ids, nil
}

func ggufValue(kvs []gguf.KV, key string) (v gguf.Value, ok bool) {
	for _, kv := range kvs {
		if kv.Key == key {
			return kv.Value, true
		}
	}
	return v, false
}
