package config

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/gomamba/gomamba/internal/badfile"
)

// hybridKeys is how llama.cpp writes a hybrid, whose keys are not sizes alone. The name of the architecture may depend on the
// blocks, and numbers be arrays with one for each layer.
type hybridKeys struct {
	archs []string              // that the family's files have
	arch  func(c Config) string // that of a model
	keys  func(c Config) []GGUFKey
	read  func(r *ggufReader, t GGUFTensors) Config // from llama.cpp's keys alone

	claims func(f GGUFKeys) bool // distinguishes files of families that llama.cpp gives one name; nil: there is one such family
}

// The keys that hybrids have in common, after the name of the architecture.
const (
	ggufBlocks      = ".block_count"
	ggufWidth       = ".embedding_length"
	ggufFeed        = ".feed_forward_length"
	ggufHeads       = ".attention.head_count"
	ggufKeyHeads    = ".attention.head_count_kv"
	ggufKeyLength   = ".attention.key_length"
	ggufValueLength = ".attention.value_length"
	ggufLayerNorm   = ".attention.layer_norm_epsilon"
	ggufRotated     = ".rope.dimension_count"
	ggufTheta       = ".rope.freq_base"
	ggufPositions   = ".rope.scaling.finetuned" // llama.cpp turns heads if it is on
	ggufScaling     = ".rope.scaling.type"
	ggufConv        = ".ssm.conv_kernel"
	ggufInner       = ".ssm.inner_size"
	ggufState       = ".ssm.state_size"
	ggufGroups      = ".ssm.group_count"
	ggufMixerHeads  = ".ssm.time_step_rank"
	ggufExperts     = ".expert_count"
	ggufChosen      = ".expert_used_count"
	ggufSharedFeed  = ".expert_shared_feed_forward_length"
	ggufPredicted   = ".nextn_predict_layers"
)

// ggufList collects keys of an architecture.
type ggufList struct {
	arch string
	keys []GGUFKey
}

func (l *ggufList) add(key string, v any) {
	if n, ok := v.(int); ok {
		v = uint32(n)
	}
	if x, ok := v.(float64); ok {
		v = float32(x)
	}
	l.keys = append(l.keys, GGUFKey{l.arch + key, v})
}

// perLayer is n for the layers of c that have such blocks, and 0 for the others.
func perLayer(c Config, n int, blocks ...Block) []int32 {
	list := make([]int32, c.Shared().NumHiddenLayers)
	for _, b := range blocks {
		for _, i := range layersWith(c, b) {
			list[i] = int32(n)
		}
	}
	return list
}

// mixer adds the keys of Mamba-2.
func (l *ggufList) mixer(c *Common, m *Mixer2) {
	l.add(ggufConv, c.ConvKernel)
	l.add(ggufState, c.StateSize)
	l.add(ggufGroups, m.NGroups)
	l.add(ggufInner, m.DInner())
	l.add(ggufMixerHeads, m.MambaNumHeads)
}

// parseHybrid is parseGGUF for a hybrid.
func parseHybrid(f GGUFKeys, tensors GGUFTensors, e *entry, arch string) (c Config, err error) {
	if f.Has(ggufOwn) {
		c, err = ownHybrid(f, e, arch)
		if err == nil && c.Shared().VocabSize != tensors.Vocab {
			err = formatError(ggufOwn, "vocab_size is %d, token_embd.weight has %d rows", c.Shared().VocabSize, tensors.Vocab)
		}
	} else {
		r := &ggufReader{f: f, arch: arch}
		if c = e.gguf.hybrid.read(r, tensors); r.err != nil {
			return nil, r.err
		}
		err = c.Shared().takeTokens(f)
	}
	if err != nil {
		return nil, err
	}
	c.Shared().VocabSize = tensors.Vocab
	if hasHandle(c, keyTied) {
		c.Shared().TieWordEmbeddings = tensors.Tied
	}
	return c, spelled("gguf", e.family, c.Validate())
}

// hasHandle reports whether tensors depend on a switch.
func hasHandle(c Config, name string) bool {
	return slices.ContainsFunc(c.handles(), func(h handle) bool { return h.name == name })
}

