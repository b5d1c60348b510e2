package doctor_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/doctor"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/layout/layouttest"
	"github.com/gomamba/gomamba/loader"
)

// TestSurvey opens checkpoints of kinds that are not supported: Open says why in one line, and they can be listed.
func TestSurvey(t *testing.T) {
	original := func(keys string) string {
		return `{"d_model": 32, "n_layer": 4, "vocab_size": 128, "pad_vocab_size_multiple": 1` + keys + `}`
	}
	for name, test := range map[string]struct {
		config string
		change func(c *layouttest.Checkpoint)
		reason string // of Open, or of Check
		model  string
		ssm    []int
	}{
		"attention in the original layout": {original(`, "attn_layer_idx": [1, 3]`), func(c *layouttest.Checkpoint) {
			for _, part := range []string{"layers.1.mixer.A_log", "layers.1.mixer.D", "layers.3.mixer.A_log", "layers.3.mixer.D"} {
				c.Drop(part)
			}
		}, `attn_layer_idx: found "[1,3]": hybrid attention model`, "", []int{0, 2}},
		"MLP blocks":  {original(`, "d_intermediate": 64`), nil, "d_intermediate: found 64", "", []int{0, 1, 2, 3}},
		"Mamba-3":     {original(`, "ssm_cfg": {"layer": "Mamba3"}`), nil, `ssm_cfg.layer: found the string "Mamba3"`, "Mamba3", []int{0, 1, 2, 3}},
		"LayerNorm":   {`{"model_type": "mamba", "rms_norm": false}`, nil, "rms_norm: found false", "mamba", []int{0, 1, 2, 3}},
		"a hybrid":    {`{"model_type": "plamo2"}`, func(c *layouttest.Checkpoint) { c.Drop("layers.2.mixer.A_log") }, `model_type: "plamo2" is a model of Mamba and attention`, "plamo2", []int{0, 1, 3}},
		"quantized":   {`{"model_type": "mamba", "quantization_config": {"quant_method": "hqq"}}`, nil, `already quantized with "hqq"`, "mamba", []int{0, 1, 2, 3}},
		"not a Mamba": {`{"model_type": "llama"}`, func(c *layouttest.Checkpoint) { c.Drop("A_log") }, `model_type: "llama" is a config of another architecture`, "llama", nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := layouttest.Load(t)
			c.Config = test.config
			if test.change != nil {
				test.change(c)
			}
			dir := c.Write(t)
			_, err := loader.Open(dir, loader.Options{})
			var unsupported *badfile.UnsupportedError
			if !errors.As(err, &unsupported) || !strings.Contains(err.Error(), test.reason) {
				t.Errorf("Open: %v, want an UnsupportedError with %q", err, test.reason)
			}
			s, err := doctor.NewSurvey(dir)
			if err != nil {
				t.Fatal(err)
			}
			if s.Model != test.model || s.Blocks != 4 || !slices.Equal(s.SSM, test.ssm) || len(s.Tensors) != len(c.Tensors) || s.Config != test.config {
				t.Errorf("model %q, %d blocks, %v with a state space model, %d tensors, config %s", s.Model, s.Blocks, s.SSM, len(s.Tensors), s.Config)
			}
			i := slices.IndexFunc(s.Tensors, func(x doctor.Stored) bool { return x.Name == "backbone.norm_f.weight" })
			if x := s.Tensors[i]; x.DType != "F32" || x.Bytes != 128 || !slices.Equal(x.Shape, []int{32}) || filepath.Base(x.File) != filenames.ModelFile {
				t.Errorf("listed %+v", x)
			}
		})
	}
}

// TestSurveyShards lists every shard, and names one that is missing.
func TestSurveyShards(t *testing.T) {
	c := layouttest.Load(t)
	c.Config, c.ShardOf = `{"model_type": "hymba"}`, layouttest.Halves
	dir := c.Write(t)
	s, err := doctor.NewSurvey(dir)
	if err != nil || len(s.Tensors) != len(c.Tensors) {
		t.Fatalf("%d tensors, %v; want %d", len(s.Tensors), err, len(c.Tensors))
	}
	if err := os.Remove(filepath.Join(dir, "b.safetensors")); err != nil {
		t.Fatal(err)
	}
	if _, err := doctor.NewSurvey(dir); err == nil || !strings.Contains(err.Error(), "b.safetensors") {
		t.Errorf("without a shard: %v", err)
	}
}

// TestSurveyForeignDType lists a dtype that the loader has no use for, and holds its size to the format.
func TestSurveyForeignDType(t *testing.T) {
	write := func(end string) string {
		header := `{"w":{"dtype":"F8_E4M3","shape":[2,3],"data_offsets":[0,6]},"x":{"dtype":"F4","shape":[4],"data_offsets":[6,` + end + `]}}`
		dir := t.TempDir()
		layouttest.WriteFile(t, filepath.Join(dir, filenames.Config), []byte(`{"model_type":"mamba","quantization_config":{"quant_method":"fp8"}}`))
		file := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
		layouttest.WriteFile(t, filepath.Join(dir, filenames.ModelFile), append(append(file, header...), make([]byte, 8)...))
		return dir
	}
	s, err := doctor.NewSurvey(write("8"))
	if err != nil || len(s.Tensors) != 2 || s.Tensors[0].DType != "F8_E4M3" || s.Tensors[1].Bytes != 2 || s.Tensors[1].DType != "F4" {
		t.Errorf("%+v, %v", s, err)
	}
	var format *badfile.FormatError
	if _, err := doctor.NewSurvey(write("7")); !errors.As(err, &format) {
		t.Errorf("with too few bytes: %v", err)
	}
}
