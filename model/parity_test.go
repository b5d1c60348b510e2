package model_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/gomamba/gomamba/internal/numcheck"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/internal/tensor"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/model/reference"
)

func TestQuick(t *testing.T) {
	refs, _ := filepath.Glob("../fixtures/mamba1/*/ref*.safetensors")
	for _, ref := range refs {
		t.Run(filepath.Base(filepath.Dir(ref))+"/"+filepath.Base(ref), func(t *testing.T) {
			ck, err := loader.Open(filepath.Dir(ref), loader.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer ck.Close()
			f, err := safetensors.Open(ref)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			m, err := model.New(ck, model.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			it, _ := f.Tensor("input_ids")
			ids, _ := tensor.Int64s(it)
			b := model.Batch{Sequences: it.Shape[0], Tokens: it.Shape[1], IDs: ids}
			if mt, ok := f.Tensor("attention_mask"); ok {
				b.Mask, _ = tensor.Int64s(mt)
			}
			c := m.NewCache(b.Sequences)
			out, err := m.Forward(context.Background(), b, c, model.Want{Logits: model.LogitsAll, HiddenStates: true})
			if err != nil {
				t.Fatal(err)
			}
			oc := reference.NewCache[float64](m.Config(), b.Sequences)
			oo, err := reference.Forward(context.Background(), ck, b, oc, model.Want{Logits: model.LogitsAll, HiddenStates: true})
			if err != nil {
				t.Fatal(err)
			}
			lt, _ := f.Tensor("logits")
			cmp := func(name string, got []float32, want []float64, hf []float32) {
				r, _ := numcheck.Compare(got, want, nil)
				h, err := numcheck.Compare(hf, want, nil)
				if err != nil {
					t.Fatal(err)
				}
				ratio := r.MaxAbs / h.MaxAbs
				mark := ""
				if r.MaxAbs > 1.5*h.MaxAbs && r.MaxRel > 2e-6 {
					mark = "FAIL"
				}
				t.Logf("%-24s ours %.2e hf %.2e ratio %.2f %s", name, r.MaxRel, h.MaxRel, ratio, mark)
			}
			cmp("logits", out.Logits, oo.Logits, tensor.Float32s(lt))
			for l := range c.SSMStates {
				st, ok := f.Tensor("cache.ssm_states." + string(rune('0'+l)))
				if ok {
					cmp(st.Name, c.SSMStates[l], oc.SSMStates[l], tensor.Float32s(st))
				}
				st, ok = f.Tensor("cache.conv_states." + string(rune('0'+l)))
				if ok {
					cmp(st.Name, c.ConvStates[l], oc.ConvStates[l], tensor.Float32s(st))
				}
			}
			for l := range out.HiddenStates {
				st, ok := f.Tensor("hidden_states." + string(rune('0'+l)))
				if ok {
					cmp(st.Name, out.HiddenStates[l], oo.HiddenStates[l], tensor.Float32s(st))
				}
			}
		})
	}
}
