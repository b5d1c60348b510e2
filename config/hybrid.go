package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// Mixer2 are the sizes of a Mamba-2 mixer in a hybrid, where its channels need not be a multiple of the width.
type Mixer2 struct {
	MambaNumHeads int // H
	MambaHeadDim  int // P; H*P is d_inner
	NGroups       int // G: head h reads B and C of group h/(H/G)
	ChunkSize     int // of the chunked algorithm; decides no result
}

// inner returns I, the channels of the mixer.
func (m *Mixer2) inner() int { return m.MambaNumHeads * m.MambaHeadDim }

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

// runFields are the last fields of hybrids, which change no result.
func (c *Common) runFields() []field {
	return []field{
		floatField("initializer_range", &c.InitializerRange).deciding(Nothing),
		boolField("use_cache", &c.UseCache).deciding(Nothing),
		optionalBoolField("output_hidden_states", &c.OutputHiddenStates).deciding(Nothing),
		dtypeField("torch_dtype", &c.DType).deciding(Nothing),
		dtypeAliasField("dtype", &c.DType).deciding(Nothing),
	}
}

// checkInner reports heads that do not make up the channels that a key states.
func (m *Mixer2) checkInner(inner int, stated string) error {
	if n := int64(m.MambaNumHeads) * int64(m.MambaHeadDim); n != int64(inner) {
		return formatError("mamba_n_heads", "found %d, which times mamba_d_head %d makes %d channels; expected %s = %d",
			m.MambaNumHeads, m.MambaHeadDim, n, stated, inner)
	}
	return nil
}

// weights counts the weights and states of such a block, of width d.
func (m *Mixer2) weights(d, states, kernel float64) float64 {
	i, h := float64(m.inner()), float64(m.MambaNumHeads)
	conv := i + 2*float64(m.NGroups)*states
	return d*(2*i+conv+h+2) + conv*(2*kernel+1) + 4*h + i*(3+states)
}

// QueryHeads are the sizes of attention in which heads of queries share keys and values.
type QueryHeads struct {
	NumAttentionHeads int  // q
	NumKeyValueHeads  int  // kv: query head j reads key head j/(q/kv)
	HeadDim           int  // hd
	HeadDimStated     bool // in the file, of a family of which it is D/q otherwise
}

// fields are those of all families of hybrids. used says that the model has attention.
func (a *QueryHeads) fields(used bool) []field {
	return []field{
		intField("num_attention_heads", &a.NumAttentionHeads, 1, maxInner).deciding(Results).counting(used),
		nullableField(intField("num_key_value_heads", &a.NumKeyValueHeads, 1, maxInner), &a.NumKeyValueHeads, 0).deciding(Results).counting(used),
	}
}

// headDimField is the key of a family that has D/q without it. It is written only if the file states it, which null does not.
func (a *QueryHeads) headDimField() field {
	f := intField("head_dim", &a.HeadDim, 1, maxInner)
	decodeInt, show := f.decode, f.text
	f.decode = func(v jsonobj.Value) bool { a.HeadDimStated = true; return decodeInt(v) }
	f.text = func() string {
		if a.HeadDimStated {
			return show()
		}
		return ""
	}
	return f
}

// complete fills in what a file of a model of some width has left out, num_key_value_heads as 0.
func (a *QueryHeads) complete(width int) {
	if a.NumKeyValueHeads == 0 {
		a.NumKeyValueHeads = a.NumAttentionHeads
	}
	if !a.HeadDimStated && a.NumAttentionHeads > 0 {
		a.HeadDim = width / a.NumAttentionHeads
	}
}

// check reports heads that cannot share keys, or are too wide.
func (a *QueryHeads) check() error {
	switch {
	case a.NumAttentionHeads%a.NumKeyValueHeads != 0:
		return formatError("num_key_value_heads", "found %d, which does not divide num_attention_heads %d", a.NumKeyValueHeads, a.NumAttentionHeads)
	case int64(a.NumAttentionHeads)*int64(a.HeadDim) > maxWidth:
		return formatError("num_attention_heads", "found %d heads of %d channels, expected at most %d channels", a.NumAttentionHeads, a.HeadDim, maxWidth)
	}
	return nil
}

// widths returns the channels of all queries, and of all keys.
func (a *QueryHeads) widths() (queries, keys int) {
	return a.NumAttentionHeads * a.HeadDim, a.NumKeyValueHeads * a.HeadDim
}

// weights counts the weights of such a block, of width d.
func (a *QueryHeads) weights(d float64) float64 {
	queries, keys := a.widths()
	return d*2*(float64(queries)+float64(keys)+1) + float64(queries) + 2*float64(keys)
}

// words says the sizes.
func (a *QueryHeads) words() string {
	return fmt.Sprintf("attention %s of %d, %d of keys", badfile.Count(a.NumAttentionHeads, "head"), a.HeadDim, a.NumKeyValueHeads)
}

// nullableField is an integer for which a file may have null, which is stored as absent.
func nullableField(f field, p *int, absent int) field {
	decodeInt, show := f.decode, f.text
	f.decode = func(v jsonobj.Value) bool {
		if v.Kind() == jsonobj.Null {
			*p = absent
			return true
		}
		return decodeInt(v) && *p != absent
	}
	f.want = strings.Replace(f.want, "from 0 ", "from 1 ", 1) + " or null"
	f.text = func() string {
		if *p == absent {
			return "null"
		}
		return show()
	}
	return f
}

