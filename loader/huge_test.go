//go:build unix

package loader_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/layout/layouttest"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// A checkpoint of the shape of mamba-2.8b, 11 GB in a sparse file, opens at once and without memory.
func TestHugeCheckpoint(t *testing.T) {
	cfg := config.NewMamba()
	cfg.HiddenSize, cfg.IntermediateSize, cfg.TimeStepRank, cfg.NumHiddenLayers = 2560, 5120, 160, 64
	table, err := names.Table(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var entries []safetensors.Entry
	for _, s := range table {
		if !s.Optional {
			entries = append(entries, safetensors.Entry{Name: s.Name, DType: tensor.F32, Shape: s.Shape})
		}
	}
	dir := t.TempDir()
	text, err := cfg.EncodeHF()
	if err != nil {
		t.Fatal(err)
	}
	layouttest.WriteFile(t, filepath.Join(dir, filenames.Config), text)
	header, _, size, err := safetensors.Layout(entries, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, filenames.ModelFile)
	layouttest.WriteFile(t, path, header)
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	ck := open(t, dir, loader.Options{})
	took := time.Since(start)
	if err := ck.Check(); err != nil {
		t.Fatal(err)
	}
	b := loader.NewBinder(ck)
	for _, e := range entries {
		b.Take(e.Name)
	}
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	t.Logf("%d tensors, %d bytes: opened in %v, %d bytes allocated", len(ck.Tensors()), size, took, allocated)
	if size < 11_000_000_000 || len(ck.Tensors()) != 642 {
		t.Errorf("%d tensors in %d bytes are not mamba-2.8b", len(ck.Tensors()), size)
	}
	if allocated > 8<<20 {
		t.Errorf("%d bytes allocated in all, want 8 MB at most", allocated)
	}
	if took > time.Second {
		t.Errorf("opened in %v, want milliseconds", took)
	}
}
