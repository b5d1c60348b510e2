package model_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/names"
)

// TestInitHybrids holds how hybrids are drawn to what transformers' _init_weights draws of the same configurations
// (fixtures/init_weights.py): mean, deviation, least and greatest value of every tensor.
func TestInitHybrids(t *testing.T) {
	var models []struct {
		Config  json.RawMessage
		Tensors map[string]struct{ Mean, Std, Min, Max float64 }
	}
	text, err := os.ReadFile(filepath.Join("testdata", "init_weights.json"))
	if err == nil {
		err = json.Unmarshal(text, &models)
	}
	if err != nil || len(models) < 7 {
		t.Fatal(len(models), err)
	}
	for _, m := range models {
		cfg, err := config.ParseHF("config.json", m.Config)
		if err != nil {
			t.Fatal(err)
		}
		values := map[string][]float32{}
		for name, v := range drawn(t, cfg, 1) {
			values[names.ToHF(cfg, name)] = v
		}
		if len(values) != len(m.Tensors) {
			t.Errorf("%s: %d tensors, transformers has %d", cfg.Family(), len(values), len(m.Tensors))
		}
		for name, want := range m.Tensors {
			n, sum, squares := float64(len(values[name])), 0.0, 0.0
			low, high := math.Inf(1), math.Inf(-1)
			for _, v := range values[name] {
				x := float64(v)
				sum, squares, low, high = sum+x, squares+x*x, min(low, x), max(high, x)
			}
			mean := sum / n
			std := math.Sqrt(max(0, squares/n-mean*mean))
			within := 6 / math.Sqrt(n) * want.Std // of draws by another generator
			if fixed := want.Std == 0 || strings.HasSuffix(name, "A_log"); fixed {
				within = 1e-5
				if math.Abs(low-want.Min) > within || math.Abs(high-want.Max) > within {
					t.Errorf("%s: %s: from %g to %g, transformers has %+v", cfg.Family(), name, low, high, want)
				}
			}
			if !(math.Abs(mean-want.Mean) <= within) || !(math.Abs(std-want.Std) <= within) {
				t.Errorf("%s: %s: mean %g, deviation %g, transformers has %+v", cfg.Family(), name, mean, std, want)
			}
		}
	}
}
