package config

import (
	"fmt"

	"github.com/gomamba/gomamba/internal/badfile"
)

// Mixer2 holds the sizes of a Mamba-2 mixer in a hybrid, where its channels need not be a multiple of the width.
type Mixer2 struct {
	MambaNumHeads int // H
	MambaHeadDim  int // P; H*P is d_inner
	NGroups       int // G: head h reads B and C of group h/(H/G)
	ChunkSize     int // of the chunked algorithm; does not affect results
}

// DInner returns I, the channels of the mixer: H*P, which Validate compares with what other keys say.
func (m *Mixer2) DInner() int { return m.MambaNumHeads * m.MambaHeadDim }

// convolved returns C, the channels of the convolution: those of x, of B and of C, in this order.
func (m *Mixer2) convolved(states int) int { return m.DInner() + 2*m.NGroups*states }

// divide gives each head its share of the channels, of which inner says how many there are, if the file leaves that open. Heads
// for which there are too few get one each: the sizes then contradict each other, which is a message about a key of the file.
func (m *Mixer2) divide(inner int, err error) error {
	if m.MambaHeadDim != rankAuto || m.MambaNumHeads <= 0 {
		return nil
	}
	if err != nil {
		return err
	}
	m.MambaHeadDim = max(1, inner/m.MambaNumHeads)
	return nil
}

// handles are the symbols of the sizes.
func (m *Mixer2) handles() []handle {
	return []handle{size("H", &m.MambaNumHeads), size("P", &m.MambaHeadDim), size("G", &m.NGroups)}
}

// settle divides the channels that tensors show among the heads, and those of B and C between groups and states, as for
// Mamba-2.
func (m *Mixer2) settle(shown Sizes, states *int) {
	if inner := shown["I"]; inner > 0 && m.MambaNumHeads > 0 && inner%m.MambaNumHeads == 0 {
		m.MambaHeadDim = inner / m.MambaNumHeads
	}
	divideStates(groupedStates(shown), &m.NGroups, states)
}

// check reports sizes that are too wide, and groups that do not divide the heads. The keys are those of the family.
func (m *Mixer2) check(heads, groups string, states int) error {
	inner := int64(m.MambaNumHeads) * int64(m.MambaHeadDim)
	switch {
	case inner > maxWidth:
		return formatError(heads, "found %d heads of %d channels, expected at most %d channels", m.MambaNumHeads, m.MambaHeadDim, maxWidth)
	case m.MambaNumHeads%m.NGroups != 0:
		return formatError(groups, "found %d, which does not divide %s %d", m.NGroups, heads, m.MambaNumHeads)
	case int64(2*m.NGroups)*int64(states)+2*inner > maxWidth:
		return formatError(groups, "found %d, which times %d states is too wide", m.NGroups, states)
	}
	return nil
}

// fields are those of families whose keys begin with mamba_. used says that the model has such blocks, expands that nothing
// but mamba_expand states their width.
func (m *Mixer2) fields(c *Common, limit *[2]float64, used, expands bool) []field {
	return []field{
		intField("mamba_n_heads", &m.MambaNumHeads, 1, maxWidth).deciding(Tensors).counting(used),
		rankField("mamba_d_head", &m.MambaHeadDim).deciding(Tensors).counting(used),
		intField("mamba_n_groups", &m.NGroups, 1, maxInner).deciding(Results).counting(used),
		intField("mamba_d_state", &c.StateSize, 1, maxInner).deciding(Results).counting(used), // the shapes show its product with mamba_n_groups
		intField("mamba_d_conv", &c.ConvKernel, 1, maxInner).deciding(Tensors).counting(used),
		intField("mamba_expand", &c.Expand, 1, maxInner).deciding(Tensors).counting(expands),
		intField("mamba_chunk_size", &m.ChunkSize, 1, maxWidth).deciding(Nothing),
		boolField("mamba_conv_bias", &c.UseConvBias).deciding(Tensors),
		boolField("mamba_proj_bias", &c.UseBias).deciding(Tensors),
		limitField("time_step_limit", limit).deciding(Results).counting(used),
	}
}

// checkInner reports heads that do not make up the channels that a key states, in families whose keys begin with mamba_.
func (m *Mixer2) checkInner(inner int, stated string, states int) error {
	if n := int64(m.MambaNumHeads) * int64(m.MambaHeadDim); n != int64(inner) {
		return formatError("mamba_n_heads", "found %d, which times mamba_d_head %d makes %d channels; expected %s = %d",
			m.MambaNumHeads, m.MambaHeadDim, n, stated, inner)
	}
	return m.check("mamba_n_heads", "mamba_n_groups", states)
}

// checkExpanded is checkInner for the channels that mamba_expand states.
func (m *Mixer2) checkExpanded(c *Common) error {
	inner, err := c.expanded()
	if err != nil {
		return err
	}
	return m.checkInner(inner, "mamba_expand*hidden_size", c.StateSize)
}

// weights counts the weights and states of such a block, of width d.
func (m *Mixer2) weights(d, states, kernel float64) float64 {
	i, h := float64(m.DInner()), float64(m.MambaNumHeads)
	conv := i + 2*float64(m.NGroups)*states
	return d*(2*i+conv+h+2) + conv*(2*kernel+1) + 4*h + i*(3+states)
}

// mixerWords says the sizes of the Mamba-2 blocks, if there are any.
func mixerWords(c Config, m *Mixer2) string {
	if !hasBlock(c, BlockMamba2) && !hasBlock(c, BlockJoinedMamba2) {
		return ""
	}
	return fmt.Sprintf("%s of %d, n_groups %d, ", badfile.Count(m.MambaNumHeads, "head"), m.MambaHeadDim, m.NGroups)
}
