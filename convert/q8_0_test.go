package convert_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/tensor"
)

// TestQuantize checks which tensors become Q8_0, that a copy keeps the blocks, and that the quantized file computes the
// bits of its own values written as float32.
func TestQuantize(t *testing.T) {
	const unblocked, untied = "../fixtures/mamba1/default", `{"model_type": "mamba", "hidden_size": 64, "vocab_size": 96,
		"num_hidden_layers": 2, "time_step_rank": 32, "tie_word_embeddings": false}`
	for _, src := range []string{unblocked, initialised(t, untied, tensor.F16)} {
		dir := t.TempDir()
		q8 := converted(t, src, filepath.Join(dir, "q8.gguf"), convert.Request{To: convert.GGUF, DType: tensor.Q8_0})
		f, err := gguf.Open(q8)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range f.Tensors() {
			want := "F32" // norms, biases, the convolution, A and D
			switch name := x.Name[strings.LastIndex(x.Name, ".ssm_")+1:]; name {
			case "token_embd.weight", "output.weight", "ssm_in.weight", "ssm_x.weight", "ssm_out.weight":
				want = "Q8_0"
			case "ssm_dt.weight":
				if want = "Q8_0"; src == unblocked {
					want = "F16"
				}
			}
			if x.Type.String() != want {
				t.Errorf("%s: %s is %s, want %s", src, x.Name, x.Type, want)
			}
		}
		if n, err := f.Uint("general.file_type"); n != 7 || err != nil {
			t.Errorf("%s: file type %d, %v", src, n, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		again := converted(t, q8, filepath.Join(dir, "again.gguf"), convert.Request{To: convert.GGUF})
		if !sameFile(t, q8, again) {
			t.Errorf("%s: the copy of a quantized file has other bytes", src)
		}
		want := logits(t, q8)
		for _, to := range []convert.Layout{convert.HF, convert.Original} {
			wide := converted(t, q8, filepath.Join(dir, string(to)), convert.Request{To: to})
			for _, x := range openFixture(t, wide).Tensors() {
				if x.DType != tensor.F32 {
					t.Errorf("%s to %s: %s is %s", src, to, x.Name, x.DType)
				}
			}
			if got := logits(t, wide); !bytes.Equal(tensor.Bytes(got), tensor.Bytes(want)) {
				t.Errorf("%s: as %s in float32 the quantized model computes other bits", src, to)
			}
			// The search finds the scale that loses nothing.
			back := converted(t, wide, filepath.Join(dir, "from-"+string(to)+".gguf"), convert.Request{To: convert.GGUF, DType: tensor.Q8_0})
			if !sameTensors(t, q8, back) {
				t.Errorf("%s: %s to Q8_0 gave other blocks", src, to)
			}
		}
	}
}

// initialised writes a freshly drawn model.
func initialised(t *testing.T, configJSON string, dtype tensor.DType) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "config.json")
	if err := os.WriteFile(path, []byte(configJSON), 0o666); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.LoadHF(path)
	if err != nil {
		t.Fatal(err)
	}
	params, err := model.Init(cfg.(*config.MambaConfig), 1)
	if err != nil {
		t.Fatal(err)
	}
	var sources []convert.Source
	for _, p := range params {
		sources = append(sources, convert.Source{Name: p.Name, DType: dtype, Shape: p.Shape,
			Write: func(emit func([]byte) error) error { return p.Encode(dtype, emit) }})
	}
	dst := filepath.Join(dir, "model")
	if err := convert.WriteHF(context.Background(), dst, cfg, sources, convert.Options{}); err != nil {
		t.Fatal(err)
	}
	return dst
}

func TestQuantizeRefusals(t *testing.T) {
	for _, c := range []struct {
		dtype tensor.DType
		value float32
		want  string
	}{
		{tensor.Q5_0, 65504 * 17, "element 3 is 1.113568e+06: Q5_0 is written from finite values up to"},
		{tensor.Q8_0, -65519 * 127, ""},
		{tensor.Q8_0, 65520 * 127, "element 3 is 8.32104e+06: Q8_0 is written from finite values up to 8.31901e+06"},
		{tensor.Q8_0, float32(math.NaN()), "element 3 is NaN"},
	} {
		src := rewritten(t, "backbone.layers.0.mixer.in_proj.weight", c.value)
		plan, err := convert.NewPlan(openFixture(t, src), convert.Request{To: convert.GGUF, DType: c.dtype})
		if err != nil {
			t.Fatal(err)
		}
		err = plan.Write(context.Background(), filepath.Join(t.TempDir(), "x.gguf"), convert.Options{})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%g: error %v, want %q", c.value, err, c.want)
		}
	}
	ck := openFixture(t, "../fixtures/mamba1/default")
	for _, to := range []convert.Layout{convert.HF, convert.Original} {
		_, err := convert.NewPlan(ck, convert.Request{To: to, DType: tensor.Q8_0})
		var unsupported *badfile.UnsupportedError
		if !errors.As(err, &unsupported) || !strings.Contains(err.Error(), "only GGUF has Q8_0; write a .gguf file") {
			t.Errorf("%s: %v", to, err)
		}
	}
}
