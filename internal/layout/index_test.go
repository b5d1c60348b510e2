package layout

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/hostile"
)

func FuzzIndex(f *testing.F) {
	for _, seed := range hostile.Seeds(".index.json") {
		f.Add(seed)
	}
	for _, seed := range []string{
		`{"metadata": {"total_size": 112368.0, "total_parameters": 28092}, "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "c"}}`,
		`{"weight_map": {"a": "../x"}}`, `{"weight_map": {"a": "/x"}}`, `{"weight_map": {"a": "x\\y"}}`, `{"weight_map": {"a": ""}}`,
		`{"weight_map": {"a": "\u0000"}}`, `{"weight_map": {"a": null}}`, `{"weight_map": {"a": "x", "a": "y"}}`, `{"weight_map": {}}`,
		`{"weight_map": []}`, `{"metadata": null, "weight_map": {"a": "x"}}`, `{"metadata": {"total_size": NaN}, "weight_map": {"a": "x"}}`,
		`{"metadata": {"total_size": 1e999}, "weight_map": {"\ud800": "x"}}`, `{"Weight_Map": {"a": "x"}}`, `{"weight_map": {"a": "."}}`,
		`{"weight_map": {"a": "x", "b": "x", "c": "CON", "d": "C:"}}`, `{`, ``, `[]`, `<html>`, "version https://git-lfs.github.com/spec/v1\n",
		strings.Repeat(`{"weight_map":`, 2000),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := parseIndex("index.json", data)
		if err != nil {
			if _, ok := errors.AsType[*badfile.FormatError](err); !ok {
				t.Errorf("no FormatError: %v", err)
			}
			if text := err.Error(); strings.ContainsFunc(text, unicode.IsControl) || len(text) > 1000 || !strings.Contains(text, "index.json") {
				t.Errorf("message %q", text)
			}
			return
		}
		if len(x.shards) == 0 || len(x.shards) > filenames.MaxShards || len(x.shardOf) < len(x.shards) {
			t.Fatalf("%d shards, %d tensors", len(x.shards), len(x.shardOf))
		}
		dir := filepath.Join("some", "dir")
		for _, shard := range x.shards {
			if path := filepath.Join(dir, shard); filepath.Dir(path) != dir || bytes.ContainsAny([]byte(shard), "/\\\x00") {
				t.Fatalf("shard %q leads to %s", shard, path)
			}
		}
	})
}
