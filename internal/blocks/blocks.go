// Package blocks says what the layers of a network are made of, whatever computes them: the kinds of their blocks, and the
// states that these keep of a sequence.
package blocks

import (
	"slices"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/names"
)

// Kind is what a block computes.
type Kind config.Block

// The kinds of blocks.
const (
	Mamba1      = Kind(config.BlockMamba1)      // the selective state-space mixer of Mamba
	FalconMamba = Kind(config.BlockFalconMamba) // that of Mamba, with norms of dt, B and C
	Mamba2      = Kind(config.BlockMamba2)      // the mixer of Mamba-2, by heads
	Mamba3      = Kind(config.BlockMamba3)      // the mixer of Mamba-3

	SelfAttention = Kind(config.BlockAttention) // causal, with heads that share keys and values
	MHA           = Kind(config.BlockMHA)       // the same with one projection, as mamba_ssm has it

	MLP       = Kind(config.BlockMLP)       // feed-forward, with a squared ReLU
	SwiGLU    = Kind(config.BlockSwiGLU)    // feed-forward, gated
	GatedMLP  = Kind(config.BlockGatedMLP)  // that of mamba_ssm, with one projection
	Linear    = Kind(config.BlockLinear)    // one projection
	Zamba     = Kind(config.BlockZamba)     // the mixer of Mamba-1 by heads, each with a selection of its own
	MoE       = Kind(config.BlockMoE)       // experts of the kind of MLP, a few of which each token passes
	SwiGLUMoE = Kind(config.BlockSwiGLUMoE) // experts of the kind of SwiGLU
)

// Step is what a layer does to the residual stream: x += scale · block(norm(x)), unless its Flow says otherwise.
type Step struct {
	// Norm is the weight of the norm, within the layer. "": there is none; the block reads the branch as it is, or else what the
	// block before it has read, beside which it stands.
	Norm  string
	Bias  string // the bias of the norm, which is a LayerNorm then; "": it is an RMS norm
	Under string // the prefix of the block's tensors, within the layer
	Layer int    // the layer under whose name the tensors lie: its own, unless several layers use the same
	Kind  Kind
	Flow
	Scale float64 // of what the block adds

	Mamba1    *Mamba1Sizes // of Mamba1, FalconMamba and Zamba
	Mamba2    *Mamba2Sizes // of Mamba2
	Mamba3    *Mamba3Sizes // of Mamba3
	Attention *Attention   // of SelfAttention and MHA
	Around    *Around      // of MHA
	MLP       *MLPSizes    // of MLP and SwiGLU
	Experts   *ExpertSizes // of MoE and SwiGLUMoE
}

// Flow says what a step reads and where its result goes. The zero value reads the residual stream and adds to it. Beside the stream
// a layer may have a branch, which lasts until the layer ends.
type Flow struct {
	Embedded   bool // reads the stream with the embeddings after it, [2·D], normed as one
	FromBranch bool // reads the branch in place of the stream
	WithBranch bool // reads the sum of the stream and the branch
	ToBranch   bool // sets the branch, and leaves the stream as it is
}

// Mamba1Sizes describes a block of Mamba1 or FalconMamba.
type Mamba1Sizes struct {
	Inner, StateSize, Rank int // I, N, R
	Heads                  int // H, of Zamba

	Bias, ConvBias bool     // of in_proj and out_proj, and of conv1d
	Normed         bool     // dt, B and C are normed, each by itself
	NormEps        float64  // of these norms
	Norms          []string // their weights, of dt [R], of B [N] and of C [N]; nil: they have none
}

// Mamba2Sizes describes a block of Mamba2.
type Mamba2Sizes struct {
	Heads, HeadDim, Groups, StateSize, Kernel int // H, P, G, N, K

	Bias, OutBias bool       // of in_proj and out_proj
	ConvBias      bool       // of conv1d
	Limit         [2]float64 // of dt, after the softplus
	Norm          NormPlace  // of the norm among scan and gate
	NormEps       float64    // of that norm
	InScale       float64    // of the inputs; 0: none
	Sections      []float64  // of what in_proj gives, with its bias: factors of z, x, B, C and dt; nil: none
	Chunk         int        // of the chunked algorithm; does not affect results
}

