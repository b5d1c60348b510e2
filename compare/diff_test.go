package compare_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/compare"
	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

const untied = "../fixtures/mamba1/untied"

// edited writes a copy of a fixture after edit, which must not change tensor data in place.
func edited(t *testing.T, name string, edit func(c *config.MambaConfig, tensors map[string]*tensor.Tensor)) *loader.Checkpoint {
	t.Helper()
	ck := openFixture(t, "../fixtures/mamba1/"+name)
	cfg := ck.Config().Clone().(*config.MambaConfig)
	tensors := map[string]*tensor.Tensor{}
	for _, x := range ck.Tensors() {
		tensors[x.Name] = &x
	}
	edit(cfg, tensors)
	var sources []convert.Source
	for name, x := range tensors {
		sources = append(sources, convert.Source{Name: name, DType: x.DType, Shape: x.Shape,
			Write: func(emit func([]byte) error) error { return emit(x.Data) }})
	}
	dst := filepath.Join(t.TempDir(), "edited")
	if err := convert.WriteHF(context.Background(), dst, cfg, sources, convert.Options{}); err != nil {
		t.Fatal(err)
	}
	return openFixture(t, dst)
}

// set replaces one element of an F32 tensor.
func set(x *tensor.Tensor, i int, v float32) {
	x.Data = bytes.Clone(x.Data)
	binary.LittleEndian.PutUint32(x.Data[4*i:], math.Float32bits(v))
}

