package convert_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// random writes a Hugging Face folder of cfg with weights drawn by name. A_log holds logarithms of small integers, as
// new models do, which come back from A to the bit.
func random(t *testing.T, cfg config.Config, dtype tensor.DType) string {
	t.Helper()
	table, err := names.Table(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var sources []convert.Source
	for i, spec := range table {
		if spec.Optional {
			continue
		}
		n, _ := tensor.Count(spec.Shape)
		rng := rand.New(rand.NewPCG(uint64(i), 5))
		values := make([]float32, n)
		for j := range values {
			values[j] = float32(rng.NormFloat64()) / 4
			if names.IsALog(spec.Name) {
				values[j] = float32(math.Log(float64(1 + j%16)))
			}
		}
		data := make([]byte, n*dtype.Size())
		tensor.NarrowF32(data, dtype, values)
		sources = append(sources, convert.Source{Name: spec.Name, DType: dtype, Shape: spec.Shape,
			Write: func(emit func([]byte) error) error { return emit(data) }})
	}
	cfg.Shared().DType = map[tensor.DType]string{tensor.F32: "float32", tensor.BF16: "bfloat16", tensor.F16: "float16"}[dtype]
	dst := filepath.Join(t.TempDir(), "source")
	if err := convert.WriteHF(t.Context(), dst, cfg, sources, convert.Options{}); err != nil {
		t.Fatal(err)
	}
	return dst
}

// codestral is a tiny model of the shape that mistral's layout can hold.
func codestral(groups int, tied bool) *config.Mamba2Config {
	c := config.NewMamba2()
	c.VocabSize, c.HiddenSize, c.NumHiddenLayers, c.NumHeads, c.NGroups, c.TieWordEmbeddings = 48, 128, 2, 4, groups, tied
	return c
}

// small is a tiny Mamba-2 model in which no size is the usual one.
func small() *config.Mamba2Config {
	c := config.NewMamba2()
	c.VocabSize, c.HiddenSize, c.NumHiddenLayers, c.Expand, c.NumHeads, c.HeadDim, c.NGroups = 30, 20, 2, 3, 12, 5, 4
	c.StateSize, c.ConvKernel, c.ChunkSize = 6, 3, 7
	return c
}

func falcon() *config.FalconMambaConfig {
	c := config.NewFalconMamba()
	c.VocabSize, c.HiddenSize, c.IntermediateSize, c.NumHiddenLayers, c.TimeStepRank, c.MixerRMSEps = 40, 32, 64, 2, 3, 3e-5
	c.TieWordEmbeddings = false
	return c
}

// TestEveryRoute takes models of all families from every layout that holds them to every other and back.
func TestEveryRoute(t *testing.T) {
	biased := small()
	biased.UseBias, biased.UseConvBias = true, false
	limited := small()
	limited.TimeStepLimit = [2]float64{0.01, math.Inf(1)}
	for name, model := range map[string]struct {
		cfg   config.Config
		dtype tensor.DType
		holds []convert.Layout
	}{
		"codestral":        {codestral(2, false), tensor.BF16, []convert.Layout{convert.HF, convert.Original, convert.Mistral, convert.GGUF}},
		"tied mamba2":      {codestral(1, true), tensor.F32, []convert.Layout{convert.HF, convert.Original, convert.Mistral, convert.GGUF}},
		"small mamba2":     {small(), tensor.F16, []convert.Layout{convert.HF, convert.Original, convert.GGUF}},
		"biased mamba2":    {biased, tensor.F32, []convert.Layout{convert.HF, convert.Original}},
		"limited mamba2":   {limited, tensor.F32, []convert.Layout{convert.HF, convert.Original}},
		"falcon":           {falcon(), tensor.BF16, []convert.Layout{convert.HF, convert.GGUF}},
		"falcon, full f32": {falcon(), tensor.F32, []convert.Layout{convert.HF, convert.GGUF}},
	} {
		t.Run(name, func(t *testing.T) {
			source := random(t, model.cfg, model.dtype)
			for _, from := range model.holds {
				a := converted(t, source, place(t, from), convert.Request{To: from})
				for _, to := range model.holds {
					b := converted(t, a, place(t, to), convert.Request{To: to})
					back := converted(t, b, place(t, from), convert.Request{To: from})
					if !sameBytes(t, a, back) {
						t.Errorf("%s to %s and back: other bytes", from, to)
					}
					home := converted(t, back, place(t, convert.HF), convert.Request{To: convert.HF})
					if was, is := settings(t, source), settings(t, home); was != is {
						t.Errorf("%s to %s: the configuration was\n%s\nand came back as\n%s", from, to, was, is)
					}
					if !sameFile(t, filepath.Join(source, "model.safetensors"), filepath.Join(home, "model.safetensors")) {
						t.Errorf("%s to %s: the weights came back as other bytes", from, to)
					}
				}
			}
		})
	}
}

// place returns a new destination for a layout.
func place(t *testing.T, l convert.Layout) string {
	if l == convert.GGUF {
		return filepath.Join(t.TempDir(), "model.gguf")
	}
	return filepath.Join(t.TempDir(), "model")
}

// sameBytes compares two files, or all files of two folders.
func sameBytes(t *testing.T, a, b string) bool {
	t.Helper()
	info, err := os.Stat(a)
	if err != nil {
		t.Fatal(err)
	}
	if !info.IsDir() {
		return sameTensors(t, a, b) // general.name follows the folder's
	}
	entries, err := os.ReadDir(a)
	if err != nil {
		t.Fatal(err)
	}
	same := true
	for _, e := range entries {
		same = sameFile(t, filepath.Join(a, e.Name()), filepath.Join(b, e.Name())) && same
	}
	return same
}

// TestWhatLayoutsCannotHold is refused by the key of config.json.
func TestWhatLayoutsCannotHold(t *testing.T) {
	edit := func(c *config.Mamba2Config, change func(c *config.Mamba2Config)) config.Config {
		change(c)
		return c
	}
	for _, test := range []struct {
		cfg config.Config
		to  convert.Layout
		key string
	}{
		{falcon(), convert.Original, "model_type"},
		{falcon(), convert.Mistral, "model_type"},
		{edit(small(), func(c *config.Mamba2Config) { c.UseBias = true }), convert.GGUF, "use_bias"},
		{edit(small(), func(c *config.Mamba2Config) { c.TimeStepLimit[1] = 0.2 }), convert.GGUF, "time_step_limit"},
		{edit(small(), func(c *config.Mamba2Config) { c.LayerNormEpsilon = 1e-6 }), convert.Original, "layer_norm_epsilon"},
		{small(), convert.Mistral, "state_size"},
		{edit(codestral(2, false), func(c *config.Mamba2Config) { c.NumHeads, c.HeadDim = 8, 32 }), convert.Mistral, "head_dim"},
		{edit(codestral(2, false), func(c *config.Mamba2Config) { c.UseBias = true }), convert.Mistral, "use_bias"},
		{edit(codestral(2, false), func(c *config.Mamba2Config) { c.TimeStepLimit[0] = 0.1 }), convert.Mistral, "time_step_limit"},
	} {
		_, err := convert.NewPlan(openFixture(t, random(t, test.cfg, tensor.F32)), convert.Request{To: test.to})
		var unsupported *badfile.UnsupportedError
		if !errors.As(err, &unsupported) || unsupported.Where != test.key || unsupported.File == "" {
			t.Errorf("%s to %s: error %v, want an UnsupportedError about %s", test.cfg.Family(), test.to, err, test.key)
		}
	}
}

// TestCodestralFolder begins with what Mamba-Codestral's first release holds: params.json and consolidated.safetensors
// and nothing else, and no word of ours beside them.
func TestCodestralFolder(t *testing.T) {
	folder := converted(t, random(t, codestral(2, false), tensor.BF16), place(t, convert.Mistral), convert.Request{To: convert.Mistral})
	if err := os.Remove(filepath.Join(folder, "hf_config.json")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%v (%v), want params.json and consolidated.safetensors", entries, err)
	}
	cfg := openFixture(t, folder).Config().(*config.Mamba2Config)
	if cfg.NumHeads != 4 || cfg.NGroups != 2 || cfg.StateSize != 128 || cfg.TieWordEmbeddings || cfg.EosTokenID.IDs[0] != 2 {
		t.Errorf("read as %+v", cfg)
	}
	for _, to := range []convert.Layout{convert.HF, convert.Original, convert.GGUF} {
		back := converted(t, converted(t, folder, place(t, to), convert.Request{To: to}), place(t, convert.Mistral), convert.Request{To: convert.Mistral})
		if !sameBytes(t, folder, back) {
			t.Errorf("through %s: other bytes", to)
		}
	}
	early := t.TempDir() // the same under transformers' names, as the first files were called
	for was, is := range map[string]string{"params.json": "config.json", "consolidated.safetensors": "model.safetensors"} {
		data, err := os.ReadFile(filepath.Join(folder, was))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(early, is), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if ck := openFixture(t, early); ck.Layout() != "mistral" || ck.Check() != nil {
		t.Errorf("under the early names: layout %s, %v", ck.Layout(), ck.Check())
	}
}

// TestOldMamba2GGUF reads the shapes that llama.cpp's converter gave before its pull request 9126 was merged: vectors.
func TestOldMamba2GGUF(t *testing.T) {
	source := random(t, small(), tensor.F32)
	file := converted(t, source, place(t, convert.GGUF), convert.Request{To: convert.GGUF})
	f, err := gguf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tensors := slices.Clone(f.Tensors())
	flat := 0
	for i, x := range tensors {
		if strings.HasSuffix(x.Name, ".ssm_a") || strings.HasSuffix(x.Name, ".ssm_d") || strings.HasSuffix(x.Name, ".ssm_norm.weight") {
			tensors[i].Shape = []int{len(x.Data) / 4}
			flat++
		}
	}
	if flat != 6 {
		t.Fatalf("%d tensors to flatten, want 3 in each of 2 layers", flat)
	}
	old := filepath.Join(t.TempDir(), "old.gguf")
	writeGGUF(t, old, f.KVs(), tensors)
	home := converted(t, old, place(t, convert.HF), convert.Request{To: convert.HF})
	if !sameFile(t, filepath.Join(source, "model.safetensors"), filepath.Join(home, "model.safetensors")) {
		t.Error("the weights came back as other bytes")
	}
}

// TestGGUFContradiction reports a file whose metadata and tensors disagree in its own names.
func TestGGUFContradiction(t *testing.T) {
	f, err := gguf.Open(converted(t, random(t, small(), tensor.F32), place(t, convert.GGUF), convert.Request{To: convert.GGUF}))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var kvs []gguf.KV
	for _, kv := range f.KVs() {
		switch kv.Key {
		case "gomamba.config":
			continue
		case "mamba2.ssm.time_step_rank":
			kv.Value = gguf.Of(uint32(20))
		}
		kvs = append(kvs, kv)
	}
	wrong := filepath.Join(t.TempDir(), "wrong.gguf")
	writeGGUF(t, wrong, kvs, f.Tensors())
	err = openFixture(t, wrong).Check()
	const want = `tensor "blk.0.ssm_a": found [12], its metadata says [20] (mamba2.ssm.time_step_rank is 20 there, 12 by the tensor)`
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}