// NormPlace says where the norm of Mamba-2 stands, if it has one.
type NormPlace int

// The places of the norm.
const (
	NormAfterGate  NormPlace = iota // norm(y·silu(z))
	NormBeforeGate                  // norm(y)·silu(z)
	NoNorm                          // y·silu(z)
)

// Inner returns the width of the mixer: I = H·P.
func (m *Mamba2Sizes) Inner() int { return m.Heads * m.HeadDim }

// Channels returns those of the convolution, x, B and C: C = I + 2·G·N.
func (m *Mamba2Sizes) Channels() int { return m.Inner() + 2*m.Groups*m.StateSize }

// Attention describes a block of SelfAttention.
type Attention struct {
	Heads, KeyHeads, Dim int     // of queries, of keys and values, values in each
	Scale                float64 // of scores: Dim^-½, or attention_multiplier
	InScale              float64 // of the inputs: attention_in_multiplier; 0: none
	KeyScale             float64 // of keys: 1, or key_multiplier
	Bias, OutBias        bool    // of q_proj, k_proj and v_proj, and of o_proj
	Turned               int     // channels of a head that a rotary embedding turns, the first ones; 0: none
	Theta                float64 // of that embedding: rope_theta
	Interleaved          bool    // it turns neighbours, not channels of the two halves

	QAdapter, KAdapter, VAdapter string // modules of a product of low rank that is added to what q_proj, k_proj, v_proj give; "": none
}

// Layers returns the steps of every layer, in order.
func Layers(cfg config.Config) [][]Step {
	layers := make([][]Step, 0, cfg.Shared().NumHiddenLayers)
	shared := config.SharedBlocks(cfg)
	for l, blocks := range config.Blocks(cfg) {
		var steps []Step
		for _, b := range blocks {
			norm, under := names.Step(cfg.Family(), b)
			step := Step{Norm: norm, Under: under, Layer: l, Kind: Kind(b), Scale: 1}
			step.describe(cfg, shared)
			steps = append(steps, step)
		}
		layers = append(layers, steps)
	}
	return layers
}

// describe fills in what blocks of some kinds vary in.
func (s *Step) describe(cfg config.Config, shared map[int]config.Shared) {
	switch cfg := cfg.(type) {
	case *config.MambaConfig:
		s.Mamba1 = selective(cfg)
	case *config.FalconMambaConfig:
		s.Mamba1 = selective(&cfg.MambaConfig)
		s.Mamba1.Normed, s.Mamba1.NormEps = true, cfg.MixerRMSEps
	case *config.Mamba2Config:
		s.Mamba2 = &Mamba2Sizes{
			Heads: cfg.NumHeads, HeadDim: cfg.HeadDim, Groups: cfg.NGroups, StateSize: cfg.StateSize, Kernel: cfg.ConvKernel,
			Bias: cfg.UseBias, OutBias: cfg.UseBias, ConvBias: cfg.UseConvBias, Limit: cfg.TimeStepLimit, NormEps: cfg.LayerNormEpsilon, Chunk: cfg.ChunkSize,
		}
	case *config.Mamba3Config:
		s.mamba3(cfg)
	case *config.NemotronHConfig:
		s.nemotron(cfg)
	case *config.GraniteHybridConfig:
		s.granite(cfg)
	case *config.JambaConfig:
		s.jamba(cfg)
	case *config.FalconH1Config:
		s.falconH1(cfg)
	case *config.BambaConfig:
		s.bamba(cfg)
	case *config.MambaSSMConfig:
		s.mambaSSM(cfg)
	case *config.ZambaConfig:
		s.zamba(cfg, shared[s.Layer])
	case *config.Zamba2Config:
		s.zamba2(cfg, shared[s.Layer])
	}
}

func selective(c *config.MambaConfig) *Mamba1Sizes {
	return &Mamba1Sizes{Inner: c.DInner(), StateSize: c.StateSize, Rank: c.TimeStepRank, Bias: c.UseBias, ConvBias: c.UseConvBias}
}

