package config

// InGGUF returns the configuration of a model as a GGUF file holds it. There the multipliers of Falcon-H1 are part of the
// weights, so all are 1, and embedding and head are separate tensors if their multipliers differ. If nothing changes, InGGUF
// returns c.
func InGGUF(c Config) Config {
	switch c := c.(type) {
	case *FalconH1Config:
		if c.folded || c.Multipliers == plain() {
			return c
		}
		f := c.Clone().(*FalconH1Config)
		f.folded, f.unfolded, f.Multipliers = true, c.Clone().(*FalconH1Config), plain()
		f.TieWordEmbeddings = c.TieWordEmbeddings && c.Multipliers.Embedding == c.Multipliers.Head
		return f
	case *BambaConfig:
		if c.turnedWhole {
			b := c.Clone().(*BambaConfig)
			b.turnedWhole = false
			return b
		}
	}
	return c
}

// OutOfGGUF is the reverse of InGGUF. If the file does not state the original multipliers, they stay 1.
func OutOfGGUF(c Config) Config {
	f, ok := c.(*FalconH1Config)
	if !ok || f.unfolded == nil {
		return c
	}
	u := f.unfolded.Clone().(*FalconH1Config)
	u.VocabSize, u.DType, u.RescalePrenormResidual = f.VocabSize, f.DType, f.RescalePrenormResidual
	u.PadTokenID, u.BosTokenID, u.EosTokenID = f.PadTokenID, f.BosTokenID, f.EosTokenID
	return u
}

// Folded reports whether the multipliers of a model are already part of its weights.
func Folded(c Config) bool {
	f, ok := c.(*FalconH1Config)
	return ok && f.folded
}

// Folds reports whether the weights of one of two models may have multipliers in them that the other states: they compare with all
// multipliers in the weights.
func Folds(a, b Config) bool {
	x, ok := a.(*FalconH1Config)
	y, both := b.(*FalconH1Config)
	return Folded(a) || Folded(b) || ok && both && x.Multipliers != y.Multipliers
}

// Lost describes what a GGUF file does not state about a model, so that its configuration has to assume it. It is empty if
// nothing is missing.
func Lost(c Config) string {
	f, ok := c.(*FalconH1Config)
	switch {
	case !ok || !f.folded || f.unfolded != nil:
		return ""
	case f.TieWordEmbeddings:
		return "the multipliers are in the weights, and the file does not say what they were: all are written as 1. Without output.weight " +
			"the head is the embedding times embedding_multiplier: logits are too large by embedding_multiplier / lm_head_multiplier"
	}
	return "the multipliers are in the weights, and the file does not say what they were: all are written as 1, with which the model computes the same"
}
