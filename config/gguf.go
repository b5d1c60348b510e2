package config

import (
	"math"
	"strconv"

	"github.com/gomamba/gomamba/internal/badfile"
)

// The keys of a GGUF file that describe a model, after llama.cpp's conversion/mamba.py. Those of the sizes follow the name
// of the architecture.
const (
	ggufArchitecture = "general.architecture"
	ggufMamba        = "mamba" // FalconMamba too
	ggufMamba2       = "mamba2"

	ggufEpsilon = ".attention.layer_norm_rms_epsilon"
	ggufFalcon  = ggufMamba + ".ssm.dt_b_c_rms"

	// ggufOwn is a key of our own: the whole config.json, so that what the other keys cannot say survives, as
	// mixer_rms_eps of FalconMamba. llama.cpp ignores keys that it does not know.
	ggufOwn = "gomamba.config"
)

// ggufContext is what llama.cpp's converter writes for a model without a limit: 2^20.
const ggufContext = 1 << 20

// GGUFKey is a key of a GGUF file and its value: a uint32, a float32, a bool or a string.
type GGUFKey struct {
	Key   string
	Value any
}

// GGUFKeys are the keys of a GGUF file. The methods that return a value report a key that is missing or of another type
// as a *badfile.FormatError that names file and key.
type GGUFKeys interface {
	Has(key string) bool
	Int(key string) (int64, error)
	Float(key string) (float64, error)
	Bool(key string) (bool, error)
	Str(key string) (string, error)
}

// GGUFTensors is what only the tensors of a GGUF file show.
type GGUFTensors struct {
	Vocab    int  // rows of token_embd.weight
	Tied     bool // there is no output.weight
	ConvBias bool // there is a bias of a convolution
}

// ggufSizes are the sizes that a GGUF file states.
type ggufSizes struct {
	width, layers, kernel, inner, state int
	rank                                int // of Mamba-1; the heads of Mamba-2
	groups                              int // of Mamba-2
}

type ggufSize struct {
	key string
	p   *int
}

// keys lists the sizes of an architecture in the order in which llama.cpp's converter writes them.
func (s *ggufSizes) keys(arch string) []ggufSize {
	keys := []ggufSize{
		{arch + ".embedding_length", &s.width},
		{arch + ".block_count", &s.layers},
		{arch + ".ssm.conv_kernel", &s.kernel},
		{arch + ".ssm.inner_size", &s.inner},
		{arch + ".ssm.state_size", &s.state},
		{arch + ".ssm.time_step_rank", &s.rank},
	}
	if arch == ggufMamba2 {
		keys = append(keys, ggufSize{arch + ".ssm.group_count", &s.groups})
	}
	return keys
}

// Architecture returns how llama.cpp names the architecture of c: "mamba", which includes FalconMamba, or "mamba2".
func Architecture(c Config) string {
	if c.Family() == Mamba2 {
		return ggufMamba2
	}
	return ggufMamba
}

func (c *MambaConfig) ggufSizes() ggufSizes {
	return ggufSizes{width: c.HiddenSize, layers: c.NumHiddenLayers, kernel: c.ConvKernel, inner: c.IntermediateSize,
		state: c.StateSize, rank: c.TimeStepRank}
}

func (c *Mamba2Config) ggufSizes() ggufSizes {
	return ggufSizes{width: c.HiddenSize, layers: c.NumHiddenLayers, kernel: c.ConvKernel, inner: c.DInner(),
		state: c.StateSize, rank: c.NumHeads, groups: c.NGroups}
}

// EncodeGGUF implements Config.
func (c *MambaConfig) EncodeGGUF() (keys, own []GGUFKey, err error) { return c.encodeGGUF(c, false) }

// EncodeGGUF implements Config. llama.cpp norms dt, B and C with layer_norm_epsilon, for want of a key of their own.
func (c *FalconMambaConfig) EncodeGGUF() (keys, own []GGUFKey, err error) {
	return c.encodeGGUF(c, true)
}

