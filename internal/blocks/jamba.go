package blocks

import (
	"math"

	"github.com/gomamba/gomamba/config"
)

// jamba fills in what a step of Jamba varies in. Its attention does not have positions.
func (s *Step) jamba(c *config.JambaConfig) {
	mlp := MLPSizes{Gate: "gate_proj", Up: "up_proj", Down: "down_proj", Width: c.IntermediateSize}
	switch s.Kind {
	case Mamba1:
		s.Mamba1 = &Mamba1Sizes{
			Inner: c.DInner(), StateSize: c.StateSize, Rank: c.TimeStepRank, Bias: c.UseBias, ConvBias: c.UseConvBias,
			Normed: true, NormEps: c.LayerNormEpsilon,
			Norms: []string{"dt_layernorm.weight", "b_layernorm.weight", "c_layernorm.weight"},
		}
	case SelfAttention:
		s.Attention = heads(&c.QueryHeads, 1/math.Sqrt(float64(c.HeadDim)))
	case SwiGLU:
		s.MLP = &mlp
	case SwiGLUMoE:
		s.Experts = &ExpertSizes{Router: "router", Count: c.NumExperts, Chosen: c.NumExpertsPerTok, OverAll: true, Each: "experts.", Expert: mlp}
	}
}
