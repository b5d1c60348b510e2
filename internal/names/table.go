package names

import "github.com/gomamba/gomamba/config"

// sizes are the numbers of a configuration that decide which tensors there are and how large. The symbols are those of
// package config: V rows, width D, I channels, N states, kernel K; R the rank of Mamba-1; H heads and G groups of
// Mamba-2.
type sizes struct {
	V, D, I, N, K, R, H, G int

	bias, convBias, tied bool
}

// channels returns C, what the convolution of Mamba-2 runs over: x, B and C.
func (s sizes) channels() int { return s.I + 2*s.G*s.N }

func sizesOf(cfg config.Config) sizes {
	c := cfg.Shared()
	s := sizes{
		V: c.VocabSize, D: c.HiddenSize, I: cfg.DInner(), N: c.StateSize, K: c.ConvKernel,
		bias: c.UseBias, convBias: c.UseConvBias, tied: c.TieWordEmbeddings,
	}
	if m, ok := cfg.(*config.Mamba2Config); ok {
		s.H, s.G = m.NumHeads, m.NGroups
	} else if m := config.Selective(cfg); m != nil {
		s.R = m.TimeStepRank
	}
	return s
}

// rowsOf returns the table of a family, nil where there is none. FalconMamba has exactly the tensors of Mamba-1.
func rowsOf(f config.Family) []row {
	switch f {
	case config.Mamba, config.FalconMamba:
		return mamba1
	case config.Mamba2:
		return mamba2
	}
	return nil
}

// row is one line of a family's table. In the pattern, blockPrefix stands for every block.
type row struct {
	pattern  string // canonical, as Hugging Face has it
	original string // as mamba_ssm has it; empty: the same
	gguf     place
	shape    func(sizes) []int
	when     func(sizes) presence // nil: required
}

// place is how llama.cpp stores a tensor; without a name: it cannot.
type place struct {
	name   string
	negExp bool              // A = -exp(A_log) is stored
	f32    bool              // always as F32
	shape  func(sizes) []int // nil: as PyTorch shapes it
}

// presence says what a configuration asks of a tensor.
type presence uint8

const (
	required presence = iota
	optional
	absent
)

func presentIf(used bool) presence {
	if used {
		return required
	}
	return absent
}

// The tensors outside the mixers, which all families have in common.
var (
	rowEmbedding = row{Embedding, embeddingOriginal, place{name: EmbeddingGGUF}, vocabByWidth, nil}
	rowNorm      = row{blockPrefix + "norm.weight", "", place{name: ggufBlock + "attn_norm.weight", f32: true}, width, nil}
	rowNormF     = row{FinalNorm, "", place{name: "output_norm.weight", f32: true}, width, nil}
	rowHead      = row{Head, "", place{name: HeadGGUF}, vocabByWidth, head}
)

func vocabByWidth(s sizes) []int { return []int{s.V, s.D} }

func width(s sizes) []int { return []int{s.D} }

func inner(s sizes) []int { return []int{s.I} }

func widthByInner(s sizes) []int { return []int{s.D, s.I} }

func projectionBias(s sizes) presence { return presentIf(s.bias) }

func convBias(s sizes) presence { return presentIf(s.convBias) }

// head is optional in a tied model: safetensors files leave it out, others hold a second copy of the embedding.
func head(s sizes) presence {
	if s.tied {
		return optional
	}
	return required
}
