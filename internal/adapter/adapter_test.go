package adapter

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/layout/layouttest"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/tensor"
)

const fixtures = "../../fixtures/"

// spoiled copies an adapter with other settings and tensors, and opens it for its base model.
func spoiled(t *testing.T, replace [2]string, change func(tensors []tensor.Tensor) []tensor.Tensor) (*Adapter, error) {
	t.Helper()
	from, dir := fixtures+"adapters/mamba1-patterns", t.TempDir()
	text, err := os.ReadFile(filepath.Join(from, filenames.AdapterConfig))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), replace[0]) {
		t.Fatalf("no %s in %s", replace[0], text)
	}
	layouttest.WriteFile(t, filepath.Join(dir, filenames.AdapterConfig), []byte(strings.Replace(string(text), replace[0], replace[1], 1)))
	f, err := safetensors.Open(filepath.Join(from, filenames.AdapterModel))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tensors := slices.Clone(f.Tensors())
	if change != nil {
		tensors = change(tensors)
	}
	layouttest.WriteTensors(t, filepath.Join(dir, filenames.AdapterModel), tensors)
	cfg, err := config.LoadHF(fixtures + "mamba1/default/config.json")
	if err != nil {
		t.Fatal(err)
	}
	a, err := Open(dir, cfg)
	if err == nil {
		t.Cleanup(func() { a.File.Close() })
	}
	return a, err
}

// Settings that make an adapter another thing than a LoRA are refused by name, and those that make no sense by key.
func TestSettings(t *testing.T) {
	for replace, want := range map[[2]string]string{
		{`"peft_type": "LORA"`, `"peft_type": "VERA"`}:                        `peft_type: found the string "VERA", expected "LORA"`,
		{`"peft_type": "LORA"`, `"fine_tune_type": "lora"`}:                   `peft_type: missing: this is not an adapter of PEFT`,
		{`"use_qalora": false`, `"use_qalora": true`}:                         `use_qalora: found true: QA-LoRA is not read`,
		{`"arrow_config": null`, `"arrow_config": {"top_k": 3}`}:              `arrow_config: found`,
		{`"layer_replication": null`, `"layer_replication": [[0, 2]]`}:        `layer_replication: found`,
		{`"init_lora_weights": true`, `"init_lora_weights": "pissa_niter_4"`}: `init_lora_weights: found the string "pissa_niter_4": such an adapter belongs to weights that PEFT has changed`,
		{`"r": 3`, `"r": 0`}:                                                     `r: found 0, expected a whole number from 1`,
		{`"r": 3`, `"r": 1e3`}:                                                   `r: found 1e3, expected a whole number`,
		{`"lora_alpha": 6`, `"lora_alpha": NaN`}:                                 `lora_alpha: found NaN, expected a finite number`,
		{`"lora_alpha": 6`, `"lora_alpha": 1e300`}:                               `lora_alpha: found 1e+300 for "backbone.layers.0.mixer.dt_proj", expected a number that float32 holds`,
		{`"rank_pattern": {`, `"rank_pattern": {"x": -1, `}:                      `rank_pattern: found`,
		{`"alpha_pattern": {`, `"alpha_pattern": {"(?=x)": 1, `}:                 `alpha_pattern: found the regular expression "(?=x)", which is not one that can be read here`,
		{`"r": 3`, `"r": 4`}:                                                     `dt_proj.lora_A.weight": found [3, 2], a rank of 3, but `,
		{`"use_dora": false`, `"use_dora": true`}:                                `lora_magnitude_vector of this module is missing`,
		{`"lora_bias": false`, `"lora_bias": true`}:                              `the bias of this module is missing`,
		{`"layers_to_transform": null`, `"layers_to_transform": [0, 1, 2]`}:      `so PEFT does not load it`,
		{`"exclude_modules": null`, `"exclude_modules": ".*x_proj"`}:             `so PEFT does not load it`,
		{`"target_parameters": null`, `"target_parameters": ["in_proj.weight"]`}: `in_proj.lora_A.weight": found [2, 32], expected [3, 32]`,
	} {
		_, err := spoiled(t, replace, nil)
		refused(t, err, want)
	}
}

// refused holds an error to one line with a part of it.
func refused(t *testing.T, err error, want string) {
	t.Helper()
	_, format := errors.AsType[*badfile.FormatError](err)
	_, unsupported := errors.AsType[*badfile.UnsupportedError](err)
	if err == nil || !format && !unsupported || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v, want %s", err, want)
	}
}

