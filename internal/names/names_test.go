package names

import (
	"reflect"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/config"
)

func mamba(change func(c *config.MambaConfig)) *config.MambaConfig {
	c := config.NewMamba()
	if change != nil {
		change(c)
	}
	return c
}

func tableFor(t *testing.T, c config.Config) []Spec {
	t.Helper()
	specs, err := Table(c)
	if err != nil {
		t.Fatal(err)
	}
	return specs
}

func TestTableOfOneBlock(t *testing.T) {
	specs := tableFor(t, mamba(func(c *config.MambaConfig) {
		c.VocabSize, c.HiddenSize, c.IntermediateSize, c.StateSize, c.ConvKernel, c.TimeStepRank = 100, 8, 20, 3, 5, 2
		c.NumHiddenLayers, c.UseBias = 1, true
	}))
	want := []Spec{
		{"backbone.embeddings.weight", []int{100, 8}, false, -1},
		{"backbone.layers.0.norm.weight", []int{8}, false, 0},
		{"backbone.layers.0.mixer.in_proj.weight", []int{40, 8}, false, 0},
		{"backbone.layers.0.mixer.in_proj.bias", []int{40}, false, 0},
		{"backbone.layers.0.mixer.conv1d.weight", []int{20, 1, 5}, false, 0},
		{"backbone.layers.0.mixer.conv1d.bias", []int{20}, false, 0},
		{"backbone.layers.0.mixer.x_proj.weight", []int{8, 20}, false, 0},
		{"backbone.layers.0.mixer.dt_proj.weight", []int{20, 2}, false, 0},
		{"backbone.layers.0.mixer.dt_proj.bias", []int{20}, false, 0},
		{"backbone.layers.0.mixer.A_log", []int{20, 3}, false, 0},
		{"backbone.layers.0.mixer.D", []int{20}, false, 0},
		{"backbone.layers.0.mixer.out_proj.weight", []int{8, 20}, false, 0},
		{"backbone.layers.0.mixer.out_proj.bias", []int{8}, false, 0},
		{"backbone.norm_f.weight", []int{8}, false, -1},
		{"lm_head.weight", []int{100, 8}, true, -1},
	}
	if !reflect.DeepEqual(specs, want) {
		t.Errorf("got\n%v\nwant\n%v", specs, want)
	}
}

// The published sizes of state-spaces/mamba-*, whose parameter counts are known.
func TestParametersOfPublishedModels(t *testing.T) {
	for _, test := range []struct {
		width, layers, rank int
		params              int64
	}{
		{768, 24, 48, 129_135_360},
		{1024, 48, 64, 371_516_416},
		{1536, 48, 96, 793_204_224},
		{2048, 48, 128, 1_372_178_432},
		{2560, 64, 160, 2_768_345_600},
	} {
		specs := tableFor(t, mamba(func(c *config.MambaConfig) {
			c.HiddenSize, c.IntermediateSize, c.NumHiddenLayers, c.TimeStepRank = test.width, 2*test.width, test.layers, test.rank
		}))
		sum, count := int64(0), 0
		for _, s := range specs {
			if s.Optional {
				continue
			}
			n := int64(1)
			for _, d := range s.Shape {
				n *= int64(d)
			}
			sum += n
			count++
		}
		if sum != test.params || count != 10*test.layers+2 {
			t.Errorf("width %d: %d parameters in %d tensors, want %d in %d", test.width, sum, count, test.params, 10*test.layers+2)
		}
	}
}

// The published sizes of state-spaces/mamba2-*, tied, and of Mamba-Codestral-7B.
func TestParametersOfPublishedMamba2(t *testing.T) {
	for _, test := range []struct {
		vocab, width, layers, groups int
		params                       int64
	}{
		{50288, 768, 24, 1, 128_989_632},
		{50288, 1024, 48, 1, 368_346_624},
		{50288, 1536, 48, 1, 780_161_280},
		{50288, 2048, 48, 1, 1_343_757_312},
		{50288, 2560, 64, 1, 2_702_599_680},
		{32768, 4096, 64, 8, 7_285_403_648},
	} {
		c := config.NewMamba2()
		c.VocabSize, c.HiddenSize, c.NumHiddenLayers, c.NGroups = test.vocab, test.width, test.layers, test.groups
		c.NumHeads, c.TieWordEmbeddings = 2*test.width/64, test.groups == 1
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		sum := int64(0)
		for _, s := range tableFor(t, c) {
			n := int64(1)
			for _, d := range s.Shape {
				n *= int64(d)
			}
			if !s.Optional {
				sum += n
			}
		}
		if sum != test.params {
			t.Errorf("width %d: %d parameters, want %d", test.width, sum, test.params)
		}
	}
}

func TestConditions(t *testing.T) {
	has := func(specs []Spec, suffix string) (found, isOptional bool) {
		for _, s := range specs {
			if strings.HasSuffix(s.Name, suffix) {
				return true, s.Optional
			}
		}
		return false, false
	}
	plain := tableFor(t, mamba(nil))
	if found, opt := has(plain, "lm_head.weight"); !found || !opt {
		t.Errorf("tied head: listed %v, optional %v", found, opt)
	}
	if found, _ := has(plain, "in_proj.bias"); found {
		t.Error("in_proj.bias without use_bias")
	}
	other := tableFor(t, mamba(func(c *config.MambaConfig) { c.UseConvBias, c.TieWordEmbeddings = false, false }))
	if found, opt := has(other, "lm_head.weight"); !found || opt {
		t.Errorf("untied head: listed %v, optional %v", found, opt)
	}
	if found, _ := has(other, "conv1d.bias"); found {
		t.Error("conv1d.bias without use_conv_bias")
	}
	if last := plain[len(plain)-3]; last.Name != "backbone.layers.31.mixer.out_proj.weight" || last.Layer != 31 {
		t.Errorf("last block tensor is %+v", last)
	}
}

