package names

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/tensor"
)

// TestGGUFNames takes every tensor of a model of each family there and back.
func TestGGUFNames(t *testing.T) {
	for _, cfg := range []config.Config{config.NewMamba(), config.NewFalconMamba(), config.NewMamba2()} {
		cfg.Shared().NumHiddenLayers, cfg.Shared().TieWordEmbeddings = 12, false
		seen := map[string]bool{}
		for _, spec := range tableFor(t, cfg) {
			stored, ok := ToGGUF(cfg, spec.Name)
			if !ok || seen[stored.Name] {
				t.Fatalf("%s: stored as %+v (%v), seen before %v", spec.Name, stored, ok, seen[stored.Name])
			}
			seen[stored.Name] = true
			if back, again, ok := FromGGUF(cfg, stored.Name); !ok || back != spec.Name || !reflect.DeepEqual(again, stored) {
				t.Errorf("%s: %s comes back as %s (%v)", spec.Name, stored.Name, back, ok)
			}
			// llama.cpp's rule for what stays F32.
			f32 := len(spec.Shape) == 1 || strings.Contains(stored.Name, "norm") || strings.Contains(stored.Name, "conv1d") ||
				!strings.HasSuffix(stored.Name, ".weight")
			if stored.F32 != f32 {
				t.Errorf("%s: always F32 %v, want %v", stored.Name, stored.F32, f32)
			}
		}
	}
	cfg := config.NewMamba()
	for _, name := range []string{"backbone.layers.0.mixer.in_proj.bias", "backbone.layers.x.norm.weight", "backbone.layers.0.mixer.dt_bias", "other"} {
		if stored, ok := ToGGUF(cfg, name); ok {
			t.Errorf("%s: stored as %+v", name, stored)
		}
	}
	for _, name := range []string{"blk.01.ssm_a", "blk.-1.ssm_a", "blk.{i}.ssm_a", "blk.ssm_a", "ssm_a", "blk.0.ssm_norm.weight", "rope_freqs.weight"} {
		if canonical, _, ok := FromGGUF(cfg, name); ok {
			t.Errorf("%s: read as %s", name, canonical)
		}
	}
}

// TestHybridsInGGUF gives every tensor of the hybrids a place, of its own or with other experts, whose type follows llama.cpp's rule.
func TestHybridsInGGUF(t *testing.T) {
	granite := config.NewGraniteHybrid()
	granite.Layers[3] = config.BlockAttention
	bamba := config.NewBamba()
	bamba.AttentionLayers = []int{3}
	for _, cfg := range []config.Config{config.NewNemotronH(), granite, config.NewFalconH1(), bamba} {
		wholes, err := InGGUF(cfg)
		if err != nil {
			t.Fatal(err)
		}
		parts := 0
		for _, w := range wholes {
			parts += len(w.Parts)
			for i, spec := range w.Parts {
				stored, ok := ToGGUF(cfg, spec.Name)
				if !ok || stored.Part != i || len(w.Parts) > 1 && (stored.Name != w.Name || !slices.Equal(stored.Shape, w.Shape)) {
					t.Errorf("%s: stored as %+v (%v), in %s %v", spec.Name, stored, ok, w.Name, w.Shape)
				}
				f32 := len(spec.Shape) == 1 || strings.Contains(stored.Name, "norm") || strings.Contains(stored.Name, "conv1d") ||
					strings.Contains(stored.Name, "ffn_gate_inp") || !strings.HasSuffix(stored.Name, ".weight")
				if stored.F32 != f32 {
					t.Errorf("%s: always F32 %v, want %v", stored.Name, stored.F32, f32)
				}
			}
		}
		if table := tableFor(t, cfg); parts != len(table) {
			t.Errorf("%s: %d parts of %d tensors", cfg.Family(), parts, len(table))
		}
	}
	half, _ := ToGGUF(bamba, "backbone.layers.3.self_attn.q_proj.weight")
	for i, want := range map[int]int{0: 0, 1: 32, 2: 1, 63: 63, 64: 64, 65: 65, 129: 160} { // of heads of 128 the first 64 turn
		if got := half.Row(i); got != want {
			t.Errorf("row %d of Bamba's is row %d, want %d", i, got, want)
		}
	}
	queries, _ := ToGGUF(granite, "backbone.layers.3.self_attn.q_proj.weight")
	for i, want := range map[int]int{0: 0, 1: 64, 2: 1, 127: 127, 128: 128, 129: 192} { // heads of 128
		if got := queries.Row(i); got != want {
			t.Errorf("row %d is row %d, want %d", i, got, want)
		}
	}
}

// TestMamba2InGGUF holds the shapes that llama.cpp gives to what PyTorch stores as vectors.
func TestMamba2InGGUF(t *testing.T) {
	cfg := config.NewMamba2()
	for name, want := range map[string][]int{
		"mixer.A_log": {128, 1}, "mixer.D": {128, 1}, "mixer.dt_bias": {128}, "mixer.norm.weight": {8, 1024}, "mixer.conv1d.weight": {10240, 4},
	} {
		if stored, _ := ToGGUF(cfg, "backbone.layers.3."+name); !slices.Equal(stored.Shape, want) {
			t.Errorf("%s: stored as %v, want %v", name, stored.Shape, want)
		}
	}
}

// TestLogarithmComesBack holds what is promised of A_log through A: exact for 16-bit values and for the S4D
// initialisation, and the same A for every float32.
func TestLogarithmComesBack(t *testing.T) {
	var logs []float32
	for bits := range 1 << 16 {
		for _, v := range []float32{tensor.BF16ToF32(uint16(bits)), tensor.F16ToF32(uint16(bits))} {
			if a := math.Abs(float64(v)); a < 80 && a > 2.5e-4 {
				logs = append(logs, v)
			}
		}
	}
	for n := 1; n <= 256; n++ {
		logs = append(logs, float32(math.Log(float64(n))))
	}
	exact := len(logs)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		logs = append(logs, float32(3*rng.NormFloat64()))
	}
	a, back, again := make([]float32, len(logs)), make([]float32, len(logs)), make([]float32, len(logs))
	kernel.NegExp(a, logs)
	if err := LogNeg(back, a); err != nil {
		t.Fatal(err)
	}
	kernel.NegExp(again, back)
	same := 0
	for i, v := range logs {
		if again[i] != a[i] {
			t.Fatalf("A_log %v: A %v came back as %v", v, a[i], again[i])
		}
		if back[i] == v {
			same++
		} else if i < exact {
			t.Errorf("A_log %v came back as %v", v, back[i])
		}
	}
	t.Logf("%d of %d values of A_log came back to the bit", same, len(logs))
	for _, bad := range []float32{0, 1, float32(math.NaN()), float32(math.Inf(-1))} {
		if err := LogNeg(back[:1], []float32{bad}); err == nil {
			t.Errorf("A %v has a logarithm", bad)
		}
	}
}

func BenchmarkLogNeg(b *testing.B) {
	a, logs := make([]float32, 1<<16), make([]float32, 1<<16)
	for i := range logs {
		logs[i] = float32(i%4096) / 1024
	}
	kernel.NegExp(a, logs)
	b.SetBytes(int64(4 * len(a)))
	for b.Loop() {
		if err := LogNeg(logs, a); err != nil {
			b.Fatal(err)
		}
	}
}
