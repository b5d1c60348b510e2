package model_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
)

const fixtureDir = "../fixtures"

var everything = model.Want{Logits: model.LogitsAll, HiddenStates: true}

// open readies a fixture's network.
func open(t testing.TB, path string, opts model.Options) (*loader.Checkpoint, *model.Model) {
	t.Helper()
	ck, err := loader.Open(path, loader.Options{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ck.Close() })
	m, err := model.New(ck, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return ck, m
}

// readDump opens a dump and returns it with its input.
func readDump(t *testing.T, path string) (*dump.Dump, model.Batch) {
	t.Helper()
	d, err := dump.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	ids, ok := d.InputIDs()
	if !ok {
		t.Fatalf("%s: no input_ids", path)
	}
	b := model.Batch{Sequences: d.Batch(), Tokens: d.Tokens(), IDs: ids}
	b.Mask, _ = d.AttentionMask()
	return d, b
}

// glob returns the fixtures that match, and fails when there are none.
func glob(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(fixtureDir, pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("no fixtures match %s (%v)", pattern, err)
	}
	return found
}

// forward runs a batch from a fresh cache.
func forward(t testing.TB, m *model.Model, b model.Batch, want model.Want) (*model.Output, *model.Cache) {
	t.Helper()
	cache := m.NewCache(b.Sequences)
	out, err := m.Forward(context.Background(), b, cache, want)
	if err != nil {
		t.Fatal(err)
	}
	return out, cache
}

// someIDs returns n ids that wander through the vocabulary.
func someIDs(m *model.Model, n, start int) []int64 {
	ids := make([]int64, n)
	for t := range ids {
		ids[t] = int64((start + 29*t + t*t) % m.Config().Shared().VocabSize)
	}
	return ids
}
