package model_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/tensor"
)

// drawn returns the values of a new model by name.
func drawn(t *testing.T, cfg config.Config, seed uint64) map[string][]float32 {
	t.Helper()
	params, err := model.Init(cfg, seed)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string][]float32{}
	for _, p := range params {
		var v []float32
		err := p.Encode(tensor.F32, func(piece []byte) error {
			v = append(v, tensor.Float32s(tensor.Tensor{DType: tensor.F32, Data: slices.Clone(piece)})...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := tensor.Count(p.Shape); n != len(v) {
			t.Fatalf("%s: %d values of shape %v", p.Name, len(v), p.Shape)
		}
		values[p.Name] = v
	}
	return values
}

// span is the interval that a tensor is drawn from.
type span struct{ low, high float64 }

func around(bound float64) span { return span{-bound, bound} }

// TestInit checks the initialisation against what the papers' code promises, on drawn values.
func TestInit(t *testing.T) {
	mamba, falcon, mamba2 := config.NewMamba(), config.NewFalconMamba(), config.NewMamba2()
	for _, c := range []*config.Common{&mamba.Common, &falcon.Common, &mamba2.Common} {
		c.NumHiddenLayers, c.VocabSize, c.UseBias, c.RescalePrenormResidual = 2, 500, true, true
	}
	mamba2.HiddenSize, mamba2.HeadDim, mamba2.NumHeads, mamba2.NGroups = 768, 2, 768, 2 // many heads, to see their range
	falcon.TieWordEmbeddings = false
	selective := map[string]span{
		"A_log":           {0, math.Log(16)},
		"D":               {1, 1},
		"in_proj.weight":  around(1 / math.Sqrt(768)),
		"in_proj.bias":    {},
		"x_proj.weight":   around(1 / math.Sqrt(1536)),
		"conv1d.weight":   around(0.5),
		"dt_proj.weight":  around(1 / math.Sqrt(48)),
		"dt_proj.bias":    {0.001, 0.1},
		"out_proj.weight": around(1 / math.Sqrt(1536*2)),
	}
	for _, c := range []struct {
		cfg   config.Config
		mixer map[string]span
	}{{mamba, selective}, {falcon, selective}, {mamba2, map[string]span{
		"A_log":           {0, math.Log(16)},
		"D":               {1, 1},
		"norm.weight":     {1, 1},
		"in_proj.weight":  around(1 / math.Sqrt(768)),
		"in_proj.bias":    {},
		"conv1d.weight":   around(0.5),
		"dt_bias":         {0.001, 0.1},
		"out_proj.weight": around(1 / math.Sqrt(1536*2)),
	}}} {
		family := c.cfg.Family()
		values := drawn(t, c.cfg, 7)
		if _, ok := values["lm_head.weight"]; ok == c.cfg.Shared().TieWordEmbeddings {
			t.Errorf("%s: a head of its own: %v", family, ok)
		}
		const projection = "backbone.layers.1.mixer.in_proj.weight"
		if again, other := drawn(t, c.cfg, 7), drawn(t, c.cfg, 8); !slices.Equal(values[projection], again[projection]) ||
			slices.Equal(values[projection], other[projection]) {
			t.Errorf("%s: the values do not follow the seed", family)
		}
		for name, want := range c.mixer {
			v := values["backbone.layers.1.mixer."+name]
			if name == "dt_bias" || name == "dt_proj.bias" {
				for i, bias := range v { // of which the step size is the softplus
					v[i] = float32(math.Log1p(math.Exp(float64(bias))))
				}
			}
			low, high := float64(slices.Min(v)), float64(slices.Max(v))
			room := 0.01*(want.high-want.low) + 1e-6
			if low < want.low-1e-6 || low > want.low+room || high > want.high+1e-6 || high < want.high-room {
				t.Errorf("%s, %s: drawn from %.5f to %.5f, want %.5f to %.5f", family, name, low, high, want.low, want.high)
			}
		}
		for name, v := range values {
			if strings.HasSuffix(name, "norm.weight") && (slices.Min(v) != 1 || slices.Max(v) != 1) {
				t.Errorf("%s: %s is not 1", family, name)
			}
		}
	}
}
