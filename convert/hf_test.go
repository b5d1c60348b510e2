package convert

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

const fixtures = "../fixtures/mamba1"

// sourcesOf opens a checkpoint and offers its tensors in another order and in odd pieces.
func sourcesOf(t *testing.T, dir string) (config.Config, []Source) {
	t.Helper()
	ck, err := loader.Open(dir, loader.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ck.Close(); err != nil {
			t.Error(err)
		}
	})
	var sources []Source
	for _, x := range ck.Tensors() {
		sources = append(sources, inPieces(x, 1001))
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(sources), func(i, j int) { sources[i], sources[j] = sources[j], sources[i] })
	return ck.Config(), sources
}

func inPieces(x tensor.Tensor, size int) Source {
	return Source{Name: x.Name, DType: x.DType, Shape: x.Shape, Write: func(emit func([]byte) error) error {
		for piece := range slices.Chunk(x.Data, size) {
			if err := emit(piece); err != nil {
				return err
			}
		}
		return nil
	}}
}

func read(t *testing.T, elem ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The fixtures were written by save_pretrained of transformers 5.24. Written again they are the same bytes, in one
// file as in shards: tensor order, headers, shard boundaries, index and generation config.
func TestSameAsSavePretrained(t *testing.T) {
	var folders []string
	for _, family := range []string{"mamba1", "nemotron", "granite", "jamba", "zamba", "zamba2"} {
		found, err := filepath.Glob(filepath.Join(fixtures, "..", family, "*", filenames.Config))
		if err != nil || len(found) == 0 {
			t.Fatalf("no fixtures of %s: %v", family, err)
		}
		folders = append(folders, found...)
	}
	for _, path := range folders {
		src := filepath.Dir(path)
		cfg, sources := sourcesOf(t, src)
		dst := filepath.Join(t.TempDir(), "out")
		opts := Options{}
		if filepath.Base(src) == "sharded" {
			opts.MaxShardSize = 40_000 // as in fixtures/generate.py, and in hybrids.py
			if config.Hybrid(cfg.Family()) {
				opts.MaxShardSize = 20_000
			}
			if cfg.Family() == config.Jamba {
				opts.MaxShardSize = 8_000
			}
		}
		if err := WriteHF(context.Background(), dst, cfg, sources, opts); err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		expected := []string{filenames.Config}
		for _, name := range filesIn(t, src) {
			if name != filenames.Generation && !strings.HasPrefix(name, "model") {
				continue // config.json is package config's, the rest are references
			}
			expected = append(expected, name)
			if !bytes.Equal(read(t, dst, name), read(t, src, name)) {
				t.Errorf("%s: %s differs", src, name)
			}
		}
		slices.Sort(expected)
		if got := filesIn(t, dst); !slices.Equal(got, expected) {
			t.Errorf("%s: wrote %v, want %v", src, got, expected)
		}
		ck, err := loader.Open(dst, loader.Options{Strict: true})
		if err != nil {
			t.Fatal(err)
		}
		if problems := ck.Problems(); len(problems) > 0 {
			t.Errorf("%s: %v", src, problems)
		}
		if err := ck.Close(); err != nil {
			t.Error(err)
		}
	}
}

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Each row stops the writing in some way; nothing may be left of it, and what was there before stays.
func TestFailure(t *testing.T) {
	cfg, good := sourcesOf(t, filepath.Join(fixtures, "default"))
	broken := errors.New("the disk of the source is broken")
	replace := func(i int, s Source) []Source {
		out := slices.Clone(good)
		out[i] = s
		return out
	}
	named := func(s Source, name string) Source { s.Name = name; return s }
	emit := func(n int, err error) Source {
		s := good[3]
		s.Write = func(emit func([]byte) error) error { return errors.Join(emit(make([]byte, n)), err) }
		return s
	}
	ctx, cancel := context.WithCancel(context.Background())
	size, _ := tensor.ByteCount(good[3].DType, good[3].Shape)
	for _, test := range []struct {
		name    string
		sources []Source
		opts    Options
		ctx     context.Context
		want    string
	}{
		{name: "missing", sources: good[1:], want: "missing"},
		{name: "twice", sources: replace(0, good[1]), want: "given twice"},
		{name: "foreign", sources: append(slices.Clone(good), named(good[0], "stray")), want: `tensor "stray": is not a tensor of this configuration`},
		{name: "shape", sources: replace(3, Source{Name: good[3].Name, DType: tensor.F32, Shape: []int{1}}), want: "found the shape [1], expected ["},
		{name: "dtype", sources: replace(3, Source{Name: good[3].Name, DType: tensor.I64, Shape: good[3].Shape}), want: "found dtype I64"},
		{name: "source fails", sources: replace(3, emit(4, broken)), want: broken.Error()},
		{name: "too little", sources: replace(3, emit(size-4, nil)), want: "incomplete"},
		{name: "too much", sources: replace(3, emit(size+4, nil)), want: "do not fit"},
		{name: "shard size", sources: good, opts: Options{MaxShardSize: -1}, want: "expected a positive number"},
		{
			name: "interrupted", sources: good, ctx: ctx, want: "context canceled",
			opts: Options{Force: true, Progress: func(done, total int64) {
				if done > total/2 {
					cancel()
				}
			}},
		},
		{name: "occupied", sources: good, want: "already exists"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			dst := filepath.Join(root, "out")
			if test.name == "occupied" || test.opts.Force {
				if err := errors.Join(os.Mkdir(dst, 0o755), os.WriteFile(filepath.Join(dst, "pytorch_model.bin"), nil, 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			before := tree(t, root)
			if test.ctx == nil {
				test.ctx = context.Background()
			}
			err := WriteHF(test.ctx, dst, cfg, test.sources, test.opts)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if after := tree(t, root); !slices.Equal(after, before) {
				t.Errorf("left %v, before there were %v", after, before)
			}
		})
	}
}

func tree(t *testing.T, root string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestProgressAndForce(t *testing.T) {
	cfg, sources := sourcesOf(t, filepath.Join(fixtures, "default"))
	dst := filepath.Join(t.TempDir(), "out")
	if err := errors.Join(os.Mkdir(dst, 0o755), os.WriteFile(filepath.Join(dst, "pytorch_model.bin"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	last := int64(0)
	err := WriteHF(context.Background(), dst, cfg, sources, Options{Force: true, MaxShardSize: 50_000, Progress: func(done, total int64) {
		if done <= last || done > total {
			t.Errorf("progress %d after %d of %d", done, last, total)
		}
		last = done
	}})
	if err != nil {
		t.Fatal(err)
	}
	if last != 175744 { // bytes of all tensors of the fixture
		t.Errorf("progress ended at %d", last)
	}
	if got := filesIn(t, dst); slices.Contains(got, "pytorch_model.bin") {
		t.Errorf("the old folder was not replaced: %v", got)
	}
}

// 50 MB of one tensor go through without being held.
func TestBoundedMemory(t *testing.T) {
	cfg := config.NewMamba()
	cfg.VocabSize, cfg.HiddenSize, cfg.IntermediateSize, cfg.TimeStepRank, cfg.NumHiddenLayers = 200_000, 64, 128, 4, 1
	table, err := names.Table(cfg)
	if err != nil {
		t.Fatal(err)
	}
	piece := make([]byte, 1<<20)
	var sources []Source
	for _, spec := range table {
		if spec.Optional {
			continue
		}
		size, _ := tensor.ByteCount(tensor.F32, spec.Shape)
		sources = append(sources, Source{Name: spec.Name, DType: tensor.F32, Shape: spec.Shape, Write: func(emit func([]byte) error) error {
			for left := size; left > 0; left -= len(piece) {
				if err := emit(piece[:min(left, len(piece))]); err != nil {
					return err
				}
			}
			return nil
		}})
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := WriteHF(context.Background(), filepath.Join(t.TempDir(), "out"), cfg, sources, Options{}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 1<<20 {
		t.Errorf("%d bytes allocated in all", allocated)
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"5GB": 5e9, "50gb": 50e9, "200MB": 200e6, "1.5 kB": 1500, "2GiB": 2 << 30, "300M": 300e6, "2G": 2e9, "4096": 4096, "7B": 7,
		"": 0, "GB": 0, "-1GB": 0, "0": 0, "1XB": 0, "NaN": 0, "InfGB": 0, "1e30": 0,
	} {
		got, err := ParseSize(text)
		if got != want || (err != nil) != (want == 0) {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
}
