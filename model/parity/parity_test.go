package parity_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/model/parity"
	"github.com/gomamba/gomamba/tensor"
)

const fixtureDir = "../../fixtures"

// verify judges a reference by a checkpoint; without one the checkpoint judges itself.
func verify(t *testing.T, checkpoint, ref string, tol *parity.Tolerance) *parity.Report {
	t.Helper()
	ck, err := loader.Open(checkpoint, loader.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	m, err := model.New(ck, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if ref == "" {
		r, err := parity.SelfCheck(context.Background(), ck, m, tol)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	d, err := parity.OpenReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	r, err := parity.Verify(context.Background(), ck, m, d, tol)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestHuggingFacePasses takes every dump of transformers for an honest one, and every checkpoint for its own.
func TestHuggingFacePasses(t *testing.T) {
	refs, err := filepath.Glob(filepath.Join(fixtureDir, "*", "*", "ref*.safetensors"))
	if err != nil || len(refs) == 0 {
		t.Fatalf("no references (%v)", err)
	}
	for _, ref := range refs {
		if r := verify(t, filepath.Dir(ref), ref, nil); !r.Passed || r.Verdict != parity.RoundingOnly {
			t.Errorf("%s: %s, first %+v", ref, r.Verdict, r.FirstDivergence)
		}
		if r := verify(t, filepath.Dir(ref), "", nil); !r.Passed {
			t.Errorf("%s alone: %s, first %+v", ref, r.Verdict, r.FirstDivergence)
		}
	}
}

// edited copies a checkpoint of one file and changes one float32 weight.
func edited(t *testing.T, from, name string, element int, change func(float32) float32) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "model*.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		f, err := safetensors.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		w, ok := f.Tensor(name)
		if !ok {
			f.Close()
			continue
		}
		old := math.Float32frombits(binary.LittleEndian.Uint32(w.Data[4*element:]))
		at := int64(-1)
		_, offsets, _, err := safetensors.Layout(entries(f), f.Metadata())
		if err == nil {
			at = offsets[name] + int64(4*element)
		}
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		var bits [4]byte
		if _, err := file.ReadAt(bits[:], at); err != nil || math.Float32frombits(binary.LittleEndian.Uint32(bits[:])) != old {
			t.Fatalf("%s: the weight is not where the layout says (%v)", path, err)
		}
		binary.LittleEndian.PutUint32(bits[:], math.Float32bits(change(old)))
		if _, err := file.WriteAt(bits[:], at); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	t.Fatalf("%s: no tensor %s", from, name)
	return ""
}

func entries(f *safetensors.File) []safetensors.Entry {
	var list []safetensors.Entry
	for _, w := range f.Tensors() {
		list = append(list, safetensors.Entry{Name: w.Name, DType: w.DType, Shape: w.Shape})
	}
	return list
}

// TestOneWeightInLayer17 changes one weight, by little and by much, and asks which layer is to blame.
func TestOneWeightInLayer17(t *testing.T) {
	from := filepath.Join(fixtureDir, "mamba1", "sharded") // 20 layers
	layer := "backbone.layers.17."
	for _, c := range []struct {
		weight string
		change func(float32) float32
	}{
		{layer + "mixer.in_proj.weight", func(v float32) float32 { return v + 0.5 }},
		{layer + "mixer.out_proj.weight", func(v float32) float32 { return v * 1.05 }},
		{layer + "mixer.A_log", func(v float32) float32 { return v + 0.1 }},
		{layer + "mixer.D", func(v float32) float32 { return -v }},
		{layer + "norm.weight", func(v float32) float32 { return v + 0.01 }},
		{layer + "mixer.dt_proj.bias", func(v float32) float32 { return v - 0.25 }},
		{layer + "mixer.conv1d.weight", func(float32) float32 { return float32(math.NaN()) }},
	} {
		r := verify(t, edited(t, from, c.weight, 5, c.change), filepath.Join(from, "ref.safetensors"), nil)
		if r.Passed || r.Verdict != parity.Different {
			t.Errorf("%s changed: %s", c.weight, r.Verdict)
			continue
		}
		if r.FirstDivergence.Layer != 17 {
			t.Errorf("%s changed: blamed %+v", c.weight, r.FirstDivergence)
		}
		before := true
		for _, part := range r.Tensors {
			if part.Name == r.FirstDivergence.Tensor {
				before = false
			}
			if before && !part.Passed {
				t.Errorf("%s changed: %s fails before %s", c.weight, part.Name, r.FirstDivergence.Tensor)
			}
		}
	}
}

// TestFalconIsNotMamba takes FalconMamba for Mamba-1, whose tensors are the same, and must not get away with it.
func TestFalconIsNotMamba(t *testing.T) {
	dir, from := t.TempDir(), filepath.Join(fixtureDir, "falcon", "default")
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte(`"falcon_mamba"`), []byte(`"mamba"`))
	text = bytes.ReplaceAll(text, []byte(`"FalconMamba`), []byte(`"Mamba`))
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	r := verify(t, dir, filepath.Join(from, "ref.safetensors"), nil)
	if r.Passed || r.FirstDivergence.Tensor != dump.State(dump.SSMStates, 0) {
		t.Errorf("%s, first %+v", r.Verdict, r.FirstDivergence)
	}
}

func TestVerdicts(t *testing.T) {
	dir := filepath.Join(fixtureDir, "mamba1", "default")
	own := filepath.Join(t.TempDir(), "own.safetensors")
	writeOwn(t, dir, own)
	for _, c := range []struct {
		checkpoint, ref string
		tol             *parity.Tolerance
		want            parity.Verdict
		passed          bool
	}{
		{dir, own, nil, parity.Identical, true},
		{dir, own, &parity.Tolerance{}, parity.Identical, true},
		{dir, filepath.Join(dir, "ref.safetensors"), &parity.Tolerance{Abs: 1e-3}, parity.RoundingOnly, true},
		{dir, filepath.Join(dir, "ref.safetensors"), &parity.Tolerance{Rel: 1e-9}, parity.Different, false},
		{dir, filepath.Join(fixtureDir, "mamba1", "conv3", "ref.safetensors"), nil, parity.NotComparable, false},
		{edited(t, dir, "backbone.layers.2.mixer.D", 3, func(v float32) float32 { return v + 1 }), own, nil, parity.Different, false},
	} {
		r := verify(t, c.checkpoint, c.ref, c.tol)
		if r.Verdict != c.want || r.Passed != c.passed {
			t.Errorf("%s against %s (tolerance %v): %s, passed %v; want %s, %v (%s)", c.checkpoint, c.ref, c.tol, r.Verdict, r.Passed, c.want, c.passed, r.Reason)
		}
	}
}

// writeOwn dumps the network's own logits.
func writeOwn(t *testing.T, checkpoint, path string) {
	t.Helper()
	ck, err := loader.Open(checkpoint, loader.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	m, err := model.New(ck, model.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ids := []int64{3, 1, 4, 1, 5, 9, 2, 6}
	out, err := m.Forward(context.Background(), model.Single(ids), m.NewCache(1), model.Want{Logits: model.LogitsAll})
	if err != nil {
		t.Fatal(err)
	}
	w, err := dump.Create(path, []safetensors.Entry{
		{Name: dump.InputIDs, DType: tensor.I64, Shape: []int{1, len(ids)}},
		{Name: dump.Logits, DType: tensor.F32, Shape: []int{1, len(ids), m.Config().Shared().VocabSize}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for _, err := range []error{dump.Write(w, dump.InputIDs, 0, ids), dump.Write(w, dump.Logits, 0, out.Logits), w.Commit()} {
		if err != nil {
			t.Fatal(err)
		}
	}
}
