package blocks

import "github.com/gomamba/gomamba/config"

// Scales are the factors of a network outside of its blocks.
type Scales struct {
	Embeddings float64 // of embeddings
	Logits     float64 // of logits
	Divisor    float64 // of logits
}

// ScalesOf returns the factors of a network.
func ScalesOf(cfg config.Config) Scales {
	switch c := cfg.(type) {
	case *config.GraniteHybridConfig:
		return Scales{c.EmbeddingScale, 1, c.LogitsScaling}
	case *config.FalconH1Config:
		return Scales{c.Multipliers.Embedding, c.Multipliers.Head, 1}
	}
	return Scales{1, 1, 1}
}

// EmbeddingShown reports whether hidden state 0 of a network is the embedding, and state i the residual stream after layer i-1,
// as transformers has it for hybrids. Otherwise state i is the stream after layer i. The last one is the output of the final norm
// in both.
func EmbeddingShown(cfg config.Config) bool {
	return config.Hybrid(cfg.Family())
}
