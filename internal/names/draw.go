package names

import (
	"math"
	"math/rand/v2"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/samebits"
)

// Draw returns the initial value of element i of a tensor.
type Draw func(rng *rand.Rand, i int) float64

// initial says how a tensor of a new model is drawn.
type initial func(cfg config.Config) Draw

// Initial returns how a tensor of InHF is drawn in a new model. What its row does not say is uniform in ±1/√fan_in,
// PyTorch's default.
func Initial(cfg config.Config, w Whole) Draw {
	layer, rest := indexed(w.Parts[0].Name, blockPrefix)
	t := tableOf(cfg.Family())
	r := t.find(cfg, layer, func(r *row) bool { return r.is(rest) })
	if t.hybrid != nil && t.hybrid.steps != nil {
		return t.hybrid.initial(r)(cfg)
	}
	if r.init == nil {
		return uniform(1 / math.Sqrt(float64(w.Shape[len(w.Shape)-1])))
	}
	return r.init(cfg)
}

// initial returns how transformers draws a tensor of a hybrid (_init_weights of PreTrainedModel, and of the family): weights normally,
// A_log by the number of the state or head. Biases are 0.
func (h *hybrid) initial(r *row) initial {
	switch {
	case strings.HasSuffix(r.name, "A_log") && len(r.shape) == 1:
		return counted
	case strings.HasSuffix(r.name, "A_log"):
		return realS4D
	case strings.HasSuffix(r.name, "dt_bias"), strings.HasSuffix(r.name, "dt_proj.bias"), strings.HasSuffix(r.name, "dt_proj_bias"):
		return h.steps
	case strings.HasSuffix(r.name, "dt_proj_weight"):
		return dtProjection
	case strings.HasSuffix(r.name, "bias"):
		return zeros
	case len(r.shape) == 1 || strings.HasSuffix(r.name, ".D"): // also of norms
		return ones
	case r.name == Embedding && h.padded:
		return padded
	case h.outs != nil && strings.HasSuffix(r.name, ".out_proj.weight"):
		return h.outs
	}
	return normal
}

// rescaled is PyTorch's default divided by √L, unless rescale_prenorm_residual is stated false.
func rescaled(cfg config.Config) Draw {
	if config.Value(cfg, "rescale_prenorm_residual") == "false" {
		return normal(cfg)
	}
	return uniform(1 / math.Sqrt(float64(cfg.DInner()*cfg.Shared().NumHiddenLayers)))
}

// padded is normal but for the row of pad_token_id, which is 0.
func padded(cfg config.Config) Draw {
	draw, c := normal(cfg), cfg.Shared()
	return func(rng *rand.Rand, i int) float64 {
		v := draw(rng, i)
		if c.PadTokenID != nil && i/c.HiddenSize == *c.PadTokenID {
			return 0
		}
		return v
	}
}

// counted is log(1 … H).
func counted(config.Config) Draw {
	return func(_ *rand.Rand, i int) float64 { return samebits.Log(float64(i + 1)) }
}

func ones(config.Config) Draw { return constant(1) }

func zeros(config.Config) Draw { return constant(0) }

// normal has the deviation initializer_range.
func normal(cfg config.Config) Draw {
	deviation := cfg.Shared().InitializerRange
	return func(rng *rand.Rand, _ int) float64 { return deviation * rng.NormFloat64() }
}

// convolution is PyTorch's default, for weights and biases.
func convolution(cfg config.Config) Draw {
	return uniform(1 / math.Sqrt(float64(cfg.Shared().ConvKernel)))
}

// outProjection is PyTorch's default, divided by √L with rescale_prenorm_residual.
func outProjection(cfg config.Config) Draw {
	bound := 1 / math.Sqrt(float64(cfg.DInner()))
	if cfg.Shared().RescalePrenormResidual {
		bound /= math.Sqrt(float64(cfg.Shared().NumHiddenLayers))
	}
	return uniform(bound)
}

// dtProjection is uniform in ±time_step_scale/√R, or that constant with time_step_init_scheme "constant". Hybrids do not
// have these keys.
func dtProjection(cfg config.Config) Draw {
	rank := math.Sqrt(float64(config.SizesOf(cfg)["R"]))
	m := config.Selective(cfg)
	switch {
	case m == nil:
		return uniform(1 / rank)
	case m.TimeStepInitScheme == "constant":
		return constant(m.TimeStepScale / rank)
	}
	return uniform(m.TimeStepScale / rank)
}

// realS4D is log(1 … N) in every channel.
func realS4D(cfg config.Config) Draw {
	n := cfg.Shared().StateSize
	return func(_ *rand.Rand, i int) float64 { return samebits.Log(float64(i%n + 1)) }
}

// logUniform is the logarithm of a number drawn uniformly from 1 to 16.
func logUniform(config.Config) Draw {
	return func(rng *rand.Rand, _ int) float64 { return samebits.Log(1 + float64(15*rng.Float64())) }
}

// stepSize draws the bias whose softplus is the initial step size dt: log-uniform from time_step_min to time_step_max, and
// at least time_step_floor.
func stepSize(cfg config.Config) Draw {
	c := cfg.Shared()
	low, high := samebits.Log(c.TimeStepMin), samebits.Log(c.TimeStepMax)
	return func(rng *rand.Rand, _ int) float64 {
		dt := max(samebits.Exp(low+float64((high-low)*rng.Float64())), c.TimeStepFloor)
		return dt + samebits.Log(-samebits.Expm1(-dt))
	}
}

func constant(v float64) Draw { return func(*rand.Rand, int) float64 { return v } }

func uniform(bound float64) Draw {
	return func(rng *rand.Rand, _ int) float64 { return bound * (2*float64(rng.Float64()) - 1) }
}
