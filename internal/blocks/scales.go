package blocks

import "github.com/gomamba/gomamba/config"

// Scales are the factors of a network outside of its blocks.
type Scales struct {
	Embeddings float64 // of embeddings
	Residual   float64 // of what a block adds to the residual stream
	Logits     float64 // a divisor of logits
}

// ScalesOf returns the factors of a network.
func ScalesOf(cfg config.Config) Scales {
	if c, ok := cfg.(*config.GraniteHybridConfig); ok {
		return Scales{c.EmbeddingScale, c.ResidualScale, c.LogitsScaling}
	}
	return Scales{1, 1, 1}
}

// EmbeddingShown reports whether hidden state 0 of a network is the embedding, and state i the residual stream after layer i-1,
// as transformers has it for hybrids. Otherwise state i is the stream after layer i. The last one is the output of the final norm
// in both.
func EmbeddingShown(cfg config.Config) bool {
	switch cfg.(type) {
	case *config.NemotronHConfig, *config.GraniteHybridConfig, *config.ZambaConfig, *config.Zamba2Config:
		return true
	}
	return false
}
