package config

import (
	"math"
	"strconv"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/gguf"
)

// The keys of a GGUF file that describe a Mamba-1 model, after llama.cpp's conversion/mamba.py.
const (
	ggufArchitecture = "general.architecture"
	ggufMamba        = "mamba"

	ggufWidth   = "mamba.embedding_length"
	ggufLayers  = "mamba.block_count"
	ggufKernel  = "mamba.ssm.conv_kernel"
	ggufInner   = "mamba.ssm.inner_size"
	ggufState   = "mamba.ssm.state_size"
	ggufRank    = "mamba.ssm.time_step_rank"
	ggufEpsilon = "mamba.attention.layer_norm_rms_epsilon"
	ggufFalcon  = "mamba.ssm.dt_b_c_rms"

	// ggufOwn is a key of our own: the whole config.json, so that what the other keys cannot say survives.
	// llama.cpp ignores keys that it does not know.
	ggufOwn = "gomamba.config"
)

// ggufContext is what llama.cpp's converter writes for a model without a limit: 2^20.
const ggufContext = 1 << 20

// EncodeGGUF returns the keys of a GGUF file that hold the configuration, in the order in which llama.cpp's converter
// writes them, and after them one of our own that holds config.json whole.
//
// Errors: those of Validate, and a *badfile.UnsupportedError that names the key of what llama.cpp's Mamba-1 cannot be:
// a model with biases in its projections, or with an inner size other than twice its width.
func (c *MambaConfig) EncodeGGUF() (keys, own []gguf.KV, err error) {
	whole, err := c.EncodeHF()
	if err != nil {
		return nil, nil, err
	}
	if c.UseBias {
		return nil, nil, unsupported("use_bias", "found true: GGUF has no place for the biases of in_proj and out_proj")
	}
	if c.IntermediateSize != 2*c.HiddenSize {
		return nil, nil, unsupported("intermediate_size", "found %d for a hidden_size of %d: llama.cpp runs Mamba-1 only with "+
			"an inner size of twice the width (expand 2)", c.IntermediateSize, c.HiddenSize)
	}
	number := func(key string, n int) gguf.KV { return gguf.KV{Key: key, Value: gguf.Of(uint32(n))} }
	return []gguf.KV{
			number("mamba.context_length", ggufContext),
			number(ggufWidth, c.HiddenSize),
			number("mamba.feed_forward_length", 0),
			number("mamba.attention.head_count", 0),
			number(ggufLayers, c.NumHiddenLayers),
			number(ggufKernel, c.ConvKernel),
			number(ggufInner, c.IntermediateSize),
			number(ggufState, c.StateSize),
			number(ggufRank, c.TimeStepRank),
			{Key: ggufEpsilon, Value: gguf.Of(float32(c.LayerNormEpsilon))},
			{Key: ggufFalcon, Value: gguf.Of(false)},
		}, []gguf.KV{
			{Key: ggufOwn, Value: gguf.Of(string(whole))},
		}, nil
}

// ParseGGUF reads the configuration of a GGUF file: from the key that EncodeGGUF adds where it is there and agrees
// with the others, else from the keys of llama.cpp. vocab is the number of rows of token_embd.weight, tied tells that
// the file has no output.weight.
//
// Errors name file and key: *badfile.FormatError for keys that are missing, wrong or contradict each other,
// *badfile.UnsupportedError for another architecture.
func ParseGGUF(file string, f *gguf.File, vocab int, tied bool) (Config, error) {
	c, err := parseGGUF(f, vocab, tied)
	if err != nil {
		return nil, inFile(file, err)
	}
	return c, nil
}

func parseGGUF(f *gguf.File, vocab int, tied bool) (Config, error) {
	arch, err := f.Str(ggufArchitecture)
	if err != nil {
		return nil, err
	}
	if arch != ggufMamba {
		return nil, unsupported(ggufArchitecture, "found %s; this version reads %q", badfile.Quote(arch), ggufMamba)
	}
	if _, ok := f.Lookup(ggufFalcon); ok {
		falcon, err := f.Bool(ggufFalcon)
		if err != nil {
			return nil, err
		}
		if falcon {
			return nil, unsupported(ggufFalcon, "found true: norms on dt, B and C make this a falcon_mamba model, which this version does not read")
		}
	}
	c := NewMamba()
	_, known := f.Lookup(ggufOwn)
	if known {
		text, err := f.Str(ggufOwn)
		if err != nil {
			return nil, err
		}
		parsed, err := parseHF([]byte(text))
		if err != nil {
			return nil, formatError(ggufOwn, "%s", err)
		}
		var ok bool
		if c, ok = parsed.(*MambaConfig); !ok {
			return nil, formatError(ggufOwn, "holds a config of family %q, the file is %q", parsed.Family(), arch)
		}
	}
	if err := c.mergeGGUF(f, known); err != nil {
		return nil, err
	}
	if known && c.VocabSize != vocab {
		return nil, formatError(ggufOwn, "vocab_size is %d, token_embd.weight has %d rows", c.VocabSize, vocab)
	}
	c.VocabSize, c.TieWordEmbeddings = vocab, tied
	return c, c.Validate()
}

// mergeGGUF takes the sizes of llama.cpp's keys. Where c is already known they must agree with it.
func (c *MambaConfig) mergeGGUF(f *gguf.File, known bool) error {
	for _, size := range []struct {
		key string
		p   *int
	}{
		{ggufWidth, &c.HiddenSize}, {ggufLayers, &c.NumHiddenLayers}, {ggufKernel, &c.ConvKernel},
		{ggufInner, &c.IntermediateSize}, {ggufState, &c.StateSize}, {ggufRank, &c.TimeStepRank},
	} {
		n, err := f.Int(size.key)
		if err != nil {
			return err
		}
		if n < 1 || n > maxWidth {
			return formatError(size.key, "found %d, expected 1 to %d", n, maxWidth)
		}
		if known && *size.p != int(n) {
			return formatError(size.key, "found %d, %s says %d", n, ggufOwn, *size.p)
		}
		*size.p = int(n)
	}
	eps, err := f.Float(ggufEpsilon)
	if err != nil {
		return err
	}
	switch {
	case !known:
		c.LayerNormEpsilon = shortest(eps)
		if c.Expand = c.IntermediateSize / c.HiddenSize; c.Expand == 0 {
			c.Expand = 1 // intermediate_size states the width, expand may not be 0
		}
	case float32(c.LayerNormEpsilon) != float32(eps):
		return formatError(ggufEpsilon, "found %v, %s says %v", eps, ggufOwn, c.LayerNormEpsilon)
	}
	if known {
		return nil
	}
	return c.takeTokens(f)
}

// takeTokens reads the ids that generation goes by; a file without them has none.
func (c *MambaConfig) takeTokens(f *gguf.File) error {
	id := func(key string) (*int, error) {
		if _, ok := f.Lookup(key); !ok {
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