// Has reports whether any layer has a block of this kind.
func Has(cfg config.Config, kind Kind) bool {
	return slices.ContainsFunc(Layers(cfg), func(layer []Step) bool {
		return slices.ContainsFunc(layer, func(s Step) bool { return s.Kind == kind })
	})
}

// Spec describes a state that a block keeps.
type Spec struct {
	Name  string // as transformers calls it, and files: dump.ConvStates, for one
	Shape []int  // for each sequence, of one token if it grows
	// Grows says that the state has a row for every token: [heads, width] for each, in pages of kernel.PageTokens. Columns lays
	// a page out as [heads, width, PageTokens], for sums over the width, rather than [heads, PageTokens, width].
	Grows, Columns bool
	// Scanned says that a scan over the tokens moves the state on. One that is divided by time needs more than the state to
	// continue: a kernel.Carry.
	Scanned bool
}

// The states of attention, by their place in States.
const (
	Keys = iota // after the rotary embedding
	Values
)

// The states of Mamba's mixers, by their place in States.
const (
	Conv = iota // the last K inputs of the convolution, oldest first, zeros where the sequence was shorter
	SSM         // what the scan carries from token to token
)

// state is a state in the symbols of config.Sizes.
type state struct {
	name    string
	shape   []string
	scanned bool
}

// states are those of the kinds of blocks, in the order in which a block moves them on.
var states = map[Kind][]state{
	Mamba1:      {Conv: convStates, SSM: {dump.SSMStates, []string{"I", "N"}, true}},
	FalconMamba: {Conv: convStates, SSM: {dump.SSMStates, []string{"I", "N"}, true}},
}

var convStates = state{dump.ConvStates, []string{"C", "K"}, false}

// States describes what the block keeps, in the order in which it moves them on.
func (s *Step) States(cfg config.Config) []Spec {
	switch s.Kind {
	case Mamba2:
		m := s.Mamba2
		return []Spec{
			Conv: {Name: dump.ConvStates, Shape: []int{m.Channels(), m.Kernel}},
			SSM:  {Name: dump.SSMStates, Shape: []int{m.Heads, m.HeadDim, m.StateSize}, Scanned: true},
		}
	case Zamba:
		m := s.Mamba1
		return []Spec{
			Conv: {Name: dump.ConvStates, Shape: []int{m.Inner, config.SizesOf(cfg)["K"]}},
			SSM:  {Name: dump.SSMStates, Shape: []int{m.Heads, m.Inner / m.Heads, m.StateSize}, Scanned: true},
		}
	case Mamba3:
		return s.Mamba3.states()
	case SelfAttention, MHA:
		shape := []int{s.Attention.KeyHeads, s.Attention.Dim}
		specs := []Spec{
			Keys:   {Name: dump.KeyStates, Shape: shape, Grows: true, Columns: true},
			Values: {Name: dump.ValueStates, Shape: shape, Grows: true},
		}
		return append(specs, s.Around.states()...)
	}
	sizes := config.SizesOf(cfg)
	var specs []Spec
	for _, s := range states[s.Kind] {
		spec := Spec{Name: s.name, Scanned: s.scanned}
		for _, symbol := range s.shape {
			spec.Shape = append(spec.Shape, sizes[symbol])
		}
		specs = append(specs, spec)
	}
	return specs
}

// States describes what every layer keeps: the states of its steps, one after the other.
func States(cfg config.Config) [][]Spec {
	var all [][]Spec
	for _, steps := range Layers(cfg) {
		var specs []Spec
		for i := range steps {
			specs = append(specs, steps[i].States(cfg)...)
		}
		all = append(all, specs)
	}
	return all
}

// Size returns the number of values of one sequence, or of one token of it if the state grows.
func (s *Spec) Size() int {
	n := 1
	for _, d := range s.Shape {
		n *= d
	}
	return n
}

// Of returns the shape of a number of sequences, [B, Shape...], or [B, heads, T, width] of a state that grows and holds tokens
// tokens of the longest sequence.
func (s *Spec) Of(sequences, tokens int) []int {
	if s.Grows {
		return []int{sequences, s.Shape[0], tokens, s.Shape[1]}
	}
	return append([]int{sequences}, s.Shape...)
}