// ownHybrid reads our own key, with which the others must agree.
func ownHybrid(f GGUFKeys, e *entry, arch string) (Config, error) {
	text, err := f.Str(ggufOwn)
	if err != nil {
		return nil, err
	}
	c, err := parseHF([]byte(text))
	if err != nil {
		return nil, formatError(ggufOwn, "%s", err)
	}
	if c.Family() != e.family || e.gguf.hybrid.arch(c) != arch {
		return nil, formatError(ggufOwn, "holds a config of family %q, the other keys make the file %q", c.Family(), arch)
	}
	for _, k := range e.gguf.hybrid.keys(c) {
		found, err := sameKind(f, k)
		if err != nil {
			return nil, err
		}
		if want := fmt.Sprint(k.Value); found != want {
			return nil, formatError(k.Key, "found %s, %s says %s", found, ggufOwn, want)
		}
	}
	return InGGUF(c), nil
}

// sameKind renders what a file has for a key, as a value of the kind of k's.
func sameKind(f GGUFKeys, k GGUFKey) (string, error) {
	switch k.Value.(type) {
	case uint32:
		n, err := f.Int(k.Key)
		return fmt.Sprint(n), err
	case float32:
		x, err := f.Float(k.Key)
		return fmt.Sprint(float32(x)), err
	case bool:
		on, err := f.Bool(k.Key)
		return fmt.Sprint(on), err
	case []int32:
		list, err := f.Ints(k.Key)
		return fmt.Sprint(list), err
	}
	return f.Str(k.Key)
}

// ggufReader reads keys of an architecture, and keeps the first error.
type ggufReader struct {
	f    GGUFKeys
	arch string
	err  error
}

func (r *ggufReader) fail(err error) {
	r.err = cmp.Or(r.err, err)
}

// has reports whether there is a key.
func (r *ggufReader) has(key string) bool { return r.f.Has(r.arch + key) }

// size reads a number from 1 to most.
func (r *ggufReader) size(key string, most int) int {
	n, err := r.f.Int(r.arch + key)
	if err == nil && (n < 1 || n > int64(most)) {
		err = formatError(r.arch+key, "found %d, expected 1 to %d", n, most)
	}
	if err != nil {
		r.fail(err)
		return 1
	}
	return int(n)
}

// sizeOr is size for a key that may be missing or 0: absent then.
func (r *ggufReader) sizeOr(key string, most, absent int) int {
	if !r.has(key) {
		return absent
	}
	if n, err := r.f.Int(r.arch + key); err == nil && n == 0 {
		return absent
	}
	return r.size(key, most)
}

// number reads a float32; a key that is missing has the value absent.
func (r *ggufReader) number(key string, absent float64) float64 {
	if !r.has(key) {
		return absent
	}
	v, err := r.f.Float(r.arch + key)
	r.fail(err)
	return shortest(v)
}

// on reads a switch; a key that is missing has the value absent.
func (r *ggufReader) on(key string, absent bool) bool {
	if !r.has(key) {
		return absent
	}
	on, err := r.f.Bool(r.arch + key)
	r.fail(err)
	return on
}

// layers reads a number for each of n layers: an array, or one for all. Of those that are not 0 there is one value, which is
// each; 0: there are none.
func (r *ggufReader) layers(key string, n int) (list []int64, each int) {
	list = make([]int64, n)
	if r.err != nil {
		return list, 0
	}
	given, err := r.f.Ints(r.arch + key)
	switch {
	case err != nil:
		r.fail(err)
		return list, 0
	case len(given) == 1:
		for i := range list {
			list[i] = given[0]
		}
	case len(given) != n:
		r.fail(formatError(r.arch+key, "found %s, expected one for each of %s", badfile.Count(len(given), "value"), badfile.Count(n, "layer")))
	default:
		copy(list, given)
	}
	for i, v := range list {
		switch {
		case v < 0 || v > maxWidth:
			r.fail(formatError(r.arch+key, "found %d for layer %d, expected 0 to %d", v, i, maxWidth))
		case v != 0 && each != 0 && int(v) != each:
			r.fail(unsupported(r.arch+key, "found %d and %d: layers of different sizes are not supported", each, v))
		case v != 0:
			each = int(v)
		}
	}
	return list, each
}

