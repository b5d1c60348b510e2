package blocks

import (
	"math"
	"strconv"

	"github.com/gomamba/gomamba/config"
)

// gatedEps is the epsilon of the norm in Zamba2's mixers, whatever rms_norm_eps is.
const gatedEps = 1e-5

// zamba2 fills in what a step of Zamba2 varies in. A hybrid layer sends the stream and the embeddings through a shared block and a
// projection, and its mixer reads the sum of the stream and that.
func (s *Step) zamba2(c *config.Zamba2Config, mine config.Shared) {
	adapter := func(list string) string { return list + "." + strconv.Itoa(mine.Use) }
	switch config.Block(s.Kind) {
	case config.BlockMamba2, config.BlockJoinedMamba2:
		s.WithBranch = s.Kind == Kind(config.BlockJoinedMamba2)
		s.Kind, s.Mamba2 = Mamba2, hybridMixer(&c.Common, &c.Mixer2)
		s.Mamba2.NormEps, s.Mamba2.Limit = gatedEps, [2]float64{0, math.Inf(1)} // time_step_min is for Network
	case config.BlockSharedAttention:
		s.Kind, s.Layer, s.Flow = SelfAttention, mine.Layer, Flow{Embedded: true, ToBranch: true}
		s.Attention = heads(&c.QueryHeads, 1/math.Sqrt(float64(c.HeadDim)/2))
		if c.UseMemRope {
			s.Attention.Turned, s.Attention.Theta = c.HeadDim, c.Rope.Theta
		}
		if c.AttentionAdapter {
			s.Attention.QAdapter, s.Attention.KAdapter, s.Attention.VAdapter = adapter("linear_q_adapter_list"), adapter("linear_k_adapter_list"), adapter("linear_v_adapter_list")
		}
	case config.BlockSharedMLP:
		s.Kind, s.Layer, s.Flow = SwiGLU, mine.Layer, Flow{FromBranch: true, ToBranch: true}
		s.MLP = &MLPSizes{Both: "gate_up_proj", Down: "down_proj", GELU: c.Activation == "gelu", Adapter: adapter("gate_up_proj_adapter_list"),
			Width: c.IntermediateSize, Bias: c.UseBias}
	case config.BlockLinear:
		s.Flow = Flow{FromBranch: true, ToBranch: true}
	}
}

// zamba fills in what a step of Zamba varies in, whose layers are as those of Zamba2.
func (s *Step) zamba(c *config.ZambaConfig, mine config.Shared) {
	switch config.Block(s.Kind) {
	case config.BlockZamba, config.BlockJoinedZamba:
		s.WithBranch = s.Kind == Kind(config.BlockJoinedZamba)
		s.Kind, s.Mamba1 = Zamba, &Mamba1Sizes{Inner: c.DInner(), StateSize: c.StateSize, Rank: c.TimeStepRank, Heads: c.NumMambaHeads,
			Bias: c.UseBias, ConvBias: c.UseConvBias}
	case config.BlockSharedAttention:
		s.Kind, s.Layer, s.Flow = SelfAttention, mine.Layer, Flow{Embedded: true, ToBranch: true}
		s.Attention = heads(&c.QueryHeads, 1/math.Sqrt(float64(c.HeadDim)/2))
	case config.BlockSharedMLP:
		s.Kind, s.Layer, s.Flow = SwiGLU, mine.Layer, Flow{FromBranch: true, ToBranch: true}
		s.MLP = &MLPSizes{Gate: "gate_proj", Up: "up_proj", Down: "down_proj", GELU: c.Activation == "gelu", Width: c.IntermediateSize}
	case config.BlockLinear:
		s.Flow = Flow{FromBranch: true, ToBranch: true}
	}
}