// statedIntField is a key that is written only if the file states it, which null does not.
func statedIntField(key string, p *int, stated *bool) field {
	f := intField(key, p, 1, maxInner)
	decodeInt, show := f.decode, f.text
	f.decode = func(v jsonobj.Value) bool { *stated = true; return decodeInt(v) }
	f.text = func() string {
		if *stated {
			return show()
		}
		return ""
	}
	return f
}

// gatedField is the activation of the gate of an MLP that may be GELU.
func gatedField(key string, p *string) field {
	f := activationField(key, p)
	f.check = func() bool { return *p == "gelu" || *p == "silu" || *p == "swish" }
	f.want = `"gelu" or "silu" (or its alias "swish")`
	f.same = func() string {
		if *p == "gelu" {
			return *p
		}
		return "silu"
	}
	return f
}

// word is a kind of layer as lists of transformers spell it, the current one first.
type word struct {
	kind     Block
	spelling []string
}

// layerWords are those of all families.
var layerWords = []word{
	{BlockMamba2, []string{"linear_attention", "mamba"}},
	{BlockAttention, []string{"full_attention", "attention"}},
	{BlockMLP, []string{"mlp"}},
	{BlockMoE, []string{"moe"}},
	{BlockSharedAttention, []string{"hybrid"}},
	{BlockZamba, []string{"linear_attention", "mamba"}},
}

// layersField lists the kinds of the layers: words of a family's choice.
func layersField(key string, p *[]Block, kinds ...Block) field {
	var known []string
	of := make(map[string]Block)
	current := make(map[Block]string)
	for _, w := range layerWords {
		if slices.Contains(kinds, w.kind) {
			known = append(known, quote(w.spelling[0]))
			current[w.kind] = w.spelling[0]
			for _, s := range w.spelling {
				of[s] = w.kind
			}
		}
	}
	text := func() string {
		list := make([]string, len(*p))
		for i, b := range *p {
			list[i] = quote(current[b])
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	return field{
		key: key,
		decode: func(v jsonobj.Value) bool {
			*p = nil
			elems, ok := v.Elems(maxLayers)
			for _, e := range elems {
				s, _ := e.Text()
				kind, known := of[s]
				if !known {
					return false
				}
				*p = append(*p, kind)
			}
			return ok || v.Kind() == jsonobj.Null
		},
		check: func() bool {
			return len(*p) > 0 && !slices.ContainsFunc(*p, func(b Block) bool { return current[b] == "" })
		},
		found: func() string { return badfile.Count(len(*p), "layer") },
		want:  fmt.Sprintf("a list of 1 to %d of %s", maxLayers, and(known)),
		text:  text,
		same:  text,
	}
}

// oddLayer says which element of a list is not one of the known words; empty: none.
func oddLayer(keys jsonobj.Members, key string, kinds ...Block) string {
	v, _ := keys.Get(key)
	elems, _ := v.Elems(maxLayers)
	for i, e := range elems {
		s, _ := e.Text()
		if !slices.ContainsFunc(layerWords, func(w word) bool { return slices.Contains(kinds, w.kind) && slices.Contains(w.spelling, s) }) {
			return fmt.Sprintf("found %s for layer %d", e, i)
		}
	}
	return ""
}

// respelled returns the members with older keys under the current ones, which they replace.
func respelled(keys jsonobj.Members, current map[string]string) jsonobj.Members {
	replaced := make(map[string]bool)
	for _, m := range keys {
		if now, old := current[m.Key]; old {
			replaced[now] = true
		}
	}
	var list jsonobj.Members
	for _, m := range keys {
		now, old := current[m.Key]
		if old {
			m.Key = now
		} else if replaced[m.Key] {
			continue
		}
		list = append(list, m)
	}
	return list
}

// notInOld is embedded by the configurations of families that the older layouts do not hold.
type notInOld struct{ family Family }

// EncodeOriginal implements Config: mamba_ssm does not have such a model.
func (o notInOld) EncodeOriginal() ([]byte, error) {
	return nil, noLayoutBut(o.family, "the original layout")
}

// EncodeMistral implements Config: mistral does not have such a model.
func (o notInOld) EncodeMistral() ([]byte, error) {
	return nil, noLayoutBut(o.family, "mistral's layout")
}

// noLayoutBut is the error of an older layout for a family that it does not hold.
func noLayoutBut(f Family, layout string) error {
	return unsupported(keyModelType, "found %q: %s is not written for hybrids; choose %s", f, layout, hybridLayouts(f))
}

// hybridLayouts names the layouts that hold a hybrid.
func hybridLayouts(f Family) string {
	if len(entryOf(f).gguf.archs()) == 0 {
		return "hf"
	}
	return "hf or gguf"
}

// countBlocks counts the layers that are such a block.
func countBlocks(layers []Block, b Block) (n int) {
	for _, is := range layers {
		if is == b {
			n++
		}
	}
	return n
}

// scaleField is a factor that the arithmetic uses as float32.
func scaleField(key string, p *float64) field {
	f := floatField(key, p)
	f.check = func() bool { return math.Abs(*p) <= math.MaxFloat32 }
	f.want = "a finite number"
	f.same = func() string { return strconv.FormatFloat(*p, 'g', -1, 32) }
	return f
}

// mixerWords says the sizes of the Mamba-2 blocks, if there are any.
func mixerWords(c Config, m *Mixer2) string {
	if !slices.ContainsFunc(c.Blocks(), func(layer []Block) bool {
		return slices.Contains(layer, BlockMamba2) || slices.Contains(layer, BlockJoinedMamba2)
	}) {
		return ""
	}
	return fmt.Sprintf("%s of %d, n_groups %d, ", badfile.Count(m.MambaNumHeads, "head"), m.MambaHeadDim, m.NGroups)
}