func fingerprint(t *testing.T, ck *loader.Checkpoint, threads int) string {
	t.Helper()
	sum, err := compare.Fingerprint(context.Background(), ck, loader.ReadOptions{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func diff(t *testing.T, a, b *loader.Checkpoint) *compare.Difference {
	t.Helper()
	d, err := compare.Diff(context.Background(), a, b, loader.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestSameModel takes every fixture through layouts and dtypes that lose nothing: one fingerprint, and no difference.
// No two fixtures have the same.
func TestSameModel(t *testing.T) {
	folders, err := filepath.Glob("../fixtures/mamba1/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	seen := map[string]string{}
	for _, src := range folders {
		dir := t.TempDir()
		ck := openFixture(t, src)
		want := fingerprint(t, ck, 1)
		if other, twice := seen[want]; twice {
			t.Errorf("%s and %s have the same fingerprint", src, other)
		}
		seen[want] = src
		for name, req := range map[string]convert.Request{
			"hf": {To: convert.HF}, "f64": {To: convert.HF, DType: tensor.F64}, "f32": {To: convert.HF, DType: tensor.F32},
			"original": {To: convert.Original}, "x.gguf": {To: convert.GGUF}, "f32.gguf": {To: convert.GGUF, DType: tensor.F32},
		} {
			if _, err := convert.NewPlan(ck, req); err != nil {
				continue // the layout cannot hold it
			}
			there := openFixture(t, converted(t, src, filepath.Join(dir, name), req))
			if got := fingerprint(t, there, 0); got != want {
				t.Errorf("%s as %s: fingerprint %s, want %s", src, name, got, want)
			}
			if d := diff(t, ck, there); !d.Identical {
				t.Errorf("%s as %s: %+v", src, name, d)
			}
			if d := diff(t, there, ck); !d.Identical {
				t.Errorf("%s as %s, the other way round: %+v", src, name, d)
			}
		}
	}
	// Computed by the rules in the documentation, in Python with numpy and hashlib.
	const golden = "ad7d887808d80bafb42b7aee799be2065a1c7f2919702795888e2216ef0a7210"
	if got := fingerprint(t, openFixture(t, untied), 0); got != golden {
		t.Errorf("fingerprint %s, want %s", got, golden)
	}
}

// zeroBiases gives a model the biases of its projections, all of them zero.
func zeroBiases(c *config.MambaConfig, ts map[string]*tensor.Tensor) {
	c.UseBias = true
	for i := range c.NumHiddenLayers {
		prefix := "backbone.layers." + strconv.Itoa(i) + ".mixer."
		in := tensor.Of(prefix+"in_proj.bias", make([]float32, 2*c.DInner()), 2*c.DInner())
		out := tensor.Of(prefix+"out_proj.bias", make([]float32, c.HiddenSize), c.HiddenSize)
		ts[in.Name], ts[out.Name] = &in, &out
	}
}

// Each row edits a checkpoint in a way that makes no difference to a result, or one.
func TestDiffAndFingerprint(t *testing.T) {
	const (
		embedding = "backbone.embeddings.weight"
		head      = "lm_head.weight"
		aLog      = "backbone.layers.1.mixer.A_log"
		skip      = "backbone.layers.1.mixer.D"
		inBias    = "backbone.layers.0.mixer.in_proj.bias"
	)
	type tensors = map[string]*tensor.Tensor
	first := func(ts tensors, name string) float32 { return tensor.Float32s(*ts[name])[0] }
	for _, test := range []struct {
		name, fixture string
		edit          func(c *config.MambaConfig, ts tensors)
		same          bool
		differ        []string // names of tensors, or keys
		maxAbs        float64
	}{
		{"nothing", "untied", func(*config.MambaConfig, tensors) {}, true, nil, 0},
		{"one weight", "untied", func(_ *config.MambaConfig, ts tensors) { set(ts[skip], 0, first(ts, skip)+0.5) },
			false, []string{skip}, 0.5},
		{"a NaN", "untied", func(_ *config.MambaConfig, ts tensors) { set(ts[skip], 0, float32(math.NaN())) },
			false, []string{skip}, math.Inf(1)},
		{"A_log by less than A shows", "untied", func(_ *config.MambaConfig, ts tensors) {
			set(ts[aLog], 0, math.Nextafter32(first(ts, aLog), 0))
		}, true, nil, 0},
		{"A_log by more", "untied", func(_ *config.MambaConfig, ts tensors) { set(ts[aLog], 0, first(ts, aLog)+1) },
			false, []string{aLog}, 1},
		{"a head that is the embedding after all", "default", func(c *config.MambaConfig, ts tensors) {
			c.TieWordEmbeddings = false
			ts[head] = ts[embedding]
		}, true, nil, 0},
		{"a head of its own", "default", func(c *config.MambaConfig, ts tensors) {
			c.TieWordEmbeddings = false
			own := *ts[embedding]
			set(&own, 0, first(ts, embedding)+2)
			ts[head] = &own
		}, false, []string{head}, 2},
		{"biases of zero", "untied", zeroBiases, true, []string{"use_bias"}, 0},
		{"biases", "untied", func(c *config.MambaConfig, ts tensors) {
			zeroBiases(c, ts)
			set(ts[inBias], 1, -2)
		}, false, []string{inBias, "use_bias"}, 2},
		{"settings of no result", "untied", func(c *config.MambaConfig, _ tensors) {
			c.InitializerRange, c.UseCache, c.BosTokenID, c.DType = 0.5, false, nil, ""
			c.Extra = []config.Extra{{Key: "d_inner", Value: "160"}}
		}, true, []string{"bos_token_id", "initializer_range", "use_cache"}, 0},
		{"epsilon", "untied", func(c *config.MambaConfig, _ tensors) { c.LayerNormEpsilon = 1e-6 },
			false, []string{"layer_norm_epsilon"}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, b := openFixture(t, "../fixtures/mamba1/"+test.fixture), edited(t, test.fixture, test.edit)
			d := diff(t, a, b)
			var differ []string
			maxAbs := 0.0
			for _, x := range d.Tensors {
				if !x.Same() {
					differ = append(differ, x.Name)
					maxAbs = max(maxAbs, float64(x.MaxAbs))
				}
			}
			for _, k := range d.Config {
				differ = append(differ, k.Key)
			}
			if close := maxAbs == test.maxAbs || math.Abs(maxAbs-test.maxAbs) < 1e-6; d.Identical != test.same || !slices.Equal(differ, test.differ) || !close {
				t.Errorf("identical %v, by %v in %v; want %v, %v in %v", d.Identical, maxAbs, differ, test.same, test.maxAbs, test.differ)
			}
			if same := fingerprint(t, a, 0) == fingerprint(t, b, 0); same != test.same {
				t.Errorf("the same fingerprint: %v, want %v", same, test.same)
			}
		})
	}
}

// Models of other sizes have tensors that cannot be compared, and such that only one of them has.
func TestDiffOfSizes(t *testing.T) {
	a, b := openFixture(t, "../fixtures/mamba1/default"), openFixture(t, untied)
	d := diff(t, a, b)
	if len(d.OnlyInA) != 20 || len(d.OnlyInB) != 0 || d.OnlyInA[0] != "backbone.layers.2.norm.weight" {
		t.Errorf("only in a: %v, only in b: %v", d.OnlyInA, d.OnlyInB)
	}
	if x := d.Tensors[0]; x.A != "F32 [128 32]" || x.SameBits || x.SameValues || !math.IsInf(float64(x.MaxAbs), 1) {
		t.Errorf("embedding: %+v", x)
	}
	if back := diff(t, b, a); !slices.Equal(back.OnlyInB, d.OnlyInA) || len(back.OnlyInA) != 0 {
		t.Errorf("the other way round: only in a %v, only in b %v", back.OnlyInA, back.OnlyInB)
	}
}

// A float64 that no float32 can be counts as it is.
func TestFingerprintOfFloat64(t *testing.T) {
	wide := func(v float64) string {
		ck := edited(t, "untied", func(_ *config.MambaConfig, ts map[string]*tensor.Tensor) {
			x := ts["backbone.norm_f.weight"]
			values := make([]float64, x.Elems())
			tensor.WidenF64(values, x.DType, x.Data)
			values[1] = v
			*x = tensor.Of(x.Name, values, x.Shape...)
		})
		return fingerprint(t, ck, 0)
	}
	if wide(0.1) == wide(float64(float32(0.1))) {
		t.Error("a float64 counts as the float32 nearest to it")
	}
	if wide(0) != wide(math.Copysign(0, -1)) {
		t.Error("0 and -0 are distinguished")
	}
}

func TestDiffStops(t *testing.T) {
	a := openFixture(t, untied)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := compare.Diff(ctx, a, a, loader.ReadOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("diff: %v", err)
	}
	if _, err := compare.Fingerprint(ctx, a, loader.ReadOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("fingerprint: %v", err)
	}
	last, total := int64(0), int64(0)
	if _, err := compare.Fingerprint(context.Background(), a, loader.ReadOptions{Threads: 2, Progress: func(done, all int64) {
		if done <= last {
			t.Errorf("progress went from %d to %d", last, done)
		}
		last, total = done, all
	}}); err != nil || last != total || total == 0 {
		t.Errorf("progress ended at %d of %d, error %v", last, total, err)
	}

	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(untied)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wrong := bytes.Replace(text, []byte(`"state_size": 16`), []byte(`"state_size": 17`), 1)
	if err := os.WriteFile(path, wrong, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := compare.Diff(context.Background(), a, openFixture(t, dir), loader.ReadOptions{}); err == nil || !strings.Contains(err.Error(), "state_size") {
		t.Errorf("a configuration that contradicts the tensors: %v", err)
	}
	if _, err := compare.Fingerprint(context.Background(), openFixture(t, dir), loader.ReadOptions{}); err == nil || !strings.Contains(err.Error(), "state_size") {
		t.Errorf("a configuration that contradicts the tensors: %v", err)
	}
}
