package blocks

import (
	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/dump"
)

// Mamba3Sizes describes a block of Mamba3.
type Mamba3Sizes struct {
	Heads, HeadDim, Groups, StateSize int // H, P, G, N
	Rank                              int // R, of the inputs and outputs that share states; 1 without MIMO
	Angles                            int // pairs of states that turn: the first ones

	MIMO    bool    // there are projections into ranks, and pairs are states i and i + N/2 instead of neighbours
	OutNorm bool    // what each head gives is normed before the gate
	Floor   float64 // of -A
	NormEps float64 // of the norms within the block
}

// Inner returns the width of the mixer: I = H·P.
func (m *Mamba3Sizes) Inner() int { return m.Heads * m.HeadDim }

// Projected returns the rows of in_proj: z, x, B, C, dt, A, trap and angles.
func (m *Mamba3Sizes) Projected() int {
	return 2*m.Inner() + 2*m.Rank*m.Groups*m.StateSize + 3*m.Heads + m.Angles
}

// The states of Mamba-3, by their place in States.
const (
	Angle = iota // how far each pair of states has turned, in radians, from 0 to 2π
	SSM3         // what the recurrence carries from token to token
	LastK        // B of the last token: normed, with its bias, turned
	LastX        // x of the last token
)

// states describes what the block keeps, named as in mamba_ssm.
func (m *Mamba3Sizes) states() []Spec {
	return []Spec{
		Angle: {Name: dump.AngleStates, Shape: []int{m.Heads, m.Angles}},
		SSM3:  {Name: dump.SSMStates, Shape: []int{m.Heads, m.HeadDim, m.StateSize}},
		LastK: {Name: dump.KStates, Shape: []int{m.Rank, m.Heads, m.StateSize}},
		LastX: {Name: dump.VStates, Shape: []int{m.Heads, m.HeadDim}},
	}
}

// mamba3 fills in what a step of Mamba-3 varies in.
func (s *Step) mamba3(c *config.Mamba3Config) {
	switch s.Kind {
	case Mamba3:
		s.Mamba3 = &Mamba3Sizes{
			Heads: c.NumHeads, HeadDim: c.HeadDim, Groups: c.NGroups, StateSize: c.StateSize,
			Rank: c.Rank(), Angles: c.Angles(), MIMO: c.MIMO, OutNorm: c.OutNorm, Floor: c.AFloor, NormEps: config.Mamba3Eps,
		}
	case GatedMLP:
		s.MLP = &MLPSizes{Up: "fc1", Down: "fc2", Width: c.FeedForward()}
	}
}