// blocks returns the number of layers, without those that predict further tokens.
func (r *ggufReader) blocks() int {
	n := r.size(ggufBlocks, maxLayers)
	further := r.sizeOr(ggufPredicted, maxLayers, 0)
	if further >= n {
		r.fail(formatError(r.arch+ggufPredicted, "found %d, expected fewer than the %d of %s", further, n, ggufBlocks[1:]))
		return 1
	}
	return n - further
}

// all is the number of layers that arrays have.
func (r *ggufReader) all() int { return r.size(ggufBlocks, maxLayers) }

// epsilon reads that of all norms, under either of its keys.
func (r *ggufReader) epsilon() float64 {
	if r.has(ggufEpsilon) {
		return r.number(ggufEpsilon, 0)
	}
	v, err := r.f.Float(r.arch + ggufLayerNorm)
	r.fail(err)
	return shortest(v)
}

// mixer reads the sizes of Mamba-2.
func (r *ggufReader) mixer(c *Common, m *Mixer2) {
	c.ConvKernel, c.StateSize = r.size(ggufConv, maxInner), r.size(ggufState, maxInner)
	m.NGroups, m.MambaNumHeads = r.size(ggufGroups, maxInner), r.size(ggufMixerHeads, maxWidth)
	inner := r.size(ggufInner, maxWidth)
	if r.err == nil && inner%m.MambaNumHeads != 0 {
		r.fail(formatError(r.arch+ggufInner, "found %d, which %s %d does not divide", inner, ggufMixerHeads[1:], m.MambaNumHeads))
	}
	m.MambaHeadDim = max(1, inner/m.MambaNumHeads)
}

// heads reads the sizes of attention: keys is the value of head_count_kv that is not 0.
func (r *ggufReader) heads(width, keys int) QueryHeads {
	_, heads := r.layers(ggufHeads, r.all())
	h := QueryHeads{NumAttentionHeads: max(1, heads), NumKeyValueHeads: max(1, keys)}
	h.HeadDim = r.sizeOr(ggufKeyLength, maxInner, max(1, width/h.NumAttentionHeads))
	if values := r.sizeOr(ggufValueLength, maxInner, h.HeadDim); values != h.HeadDim {
		r.fail(unsupported(r.arch+ggufValueLength, "found %d, %s is %d: heads of values are as wide as those of keys", values,
			ggufKeyLength[1:], h.HeadDim))
	}
	return h
}

// plainRope reads the rotary embedding of heads of some width, which it turns whole.
func (r *ggufReader) plainRope(rope *Rope, width int) {
	rope.Theta = r.number(ggufTheta, defaultTheta)
	if n := r.sizeOr(ggufRotated, maxInner, width); n != width {
		r.fail(unsupported(r.arch+ggufRotated, "found %d, heads have %d channels; only the embedding of whole heads is supported", n, width))
	}
	r.unscaledRope()
}

// unscaledRope refuses rotary embeddings other than the plain one.
func (r *ggufReader) unscaledRope() {
	if !r.has(ggufScaling) {
		return
	}
	if name, err := r.f.Str(r.arch + ggufScaling); err != nil {
		r.fail(err)
	} else if name != "none" {
		r.fail(unsupported(r.arch+ggufScaling, "found %q; only the plain embedding is supported", name))
	}
}

// checkPairs refuses heads whose rows cannot be interleaved.
func checkPairs(c *QueryHeads, used bool) error {
	if used && c.HeadDim%2 != 0 {
		return unsupported("head_dim", "found %d: GGUF has pairs of channels, and needs an even number", c.HeadDim)
	}
	return nil
}

// theta returns the rope_theta that an extra key states, 0 if none does.
func (c *Common) theta() float64 {
	if v, err := strconv.ParseFloat(c.extra("rope_theta"), 64); err == nil && v > 0 && v <= math.MaxFloat32 {
		return v
	}
	return 0
}

// positive returns the positive number that an extra key states, or absent.
func (c *Common) positive(key string, absent int) int {
	if n, ok := c.extraInt(key); ok && n > 0 && n <= math.MaxInt32 {
		return n
	}
	return absent
}