// encodeGGUF renders the keys of whole, of which c is the Mamba-1 part.
func (c *MambaConfig) encodeGGUF(whole Config, falcon bool) (keys, own []GGUFKey, err error) {
	if c.IntermediateSize != 2*c.HiddenSize {
		return nil, nil, unsupported("intermediate_size", "found %d for a hidden_size of %d: llama.cpp runs Mamba-1 only with "+
			"an inner size of twice the width (expand 2)", c.IntermediateSize, c.HiddenSize)
	}
	keys, own, err = encodeGGUF(whole, ggufMamba, c.ggufSizes())
	return append(keys, GGUFKey{Key: ggufFalcon, Value: falcon}), own, err
}

// EncodeGGUF implements Config.
func (c *Mamba2Config) EncodeGGUF() (keys, own []GGUFKey, err error) {
	if c.LimitsTimeStep() {
		return nil, nil, unsupported("time_step_limit", "found %v: llama.cpp does not have a key for it and would not limit dt", c.TimeStepLimit)
	}
	return encodeGGUF(c, ggufMamba2, c.ggufSizes())
}

func encodeGGUF(c Config, arch string, sizes ggufSizes) (keys, own []GGUFKey, err error) {
	whole, err := c.EncodeHF()
	if err != nil {
		return nil, nil, err
	}
	if c.Shared().UseBias {
		return nil, nil, unsupported("use_bias", "found true: GGUF cannot hold the biases of in_proj and out_proj")
	}
	number := func(key string, n int) GGUFKey { return GGUFKey{Key: key, Value: uint32(n)} }
	list := sizes.keys(arch)
	keys = []GGUFKey{
		number(arch+".context_length", ggufContext),
		number(list[0].key, sizes.width),
		number(arch+".feed_forward_length", 0),
		number(arch+".attention.head_count", 0),
	}
	for _, size := range list[1:] {
		keys = append(keys, number(size.key, *size.p))
	}
	keys = append(keys, GGUFKey{Key: arch + ggufEpsilon, Value: float32(c.Shared().LayerNormEpsilon)})
	return keys, []GGUFKey{{Key: ggufOwn, Value: string(whole)}}, nil
}

// ParseGGUF reads the configuration of a GGUF file: from the key that EncodeGGUF adds where it is there and agrees
// with the others, else from the keys of llama.cpp.
//
// Errors name file and key: *badfile.FormatError for keys that are missing, wrong or contradict each other,
// *badfile.UnsupportedError for another architecture.
func ParseGGUF(file string, f GGUFKeys, tensors GGUFTensors) (Config, error) {
	c, err := parseGGUF(f, tensors)
	if err != nil {
		return nil, inFile(file, err)
	}
	return c, nil
}

func parseGGUF(f GGUFKeys, tensors GGUFTensors) (Config, error) {
	arch, family, err := ggufFamily(f)
	if err != nil {
		return nil, err
	}
	sizes, eps, err := readSizes(f, arch)
	if err != nil {
		return nil, err
	}
	var c Config
	if f.Has(ggufOwn) {
		c, err = ownConfig(f, arch, family, sizes, eps)
		if err == nil && c.Shared().VocabSize != tensors.Vocab {
			err = formatError(ggufOwn, "vocab_size is %d, token_embd.weight has %d rows", c.Shared().VocabSize, tensors.Vocab)
		}
	} else {
		c, err = derivedConfig(f, tensors, family, sizes, eps)
	}
	if err != nil {
		return nil, err
	}
	c.Shared().VocabSize, c.Shared().TieWordEmbeddings = tensors.Vocab, tensors.Tied
	return c, spelled("gguf", family, c.Validate())
}

// ggufFamily tells the family by the architecture and, for Mamba-1, the flag that makes it FalconMamba.
func ggufFamily(f GGUFKeys) (arch string, family Family, err error) {
	if arch, err = f.Str(ggufArchitecture); err != nil {
		return "", "", err
	}
	switch arch {
	case ggufMamba2:
		return arch, Mamba2, nil
	case ggufMamba:
	default:
		return "", "", unsupported(ggufArchitecture, "found %s; only pure Mamba models, %q and %q, are supported",
			badfile.Quote(arch), ggufMamba, ggufMamba2)
	}
	if f.Has(ggufFalcon) {
		falcon, err := f.Bool(ggufFalcon)
		if err != nil {
			return "", "", err
		}
		if falcon {
			return arch, FalconMamba, nil
		}
	}
	return arch, Mamba, nil
}

