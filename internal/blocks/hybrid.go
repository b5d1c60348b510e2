package blocks

import (
	"fmt"
	"math"

	"github.com/gomamba/gomamba/config"
)

// Network is Layers, and with floor raises dt to time_step_min, as transformers does in full passes of Nemotron-H and Zamba2 on a CPU.
// The error says that a family does not have that.
func Network(cfg config.Config, floor bool) ([][]Step, error) {
	layers := Layers(cfg)
	if !floor {
		return layers, nil
	}
	least, ok := Floor(cfg)
	if !ok {
		return nil, fmt.Errorf("a floor of dt is wanted, which %s models do not have: it is the time_step_min of %s and %s",
			config.Title(cfg.Family()), config.Title(config.NemotronH), config.Title(config.Zamba2))
	}
	for _, steps := range layers {
		for i := range steps {
			if m := steps[i].Mamba2; m != nil {
				m.Limit[0] = max(m.Limit[0], least)
			}
		}
	}
	return layers, nil
}

// Floor returns time_step_min of a family of which transformers raises dt to it.
func Floor(cfg config.Config) (least float64, ok bool) {
	switch c := cfg.(type) {
	case *config.NemotronHConfig:
		return c.TimeStepMin, true
	case *config.Zamba2Config:
		return c.TimeStepMin, true
	}
	return 0, false
}

// nemotron fills in what a step of Nemotron-H varies in. Its attention does not have positions.
func (s *Step) nemotron(c *config.NemotronHConfig) {
	mlp := func(width int) MLPSizes {
		return MLPSizes{Up: "up_proj", Down: "down_proj", Width: width, Bias: c.MLPBias}
	}
	switch s.Kind {
	case Mamba2:
		s.Mamba2 = hybridMixer(&c.Common, &c.Mixer2)
		s.Mamba2.Limit = [2]float64{0, math.Inf(1)} // time_step_min is for Network
	case SelfAttention:
		s.Attention = heads(&c.QueryHeads, 1/math.Sqrt(float64(c.HeadDim)))
	case MLP:
		sizes := mlp(c.IntermediateSize)
		sizes.GELU = c.MLPHiddenAct == "gelu"
		s.MLP = &sizes
	case MoE:
		shared, expert := mlp(c.MoESharedExpertIntermediateSize), mlp(c.MoEIntermediateSize)
		shared.Up, shared.Down = "shared_experts.up_proj", "shared_experts.down_proj"
		expert.Bias = false
		s.Experts = &ExpertSizes{
			Router: "gate", Count: c.NRoutedExperts, Chosen: c.NumExpertsPerTok,
			Sigmoid: true, Correction: "gate.e_score_correction_bias", Groups: c.NGroup, ChosenGroups: c.TopKGroup,
			Normed: c.NormTopKProb, Scaling: c.RoutedScalingFactor,
			Each: "experts.", Expert: expert, Shared: &shared,
			Latent: c.MoELatentSize, Into: "fc1_latent_proj", OutOf: "fc2_latent_proj", Bias: c.MLPBias,
		}
	}
}

// granite fills in what a step of Granite 4.0 varies in.
func (s *Step) granite(c *config.GraniteHybridConfig) {
	s.Scale = c.ResidualScale
	shared := MLPSizes{Gate: "shared_mlp.gate_proj", Up: "shared_mlp.up_proj", Down: "shared_mlp.output_linear", Width: c.SharedSize}
	switch s.Kind {
	case Mamba2:
		s.Mamba2 = hybridMixer(&c.Common, &c.Mixer2)
		s.Mamba2.Limit = c.TimeStepLimit
	case SelfAttention:
		s.Attention = heads(&c.QueryHeads, c.AttentionScale)
		s.Attention.Bias, s.Attention.OutBias = c.AttentionBias, c.AttentionBias
		if c.Positions() {
			s.Attention.Turned, s.Attention.Theta = c.HeadDim, c.Rope.Theta
		}
	case SwiGLU:
		s.MLP = &shared
	case SwiGLUMoE:
		s.Experts = &ExpertSizes{
			Router: "block_sparse_moe.router.layer", Count: c.NumLocalExperts, Chosen: c.NumExpertsPerTok,
			Each:   "block_sparse_moe.experts.",
			Expert: MLPSizes{Gate: "gate_proj", Up: "up_proj", Down: "down_proj", Width: c.IntermediateSize}, Shared: &shared,
		}
	}
}

// falconH1 fills in what a step of Falcon-H1 varies in.
func (s *Step) falconH1(c *config.FalconH1Config) {
	f := &c.Multipliers
	switch s.Kind {
	case Mamba2:
		s.Scale, s.Mamba2 = f.MambaOut, hybridMixer(&c.Common, &c.Mixer2)
		s.Mamba2.Limit, s.Mamba2.OutBias = c.TimeStepLimit, c.ProjectorsBias
		s.Mamba2.InScale, s.Mamba2.Sections = f.MambaIn, f.Mamba[:]
		if f.Mamba == [5]float64{1, 1, 1, 1, 1} {
			s.Mamba2.Sections = nil
		}
		switch {
		case !c.RMSNorm:
			s.Mamba2.Norm = NoNorm
		case c.NormBeforeGate:
			s.Mamba2.Norm = NormBeforeGate
		}
	case SelfAttention:
		s.Scale, s.Attention = f.AttentionOut, heads(&c.QueryHeads, 1/math.Sqrt(float64(c.HeadDim)))
		s.Attention.InScale, s.Attention.KeyScale = f.AttentionIn, f.Key
		s.Attention.Bias, s.Attention.OutBias = c.AttentionBias, c.AttentionBias
		s.Attention.Turned, s.Attention.Theta = c.HeadDim, c.Rope.Theta
	case SwiGLU:
		s.Scale = f.MLP[1]
		s.MLP = &MLPSizes{Gate: "gate_proj", Up: "up_proj", Down: "down_proj", Width: c.IntermediateSize, Bias: c.MLPBias, GateScale: f.MLP[0]}
	}
}

// bamba fills in what a step of Bamba varies in.
func (s *Step) bamba(c *config.BambaConfig) {
	switch s.Kind {
	case Mamba2:
		s.Mamba2 = hybridMixer(&c.Common, &c.Mixer2)
		s.Mamba2.Limit = c.TimeStepLimit
	case SelfAttention:
		s.Attention = heads(&c.QueryHeads, 1/math.Sqrt(float64(c.HeadDim)))
		s.Attention.Bias, s.Attention.OutBias = c.AttentionBias, c.AttentionBias
		s.Attention.Turned, s.Attention.Theta = c.Rope.Turned(c.HeadDim), c.Rope.Theta
	case SwiGLU:
		s.MLP = &MLPSizes{Gate: "gate_proj", Up: "up_proj", Down: "down_proj", Width: c.IntermediateSize, Bias: c.MLPBias}
	}
}

func hybridMixer(c *config.Common, m *config.Mixer2) *Mamba2Sizes {
	return &Mamba2Sizes{
		Heads: m.MambaNumHeads, HeadDim: m.MambaHeadDim, Groups: m.NGroups, StateSize: c.StateSize, Kernel: c.ConvKernel,
		Bias: c.UseBias, OutBias: c.UseBias, ConvBias: c.UseConvBias, NormEps: c.LayerNormEpsilon, Chunk: m.ChunkSize,
	}
}

func heads(a *config.QueryHeads, scale float64) *Attention {
	return &Attention{Heads: a.NumAttentionHeads, KeyHeads: a.NumKeyValueHeads, Dim: a.HeadDim, Scale: scale, KeyScale: 1}
}
