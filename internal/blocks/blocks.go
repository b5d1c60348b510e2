// Package blocks says what the layers of a network are made of, whatever computes them: the kinds of their blocks, and the
// states that these keep of a sequence.
package blocks

import (
	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/dump"
)

// Kind is what a block computes.
type Kind int

// The kinds of blocks.
const (
	Mamba1      Kind = iota // the selective state-space mixer of Mamba
	FalconMamba             // that of Mamba, with norms of dt, B and C
	Mamba2                  // the mixer of Mamba-2, by heads
)

// Step is what a layer does to the residual stream: x += block(norm(x)).
type Step struct {
	Norm  string // the weight of the norm, within the layer
	Under string // the prefix of the block's tensors, within the layer
	Kind  Kind
}

// Layers returns the steps of every layer, in order.
func Layers(cfg config.Config) [][]Step {
	kind := Mamba1
	switch cfg.Family() {
	case config.Mamba2:
		kind = Mamba2
	case config.FalconMamba:
		kind = FalconMamba
	}
	layers := make([][]Step, cfg.Shared().NumHiddenLayers)
	for l := range layers {
		layers[l] = []Step{{Norm: "norm.weight", Under: "mixer.", Kind: kind}}
	}
	return layers
}

// Spec describes a state that a block keeps.
type Spec struct {
	Name  string // as transformers calls it, and files: dump.ConvStates, for one
	Shape []int  // for each sequence
	// Scanned says that a scan over the tokens moves the state on. One that is divided by time needs more than the state to
	// continue: a kernel.Carry.
	Scanned bool
}

// The states of Mamba's mixers, by their place in States.
const (
	Conv = iota // the last K inputs of the convolution, oldest first, zeros where the sequence was shorter
	SSM         // what the scan carries from token to token
)

// States describes what a block of this kind keeps, in the order in which it moves them on.
func (k Kind) States(cfg config.Config) []Spec {
	shared := cfg.Shared()
	conv := Spec{Name: dump.ConvStates, Shape: []int{cfg.ConvChannels(), shared.ConvKernel}} // [I, K], in Mamba-2 [C, K]
	ssm := Spec{Name: dump.SSMStates, Shape: []int{cfg.DInner(), shared.StateSize}, Scanned: true}
	if m, ok := cfg.(*config.Mamba2Config); ok && k == Mamba2 {
		ssm.Shape = []int{m.NumHeads, m.HeadDim, m.StateSize} // [H, P, N]
	}
	return []Spec{Conv: conv, SSM: ssm}
}

// States describes what every layer keeps: the states of its steps, one after the other.
func States(cfg config.Config) [][]Spec {
	var all [][]Spec
	for _, steps := range Layers(cfg) {
		var specs []Spec
		for _, s := range steps {
			specs = append(specs, s.Kind.States(cfg)...)
		}
		all = append(all, specs)
	}
	return all
}

// Size returns the number of values of one sequence.
func (s *Spec) Size() int {
	n := 1
	for _, d := range s.Shape {
		n *= d
	}
	return n
}

// Of returns the shape of a number of sequences, [B, Shape...].
func (s *Spec) Of(sequences int) []int { return append([]int{sequences}, s.Shape...) }
