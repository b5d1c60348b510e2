package names

import (
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/config"
)

// Whatever training code wraps around a model of any family, the names under it are found.
func TestUnwrap(t *testing.T) {
	const blocks = "backbone.layers."
	wrap := func(prefix, inside string) func(name string) string {
		return func(name string) string { return prefix + strings.ReplaceAll(name, ".mixer.", inside) }
	}
	for wrapper, c := range map[string]struct {
		wrap   func(name string) string
		prefix string
		parts  []string
	}{
		"none":                    {wrap("", ".mixer."), "", nil},
		"DeepSpeed":               {wrap("_forward_module.", ".mixer."), "", []string{"_forward_module"}},
		"PEFT":                    {wrap("base_model.model.", ".mixer."), "base_model.model.", nil},
		"EMA":                     {wrap("ema_model.", ".mixer."), "ema_model.", nil},
		"unknown, twice":          {wrap("a.b.", ".mixer."), "a.b.", nil},
		"FSDP":                    {wrap("_fsdp_wrapped_module.", "._fsdp_wrapped_module.mixer."), "", []string{"_fsdp_wrapped_module"}},
		"checkpoint":              {wrap("", "._checkpoint_wrapped_module.mixer."), "", []string{"_checkpoint_wrapped_module"}},
		"compiled in Lightning":   {wrap("model._orig_mod.", ".mixer.module."), "model.", []string{"_orig_mod", "module"}},
		"a backbone of that name": {wrap("backbone.", ".mixer."), "backbone.", nil},
	} {
		for _, cfg := range []config.Config{mamba(nil), config.NewFalconMamba(), config.NewMamba2()} {
			var plain, wrapped []string
			for _, s := range tableFor(t, cfg) {
				plain, wrapped = append(plain, s.Name), append(wrapped, c.wrap(s.Name))
			}
			u, err := Unwrap(wrapped)
			if err != nil || !slices.Equal(u.Names, plain) || u.Prefix != c.prefix || !slices.Equal(u.Parts, c.parts) {
				t.Errorf("%s, %s: prefix %q, parts %q, names such as %q, %v", wrapper, cfg.Family(), u.Prefix, u.Parts, u.Names[1], err)
			}
			if (u.First >= 0) != (wrapper != "none") {
				t.Errorf("%s: the first change is %d", wrapper, u.First)
			}
		}
	}
	for name, c := range map[string]struct{ listed, want []string }{
		"bare, in a class that calls it model": {
			[]string{"model.embeddings.weight", "model.layers.0.mixer.D", "lm_head.weight"},
			[]string{"embeddings.weight", "layers.0.mixer.D", "lm_head.weight"},
		},
		"beside other things":      {[]string{"x." + blocks + "0.mixer.D", "loss.weight"}, []string{blocks + "0.mixer.D", "loss.weight"}},
		"a plain model beside one": {[]string{"ema." + blocks + "0.mixer.D", blocks + "0.mixer.D"}, []string{"ema." + blocks + "0.mixer.D", blocks + "0.mixer.D"}},
		"another model":            {[]string{"model.layers.0.self_attn.q_proj.weight", "model.layers.0.norm.weight"}, []string{"model.layers.0.self_attn.q_proj.weight", "model.layers.0.norm.weight"}},
		"nothing":                  {nil, []string{}},
	} {
		u, err := Unwrap(c.listed)
		if err != nil || !slices.Equal(u.Names, c.want) {
			t.Errorf("%s: %q, %v; want %q", name, u.Names, err, c.want)
		}
	}
}

// Two models in one file, and two tensors of one name, are refused by name.
func TestUnwrapAmbiguous(t *testing.T) {
	const d = "backbone.layers.0.mixer.D"
	for want, listed := range map[string][]string{
		`tensor "ema.` + d + `": there are weights under another prefix as well, such as "model.` + d + `"`:                 {"model." + d, "ema." + d},
		`tensor "module.` + d + `": stands for the same tensor as "` + d + `": both are "` + d + `" in a wrapper; keep one`: {"module." + d, d},
		`tensor "a.lm_head.weight": stands for the same tensor as "lm_head.weight"`:                                         {"a." + d, "a.lm_head.weight", "lm_head.weight"},
	} {
		u, err := Unwrap(listed)
		if err == nil {
			err = u.Collision(listed)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", listed, err, want)
		}
	}
}

func FuzzUnwrap(f *testing.F) {
	for _, seed := range []string{
		"", ".", "layers.", "x.layers.0.", "x.layers.0.mixer\nx.layers.01.mixer.D", "module\nmodule.", "module.layers.0.mixer.D\nbackbone.layers.0.mixer.D",
		"a.backbone.layers.0.mixer.D\na.lm_head.weight\nlm_head.weight", "..backbone.layers.0.mixer.dt_bias", "model.layers.0.mixer.D\nlm_head.weight",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		listed := strings.Split(text, "\n")
		u, err := Unwrap(listed)
		if err != nil || u.Collision(listed) != nil {
			return
		}
		if len(u.Names) != len(listed) {
			t.Fatalf("%d names became %d", len(listed), len(u.Names))
		}
		for i, name := range u.Names {
			if len(name) > len(listed[i]) {
				t.Errorf("%q became %q", listed[i], name)
			}
			if j := slices.Index(u.Names, name); j != i && listed[j] != listed[i] {
				t.Errorf("%q and %q became %q", listed[j], listed[i], name)
			}
		}
	})
}