func TestOwn(t *testing.T) {
	c := mamba(nil)
	for _, s := range tableFor(t, c) {
		if !Own(c, s.Name) {
			t.Errorf("%s is in the table and not its own", s.Name)
		}
	}
	for name, want := range map[string]bool{
		"backbone.layers.99.mixer.D":                    true,
		"backbone.layers.0.mixer.in_proj.bias":          true, // use_bias is false
		"backbone.embedding.weight":                     true,
		"layers.3.mixer.A_log":                          true, // saved from MambaModel
		"model.lm_head.weight":                          true,
		"rotary.inv_freq":                               false,
		"backbone.layers.0.mixer.foo":                   false,
		"backbone.layers.x.mixer.D":                     false,
		"backbone.layers..mixer.D":                      false,
		"backbone.layers.{i}.mixer.D":                   false,
		"backbone.layers.-1.mixer.D":                    false,
		"backbone.layers.0.mixer.dt_bias":               false,
		"backbone.layers.0":                             false,
		"model.layers.0.self_attn.q_proj.weight":        false,
		"backbone.layers.0.mixer.in_proj.weight.absmax": false,
		"xbackbone.layers.0.mixer.in_proj.weight":       false,
		"": false,
	} {
		if got := Own(c, name); got != want {
			t.Errorf("Own(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestRename(t *testing.T) {
	for name, want := range map[string]string{
		"backbone.embedding.weight":           "backbone.embeddings.weight",
		"model.backbone.embedding.weight":     "backbone.embeddings.weight",
		"embedding.weight":                    "backbone.embeddings.weight",
		"embeddings.weight":                   "backbone.embeddings.weight",
		"norm_f.weight":                       "backbone.norm_f.weight",
		"layers.12.mixer.conv1d.bias":         "backbone.layers.12.mixer.conv1d.bias",
		"model.backbone.layers.0.norm.weight": "backbone.layers.0.norm.weight",
		"backbone.embeddings.weight":          "",
		"module.foo":                          "",
	} {
		got, ok := Rename(name)
		if ok != (want != "") || ok && got != want {
			t.Errorf("Rename(%q) = %q, %v; want %q", name, got, ok, want)
		}
	}
}

func TestVariant(t *testing.T) {
	for name, want := range map[string]string{
		"backbone.layers.0.mixer.in_proj.qweight":                              "GPTQ",
		"backbone.layers.0.mixer.in_proj.weight.absmax":                        "bitsandbytes",
		"backbone.layers.0.mixer.in_proj.SCB":                                  "bitsandbytes",
		"backbone.layers.0.mixer.in_proj.weight.quant_state.bitsandbytes__nf4": "bitsandbytes",
		"backbone.layers.0.mixer.in_proj.scales":                               "MLX",
		"backbone.layers.0.mixer.in_proj.weight_scale":                         "fp8",
		"backbone.layers.0.mixer.dt_bias":                                      "Mamba-2",
		"backbone.layers.0.mixer.x_proj.weight":                                "Mamba-1",
		"backbone.layers.0.mixer.in_proj.weight":                               "",
		"backbone.layers.0.mixer.B_bias":                                       "Mamba-3",
		"backbone.layers.0.mlp.fc1.weight":                                     "hybrid",
		"base_model.model.backbone.layers.0.mixer.in_proj.lora_A.weight":       "PEFT",
		"backbone.layers.0.mixer.x_proj.lora_B.default.weight":                 "PEFT",
		"backbone.layers.0.mixer.x_proj.base_layer.weight":                     "PEFT",
		"rotary.inv_freq": "",
	} {
		what, family, ok := Variant(name)
		if own := map[string]config.Family{"Mamba-1": config.Mamba, "Mamba-2": config.Mamba2, "Mamba-3": config.Mamba3}[want]; family != own {
			t.Errorf("Variant(%q) is of the family %q, want %q", name, family, own)
		}
		if ok != (want != "") || !strings.Contains(what, want) {
			t.Errorf("Variant(%q) = %q, %v; want %q", name, what, ok, want)
		}
	}
}

func TestMisshapen(t *testing.T) {
	var conv Spec
	for _, s := range tableFor(t, mamba(nil)) {
		if strings.HasSuffix(s.Name, "conv1d.weight") {
			conv = s
		}
	}
	if why, ok := Misshapen(conv, []int{1536, 4, 1}); !ok || !strings.Contains(why, "MLX") {
		t.Errorf("MLX order: %q, %v", why, ok)
	}
	if why, ok := Misshapen(conv, []int{1536, 4}); !ok || !strings.Contains(why, "GGUF") {
		t.Errorf("GGUF order: %q, %v", why, ok)
	}
	if why, ok := Misshapen(conv, []int{1536, 1, 3}); ok {
		t.Errorf("a mere mismatch is explained as %q", why)
	}
}
