package model

import (
	"errors"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/samebits"
	"github.com/gomamba/gomamba/tensor"
)

// Parameter is one tensor of a freshly initialised model, drawn as it is read.
type Parameter struct {
	Name  string
	Shape []int

	seed uint64
	draw func(rng *rand.Rand, i int) float64 // value of element i
}

// Init returns the parameters of a new model, as the Mamba papers' reference code initialises them
// (mamba_ssm/modules/mamba_simple.py, modules/mamba2.py and models/mixer_seq_simple.py):
//
//   - A_log = log(1 … N) in every channel, the S4D real initialisation, and D = 1; in Mamba-2 A_log is the logarithm of
//     a number drawn uniformly from 1 to 16;
//   - dt_proj.bias, in Mamba-2 dt_bias, is the inverse softplus of a step size drawn log-uniformly from time_step_min to
//     time_step_max and at least time_step_floor; dt_proj.weight is uniform in ±time_step_scale/√R, or that constant
//     with time_step_init_scheme "constant";
//   - projections and convolutions are uniform in ±1/√fan_in, PyTorch's default; out_proj is divided by √L with
//     rescale_prenorm_residual; biases of projections are 0;
//   - embeddings are normal with deviation initializer_range, and norms 1.
//
// A tensor's values depend on the seed and its name alone, so that a shape may change without moving the others.
func Init(cfg config.Config, seed uint64) ([]Parameter, error) {
	if cfg == nil {
		return nil, errors.New("model: the configuration is nil")
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	table, err := names.Table(cfg)
	if err != nil {
		return nil, err
	}
	var params []Parameter
	for _, spec := range table {
		if spec.Optional {
			continue // a tied head
		}
		h := fnv.New64a()
		h.Write([]byte(spec.Name))
		params = append(params, Parameter{
			Name: spec.Name, Shape: spec.Shape,
			seed: seed ^ h.Sum64(),
			draw: initialiser(cfg, spec),
		})
	}
	return params, nil
}

// initialiser returns how the elements of a tensor are drawn.
func initialiser(family config.Config, spec names.Spec) func(*rand.Rand, int) float64 {
	cfg := family.Shared()
	_, kind, inMixer := strings.Cut(spec.Name, ".mixer.")
	if !inMixer {
		if strings.HasSuffix(spec.Name, "norm.weight") || strings.HasSuffix(spec.Name, "norm_f.weight") {
			return constant(1)
		}
		return func(rng *rand.Rand, _ int) float64 { return cfg.InitializerRange * rng.NormFloat64() }
	}
	switch kind {
	case "A_log":
		if family.Family() == config.Mamba2 {
			return func(rng *rand.Rand, _ int) float64 { return samebits.Log(1 + float64(15*rng.Float64())) }
		}
		return func(_ *rand.Rand, i int) float64 { return samebits.Log(float64(i%cfg.StateSize + 1)) }
	case "D", "norm.weight":
		return constant(1)
	case "dt_proj.bias", "dt_bias":
		return stepSize(cfg)
	case "dt_proj.weight":
		m := config.Selective(family)
		bound := m.TimeStepScale / math.Sqrt(float64(m.TimeStepRank))
		if m.TimeStepInitScheme == "constant" {
			return constant(bound)
		}
		return uniform(bound)
	case "in_proj.bias", "out_proj.bias":
		return constant(0)
	case "out_proj.weight":
		bound := 1 / math.Sqrt(float64(family.DInner()))
		if cfg.RescalePrenormResidual {
			bound /= math.Sqrt(float64(cfg.NumHiddenLayers))
		}
		return uniform(bound)
	case "conv1d.weight", "conv1d.bias":
		return uniform(1 / math.Sqrt(float64(cfg.ConvKernel)))
	}
	return uniform(1 / math.Sqrt(float64(spec.Shape[len(spec.Shape)-1])))
}

func constant(v float64) func(*rand.Rand, int) float64 {
	return func(*rand.Rand, int) float64 { return v }
}

func uniform(bound float64) func(*rand.Rand, int) float64 {
	return func(rng *rand.Rand, _ int) float64 { return bound * (2*float64(rng.Float64()) - 1) }
}

// stepSize draws the bias whose softplus is the initial step size dt.
func stepSize(cfg *config.Common) func(*rand.Rand, int) float64 {
	low, high := samebits.Log(cfg.TimeStepMin), samebits.Log(cfg.TimeStepMax)
	return func(rng *rand.Rand, _ int) float64 {
		dt := max(samebits.Exp(low+float64((high-low)*rng.Float64())), cfg.TimeStepFloor)
		return dt + samebits.Log(-samebits.Expm1(-dt))
	}
}

// Encode hands the values to emit, in order and in pieces, in the encoding of dtype.
func (p *Parameter) Encode(dtype tensor.DType, emit func(piece []byte) error) error {
	count, _ := tensor.Count(p.Shape) // of a valid configuration
	rng := rand.New(rand.NewPCG(p.seed, 0x6d616d6261))
	values := make([]float32, 1<<14)
	encoded := make([]byte, len(values)*dtype.Size())
	for i := 0; i < count; {
		n := min(len(values), count-i)
		for j := range n {
			values[j] = float32(p.draw(rng, i+j))
		}
		tensor.NarrowF32(encoded[:n*dtype.Size()], dtype, values[:n])
		if err := emit(encoded[:n*dtype.Size()]); err != nil {
			return err
		}
		i += n
	}
	return nil
}
