package blocks

import (
	"cmp"
	"math"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/dump"
)

// QKV is the state of a convolution over queries, keys and values, by its place in States.
const QKV = Values + 1

// Around describes what a block of MHA has beside its heads.
type Around struct {
	Channels int // of queries, keys and values, after one another
	Kernel   int // of the convolution over them, which does not have an activation; 0: there is none
	Width    int // of a gated MLP whose output stands after that of the heads; 0: there is none
}

// states are those beside keys and values.
func (a *Around) states() []Spec {
	if a == nil || a.Kernel == 0 {
		return nil
	}
	return []Spec{{Name: dump.QKVStates, Shape: []int{a.Channels, a.Kernel}}}
}

// mambaSSM fills in what a step of a model of mamba_ssm varies in.
func (s *Step) mambaSSM(c *config.MambaSSMConfig) {
	if c.LayerNorm {
		s.Bias = strings.TrimSuffix(s.Norm, "weight") + "bias"
	}
	a := &c.MHA
	switch s.Kind {
	case Mamba1, Mamba2:
		s.describe(c.Config, nil)
	case MHA:
		s.Attention = &Attention{
			Heads: a.Heads, KeyHeads: a.KeyHeads, Dim: a.HeadDim, KeyScale: 1,
			Scale: cmp.Or(a.Scale, 1/math.Sqrt(float64(a.HeadDim))), Bias: a.ProjBias, OutBias: a.OutBias,
			Turned: a.RotaryDim, Theta: a.RotaryBase, Interleaved: a.Interleaved,
		}
		s.Around = &Around{Channels: a.Channels(), Kernel: a.DConv, Width: a.GateWidth()}
	case GatedMLP:
		s.MLP = &MLPSizes{Up: "fc1", Down: "fc2", Width: c.MLPWidth()}
	}
}

// FinalBias reports whether the final norm has a bias, and is a LayerNorm.
func FinalBias(cfg config.Config) bool {
	c, ok := cfg.(*config.MambaSSMConfig)
	return ok && c.LayerNorm
}
