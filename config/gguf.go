package config

import (
	"math"
	"slices"
	"strconv"

	"github.com/gomamba/gomamba/internal/badfile"
)

// The keys of a GGUF file that describe a model, after llama.cpp's conversion/mamba.py. Those of a family follow the name
// of its architecture.
const (
	ggufArchitecture = "general.architecture"
	ggufEpsilon      = ".attention.layer_norm_rms_epsilon"

	// ggufOwn is a key of our own: the whole config.json, so that what the other keys cannot say survives, as
	// mixer_rms_eps of FalconMamba. llama.cpp ignores keys that it does not know.
	ggufOwn = "gomamba.config"
)

// llamaCpp is how llama.cpp writes a family.
type llamaCpp struct {
	arch  string
	sizes []ggufSize // in the order in which its converter writes them, the width first
	flag  string     // a key that is on for one of two families with the same tensors; empty: none
	on    bool

	piecesFirst bool // its converter looks for a SentencePiece vocabulary before tokenizer.json

	writable func(c Config) error               // what it cannot run
	complete func(c Config, stated Sizes) error // judges what the keys state, and adds what they leave open; nil: nothing to do

	hybrid *hybridKeys // nil: sizes and an epsilon are all that there is
}

// archs are the architectures of the family's files.
func (l *llamaCpp) archs() []string {
	if l.hybrid != nil {
		return l.hybrid.archs
	}
	if l.arch == "" {
		return nil // llama.cpp does not have the family
	}
	return []string{l.arch}
}

// ggufSize is the key of a size.
type ggufSize struct{ key, symbol string }

// flagged returns l for the family for which the flag is on. complete is as in llamaCpp.
func (l llamaCpp) flagged(complete func(c Config, stated Sizes) error) llamaCpp {
	l.on, l.complete = true, complete
	return l
}

// ggufContext is what llama.cpp's converter writes for a model without a limit: 2^20.
const ggufContext = 1 << 20

// ggufVocabulary is the key of the rows of the embedding.
const ggufVocabulary = ".vocab_size"

// GGUFKey is a key of a GGUF file and its value: a uint32, a float32, a bool, a string or a []int32.
type GGUFKey struct {
	Key   string
	Value any
}

// GGUFKeys are the keys of a GGUF file. The methods that return a value report a key that is missing or of another type
// as a *badfile.FormatError that names file and key.
type GGUFKeys interface {
	Has(key string) bool
	Int(key string) (int64, error)
	Ints(key string) ([]int64, error) // of an array, or of one number
	Float(key string) (float64, error)
	Bool(key string) (bool, error)
	Str(key string) (string, error)
}

// GGUFTensors is what only the tensors of a GGUF file show, and its keys do not.
type GGUFTensors struct {
	Vocab         int          // rows of token_embd.weight
	Tied          bool         // there is no output.weight
	ConvBias      bool         // there is a bias of a convolution
	AttentionBias bool         // of queries
	MLPBias       bool         // of a projection up
	Routers       map[int]bool // layers that have a router of experts
	Gate          int          // rows of the first ffn_gate.weight; 0: there is none
	MixerNorm     bool         // there is one in Mamba-2
}

// Architecture returns llama.cpp's name for the architecture of c, such as "nemotron_h_moe", or "mamba", which includes
// FalconMamba.
func Architecture(c Config) string {
	l := &entryOf(c.Family()).gguf
	if l.hybrid != nil {
		return l.hybrid.arch(c)
	}
	return l.arch
}

// SentencePieceFirst reports whether llama.cpp's converter looks for a SentencePiece vocabulary of such a model before it
// looks for tokenizer.json.
func SentencePieceFirst(c Config) bool { return entryOf(c.Family()).gguf.piecesFirst }

