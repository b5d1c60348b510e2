package model

import (
	"errors"
	"hash/fnv"
	"math/rand/v2"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// Parameter is one tensor of a newly initialised model. Its values are drawn when it is read.
type Parameter struct {
	Name  string
	Shape []int

	seed uint64
	draw names.Draw
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
// Hybrids are drawn as transformers 5.24 does (_init_weights of PreTrainedModel and of each family): weights, also of convolutions and
// experts, are normal with deviation initializer_range and their biases 0, A_log is log(1 … H) over the heads of Mamba-2, and dt_bias
// is 1 in Granite, Bamba and Falcon-H1, 0 in Jamba. The row of pad_token_id is 0 in the embedding of a family that has one.
//
// A tensor's values depend on the seed and its name alone, so that a shape may change without moving the others.
func Init(cfg config.Config, seed uint64) ([]Parameter, error) {
	if cfg == nil {
		return nil, errors.New("model: the configuration is nil")
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	table, err := names.InHF(cfg)
	if err != nil {
		return nil, err
	}
	var params []Parameter
	for _, w := range table {
		if w.Optional {
			continue // a tied head
		}
		h := fnv.New64a()
		h.Write([]byte(w.Name))
		params = append(params, Parameter{
			Name: w.Name, Shape: w.Shape,
			seed: seed ^ h.Sum64(),
			draw: names.Initial(cfg, w),
		})
	}
	return params, nil
}

// Encode passes the values to emit, encoded as dtype, in order and in pieces.
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
