package blocks

import (
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/names"
)

// MLPSizes describes a block of MLP or SwiGLU, or what an expert is: down·(silu(scale·gate·x) * up·x) with a gate, and without one
// the squared ReLU, down·max(up·x, 0)², or GELU. Names are those of modules, within the block.
type MLPSizes struct {
	Up, Down string
	Gate     string // the module of the gate of SwiGLU; "": there is no gate, or Both
	Both     string // the module of the gate and of up in one, the gate's rows first
	GELU     bool   // of the gate rather than silu, or without one rather than the squared ReLU
	Adapter  string // the module of a product of low rank that is added to what Both gives; "": none
	Width    int    // F
	Bias     bool

	GateScale float64 // of what the gate gives, with its bias; 0: none
}

// Gated reports whether there is a gate.
func (m *MLPSizes) Gated() bool { return m.Gate != "" || m.Both != "" }

// ExpertSizes describes a block of MoE or SwiGLUMoE.
type ExpertSizes struct {
	Router string // the module whose weight is [Count, D]
	Count  int    // of experts, E
	Chosen int    // of them for each token, k

	// Sigmoid: a score is sigmoid(logit), and experts are chosen by scores plus Correction, within the ChosenGroups best of
	// Groups. Otherwise the largest logits choose, and the weights are their softmax, which is over
	// those of all experts with OverAll, and of the chosen ones without.
	Sigmoid, OverAll     bool
	Correction           string // a tensor [Count]
	Groups, ChosenGroups int
	Normed               bool    // the weights of a token are divided by their sum
	Scaling              float64 // then multiplied by it

	Each   string    // what the names of the experts' own tensors begin with, before the index
	Expert MLPSizes  // what each expert is
	Latent int       // width of what experts read and give, Z; 0: D
	Into   string    // the module to that width, [Z, D]
	OutOf  string    // the module back, [D, Z]
	Bias   bool      // of Into and OutOf
	Shared *MLPSizes // what every token passes beside its experts; nil: nothing
}

// Shares returns which part of a tensor a token reads: of the experts' weights those of the experts that it passes, of all others
// the whole.
func Shares(cfg config.Config) func(name string) float64 {
	routed := make(map[string]float64) // by how names begin
	for _, steps := range Layers(cfg) {
		for i := range steps {
			x, under := steps[i].Experts, names.Blocks+strconv.Itoa(steps[i].Layer)+"."+steps[i].Under
			if x == nil {
				continue
			}
			routed[under+x.Each] = float64(x.Chosen) / float64(x.Count)
		}
	}
	return func(name string) float64 {
		for prefix, share := range routed {
			if strings.HasPrefix(name, prefix) {
				return share
			}
		}
		return 1
	}
}