// Tensors that fit neither the settings nor the model are refused by name.
func TestTensors(t *testing.T) {
	const inProj = "base_model.model.backbone.layers.0.mixer.in_proj."
	edit := func(name string, change func(*tensor.Tensor)) func([]tensor.Tensor) []tensor.Tensor {
		return func(list []tensor.Tensor) []tensor.Tensor {
			i := slices.IndexFunc(list, func(t tensor.Tensor) bool { return t.Name == name })
			change(&list[i])
			return list
		}
	}
	rename := func(to string) func([]tensor.Tensor) []tensor.Tensor {
		return edit(inProj+"lora_A.weight", func(t *tensor.Tensor) { t.Name = to })
	}
	add := func(name string, shape ...int) func([]tensor.Tensor) []tensor.Tensor {
		return func(list []tensor.Tensor) []tensor.Tensor {
			n, _ := tensor.Count(shape)
			return append(list, tensor.Of(name, make([]float32, n), shape...))
		}
	}
	for want, change := range map[string]func([]tensor.Tensor) []tensor.Tensor{
		`lora_B.weight": lora_A of the same module is missing`:                          rename("base_model.model.backbone.layers.0.mixer.z.lora_A.weight"),
		`lora_A2.weight": a mamba model of this configuration has nothing of that name`: rename(inProj + "lora_A2.weight"),
		`lora_A.weight": lora_B of the same module is missing`:                          edit(inProj+"lora_B.weight", func(t *tensor.Tensor) { t.Name = "base_model.model.backbone.layers.0.mixer.z.lora_B.weight" }),
		`is a bias, which only lora_B has`:                                              rename(inProj + "lora_A.bias"),
		`is not a name that PEFT gives`:                                                 rename(inProj + "lora_A.a.b.weight"),
		`found [2, 31], expected [2, 32]`:                                               edit(inProj+"lora_A.weight", func(t *tensor.Tensor) { *t = tensor.Of(t.Name, make([]float32, 62), 2, 31) }),
		`found [128, 1], expected [128, 2]`:                                             edit(inProj+"lora_B.weight", func(t *tensor.Tensor) { *t = tensor.Of(t.Name, make([]float32, 128), 128, 1) }),
		`lora_B.weight": element 3 is NaN: training has diverged`: edit(inProj+"lora_B.weight", func(t *tensor.Tensor) {
			v := slices.Clone(tensor.Float32s(*t))
			v[3] = float32(math.NaN())
			*t = tensor.Of(t.Name, v, t.Shape...)
		}),
		`found dtype I64, expected F32`:                        edit(inProj+"lora_A.weight", func(t *tensor.Tensor) { *t = tensor.Of(t.Name, make([]int64, 64), 2, 32) }),
		`found [2, 32] and [128, 2, 1], expected two matrices`: edit(inProj+"lora_B.weight", func(t *tensor.Tensor) { t.Shape = []int{128, 2, 1} }),
		`has nothing of that name: the adapter is for another`: add("base_model.model.backbone.layers.9.mixer.D", 64),
		`the vocabulary was resized for the adapter`:           add("base_model.model.backbone.embeddings.weight", 130, 32),
		`found [63], the base model has [64]`:                  add("base_model.model.backbone.layers.0.mixer.D", 63),
		`stands for the same as`:                               add(inProj+"lora_A.second.weight", 2, 32),
		`trainable_token_indices of `:                          add("base_model.model.backbone.embeddings.token_adapter.trainable_tokens_delta", 3, 32),
		`use_dora of `:                                         add(inProj+"lora_magnitude_vector", 128),
		`is added to a bias that the base model does not have`: add(inProj+"lora_B.bias", 128),
		`found no tensors of an adapter`:                       func([]tensor.Tensor) []tensor.Tensor { return nil },
	} {
		_, err := spoiled(t, [2]string{"", ""}, change)
		refused(t, err, want)
	}
	_, err := spoiled(t, [2]string{`"in_proj"`, `"conv1d", "in_proj"`}, func(list []tensor.Tensor) []tensor.Tensor {
		const conv = "base_model.model.backbone.layers.0.mixer.conv1d."
		return add(conv+"lora_B.weight", 64, 64, 1)(add(conv+"lora_A.weight", 64, 64, 4)(list))
	})
	refused(t, err, "a LoRA of a convolution whose channels are apart")
}

// Names of other classes than transformers' mean the same modules: the bare model, mamba_ssm's, with the adapter's own name in them.
func TestNames(t *testing.T) {
	for name, change := range map[string]func(string) string{
		"bare":    func(s string) string { return strings.Replace(s, "backbone.", "", 1) },
		"wrapped": func(s string) string { return strings.Replace(s, "backbone.", "model.backbone.", 1) },
		"named":   func(s string) string { return strings.Replace(s, "lora_A.", "lora_A.default.", 1) },
	} {
		a, err := spoiled(t, [2]string{`"target_modules"`, `"other"`}, func(list []tensor.Tensor) []tensor.Tensor {
			for i := range list {
				list[i].Name = change(list[i].Name)
			}
			return list
		})
		if err != nil || len(a.Deltas) != 16 || a.Deltas["backbone.layers.3.mixer.x_proj.weight"] == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A weight that several layers share does not take the change of one of them; that of a layer alone is taken.
func TestSharedWeights(t *testing.T) {
	cfg, err := config.LoadHF(fixtures + "zamba2/blocks/config.json")
	if err != nil {
		t.Fatal(err)
	}
	for module, want := range map[string]string{
		"layers.0.shared_transformer.self_attn.o_proj": "layers.0.shared_transformer.self_attn.o_proj.weight\": is changed, and 2 layers share it",
		"layers.1.shared_transformer.self_attn.o_proj": "",
		"layers.3.linear": "",
	} {
		dir, rows, cols := t.TempDir(), 12, 24
		if strings.HasSuffix(module, "linear") {
			cols = 12
		}
		layouttest.WriteFile(t, filepath.Join(dir, filenames.AdapterConfig), []byte(`{"peft_type": "LORA", "r": 1, "lora_alpha": 1, "target_modules": ["`+module+`"]}`))
		layouttest.WriteTensors(t, filepath.Join(dir, filenames.AdapterModel), []tensor.Tensor{
			named("base_model.model.model."+module+".lora_A.weight", 1, cols), named("base_model.model.model."+module+".lora_B.weight", rows, 1),
		})
		a, err := Open(dir, cfg)
		switch {
		case err == nil && want == "":
			if a.Weights() != 1 {
				t.Errorf("%s: %d weights changed", module, a.Weights())
			}
			a.File.Close()
		case err == nil || want == "" || !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v, expected %q", module, err, want)
		}
	}
}

func named(name string, shape ...int) tensor.Tensor {
	n, _ := tensor.Count(shape)
	t := tensor.Of("", make([]float32, n), shape...)
	t.Name = name
	return t
}