// EncodeGGUF returns the GGUF keys that hold the configuration, in the order in which llama.cpp's converter writes them, and a
// key of our own with the whole config.json, which goes at the end. Errors: those of Validate, and a *badfile.UnsupportedError
// that names the key of config.json if llama.cpp cannot run the model.
func EncodeGGUF(c Config) (keys, own []GGUFKey, err error) {
	l := entryOf(c.Family()).gguf
	if err := l.writable(c); err != nil {
		return nil, nil, err
	}
	whole, err := OutOfGGUF(c).EncodeHF()
	if err != nil {
		return nil, nil, err
	}
	if c.Shared().UseBias {
		return nil, nil, unsupported("use_bias", "found true: GGUF cannot hold the biases of in_proj and out_proj")
	}
	mine := []GGUFKey{{Key: ggufOwn, Value: string(whole)}}
	if l.hybrid != nil {
		return l.hybrid.keys(c), mine, nil
	}
	number := func(key string, n int) { keys = append(keys, GGUFKey{Key: l.arch + key, Value: uint32(n)}) }
	sizes := SizesOf(c)
	number(".context_length", ggufContext)
	number(l.sizes[0].key, sizes[l.sizes[0].symbol])
	number(".feed_forward_length", 0)
	number(".attention.head_count", 0)
	for _, size := range l.sizes[1:] {
		number(size.key, sizes[size.symbol])
	}
	keys = append(keys, GGUFKey{Key: l.arch + ggufEpsilon, Value: float32(c.Shared().LayerNormEpsilon)})
	if l.flag != "" {
		keys = append(keys, GGUFKey{Key: l.arch + l.flag, Value: l.on})
	}
	return keys, mine, nil
}

// ParseGGUF reads the configuration of a GGUF file: from the key that EncodeGGUF adds, if it is there and agrees with the
// others, or else from llama.cpp's keys.
//
// Errors name file and key: *badfile.FormatError for keys that are missing, wrong or contradictory, *badfile.UnsupportedError
// for another architecture.
func ParseGGUF(file string, f GGUFKeys, tensors GGUFTensors) (Config, error) {
	c, err := parseGGUF(f, tensors)
	if err != nil {
		return nil, inFile(file, err)
	}
	return c, nil
}

func parseGGUF(f GGUFKeys, tensors GGUFTensors) (Config, error) {
	e, arch, err := ggufFamily(f)
	if err != nil {
		return nil, err
	}
	if e.gguf.hybrid != nil {
		return parseHybrid(f, tensors, e, arch)
	}
	sizes, eps, err := readSizes(f, &e.gguf)
	if err != nil {
		return nil, err
	}
	var c Config
	if f.Has(ggufOwn) {
		c, err = ownConfig(f, e, sizes, eps)
		if err == nil && c.Shared().VocabSize != tensors.Vocab {
			err = formatError(ggufOwn, "vocab_size is %d, token_embd.weight has %d rows", c.Shared().VocabSize, tensors.Vocab)
		}
	} else {
		c, err = derivedConfig(f, tensors, e, sizes, eps)
	}
	if err != nil {
		return nil, err
	}
	c.Shared().VocabSize, c.Shared().TieWordEmbeddings = tensors.Vocab, tensors.Tied
	return c, spelled("gguf", e.family, c.Validate())
}

// ggufFamily finds the family by the architecture and, where two have the same, the flag of one of them.
func ggufFamily(f GGUFKeys) (e *entry, arch string, err error) {
	arch, err = f.Str(ggufArchitecture)
	if err != nil {
		return nil, "", err
	}
	var known []string
	for _, e := range families {
		if !slices.Contains(e.gguf.archs(), arch) {
			for _, a := range e.gguf.archs() {
				if name := strconv.Quote(a); !slices.Contains(known, name) {
					known = append(known, name)
				}
			}
			continue
		}
		if h := e.gguf.hybrid; h != nil && h.claims != nil && !h.claims(f) {
			continue
		}
		on := false
		if key := arch + e.gguf.flag; e.gguf.flag != "" && f.Has(key) {
			if on, err = f.Bool(key); err != nil {
				return nil, "", err
			}
		}
		if on == e.gguf.on {
			return e, arch, nil
		}
	}
	return nil, "", unsupported(ggufArchitecture, "found %s; of GGUF files only models with Mamba blocks and Granite's, %s, are read", badfile.Quote(arch), and(known))
}