// readSizes reads the keys of llama.cpp.
func readSizes(f GGUFKeys, arch string) (sizes ggufSizes, eps float64, err error) {
	for _, size := range sizes.keys(arch) {
		n, err := f.Int(size.key)
		if err != nil {
			return sizes, 0, err
		}
		if n < 1 || n > maxWidth {
			return sizes, 0, formatError(size.key, "found %d, expected 1 to %d", n, maxWidth)
		}
		*size.p = int(n)
	}
	eps, err = f.Float(arch + ggufEpsilon)
	return sizes, eps, err
}

// ownConfig reads our own key, with which the others must agree.
func ownConfig(f GGUFKeys, arch string, family Family, sizes ggufSizes, eps float64) (Config, error) {
	text, err := f.Str(ggufOwn)
	if err != nil {
		return nil, err
	}
	c, err := parseHF([]byte(text))
	if err != nil {
		return nil, formatError(ggufOwn, "%s", err)
	}
	if c.Family() != family {
		return nil, formatError(ggufOwn, "holds a config of family %q, the other keys make the file %q", c.Family(), family)
	}
	own := c.ggufSizes()
	stated := own.keys(arch)
	for i, size := range sizes.keys(arch) {
		if *size.p != *stated[i].p {
			return nil, formatError(size.key, "found %d, %s says %d", *size.p, ggufOwn, *stated[i].p)
		}
	}
	if own := c.Shared().LayerNormEpsilon; float32(own) != float32(eps) {
		return nil, formatError(arch+ggufEpsilon, "found %v, %s says %v", eps, ggufOwn, own)
	}
	return c, nil
}

// derivedConfig makes a configuration of what llama.cpp's keys say.
func derivedConfig(f GGUFKeys, tensors GGUFTensors, family Family, sizes ggufSizes, eps float64) (Config, error) {
	var c Config
	switch family {
	case Mamba2:
		m := NewMamba2()
		if sizes.inner%sizes.rank != 0 {
			return nil, formatError(ggufMamba2+".ssm.inner_size", "found %d, expected a multiple of the heads, which are %d by ssm.time_step_rank",
				sizes.inner, sizes.rank)
		}
		if sizes.inner%sizes.width != 0 {
			return nil, unsupported(ggufMamba2+".ssm.inner_size", "found %d, expected a multiple of the width %d: "+
				"transformers has no such model", sizes.inner, sizes.width)
		}
		m.NumHeads, m.HeadDim, m.NGroups = sizes.rank, sizes.inner/sizes.rank, sizes.groups
		m.TimeStepRank = (sizes.width + 15) / 16
		c = m
	case FalconMamba:
		f := NewFalconMamba()
		f.MixerRMSEps = shortest(eps) // llama.cpp norms dt, B and C with it too
		c = f
	default:
		c = NewMamba()
	}
	if m := Selective(c); m != nil {
		m.IntermediateSize, m.TimeStepRank = sizes.inner, sizes.rank
	}
	s := c.Shared()
	s.HiddenSize, s.NumHiddenLayers, s.ConvKernel, s.StateSize = sizes.width, sizes.layers, sizes.kernel, sizes.state
	s.LayerNormEpsilon = shortest(eps)
	// llama.cpp demands this bias; its converter leaves it out all the same where a model has none.
	s.UseConvBias = tensors.ConvBias
	s.Expand = max(1, sizes.inner/sizes.width) // intermediate_size states the width, expand may not be 0
	return c, s.takeTokens(f)
}

// takeTokens reads the ids that generation goes by; a file without them has none.
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
	short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', -1, 32), 64)
	if err != nil {
		return v // only for what no float32 can be
	}
	return short
}