// readSizes reads the keys of llama.cpp.
func readSizes(f GGUFKeys, l *llamaCpp) (sizes Sizes, eps float64, err error) {
	sizes = Sizes{}
	for _, size := range l.sizes {
		n, err := f.Int(l.arch + size.key)
		if err != nil {
			return nil, 0, err
		}
		if n < 1 || n > maxWidth {
			return nil, 0, formatError(l.arch+size.key, "found %d, expected 1 to %d", n, maxWidth)
		}
		sizes[size.symbol] = int(n)
	}
	eps, err = f.Float(l.arch + ggufEpsilon)
	return sizes, eps, err
}

// ownConfig reads our own key, with which the others must agree.
func ownConfig(f GGUFKeys, e *entry, sizes Sizes, eps float64) (Config, error) {
	text, err := f.Str(ggufOwn)
	if err != nil {
		return nil, err
	}
	c, err := parseHF([]byte(text))
	if err != nil {
		return nil, formatError(ggufOwn, "%s", err)
	}
	if c.Family() != e.family {
		return nil, formatError(ggufOwn, "holds a config of family %q, the other keys make the file %q", c.Family(), e.family)
	}
	own := SizesOf(c)
	for _, size := range e.gguf.sizes {
		if sizes[size.symbol] != own[size.symbol] {
			return nil, formatError(e.gguf.arch+size.key, "found %d, %s says %d", sizes[size.symbol], ggufOwn, own[size.symbol])
		}
	}
	if own := c.Shared().LayerNormEpsilon; float32(own) != float32(eps) {
		return nil, formatError(e.gguf.arch+ggufEpsilon, "found %v, %s says %v", eps, ggufOwn, own)
	}
	return c, nil
}

// derivedConfig makes a configuration of what llama.cpp's keys say.
func derivedConfig(f GGUFKeys, tensors GGUFTensors, e *entry, sizes Sizes, eps float64) (Config, error) {
	c := e.fresh()
	Fit(c, sizes)
	s := c.Shared()
	s.LayerNormEpsilon = shortest(eps)
	if e.gguf.complete != nil {
		if err := e.gguf.complete(c, sizes); err != nil {
			return nil, err
		}
	}
	s.UseConvBias = tensors.ConvBias         // llama.cpp demands it; its converter still leaves it out if a model does not have one
	s.Expand = max(1, sizes["I"]/sizes["D"]) // intermediate_size states the width, expand may not be 0
	return c, s.takeTokens(f)
}

// takeTokens reads the ids that generation uses, if the file has them.
func (c *Common) takeTokens(f GGUFKeys) error {
	id := func(key string) (*int, error) {
		if !f.Has(key) {
			return nil, nil
		}
		n, err := f.Int(key)
		if err != nil {
			return nil, err
		}
		if n < 0 || n > math.MaxInt32 {
			return nil, formatError(key, "found %d, expected a token id", n)
		}
		v := int(n)
		return &v, nil
	}
	var err error
	if c.BosTokenID, err = id("tokenizer.ggml.bos_token_id"); err != nil {
		return err
	}
	if c.PadTokenID, err = id("tokenizer.ggml.padding_token_id"); err != nil {
		return err
	}
	eos, err := id("tokenizer.ggml.eos_token_id")
	c.EosTokenID = TokenIDs{}
	if eos != nil {
		c.EosTokenID.IDs = []int{*eos}
	}
	return err
}

// shortest returns the float64 with the fewest decimals that is v as a float32: 1e-05, not 9.999999747378752e-06.
func shortest(v float64) float64 {
	short, err := strconv.ParseFloat(float32Text(v), 64)
	if err != nil {
		return v // only for what no float32 can be
	}
	return short
}
