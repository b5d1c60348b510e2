package megatron

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// settle gives the tensors their canonical names, and returns the configuration that they and the arguments make up.
func (s *state) settle(w *layout.Weights) (config.Config, error) {
	layers, err := s.layers()
	if err != nil {
		return nil, err
	}
	shown, err := s.shown(layers)
	if err != nil {
		return nil, err
	}
	cfg, err := config.ParseMegatron(s.dir, s.args, shown)
	if err != nil {
		return nil, err
	}
	for i := range s.stored {
		t := &s.stored[i]
		stored, err := s.join(t.name, t)
		if err != nil {
			return nil, err
		}
		w.Listed = append(w.Listed, stored)
		list, err := s.canonical(cfg, layers, t, stored)
		if err != nil {
			return nil, err
		}
		w.Tensors = append(w.Tensors, list...)
	}
	if n, ok := cfg.(*config.NemotronHConfig); ok && shown.Tied {
		t := w.Tensors[slices.IndexFunc(w.Tensors, func(t tensor.Tensor) bool { return t.Name == names.Embedding })]
		t.Name, n.TieWordEmbeddings = names.Head, false // of that family it is never tied
		w.Tensors = append(w.Tensors, t)
	}
	return cfg, nil
}

// layers returns the block that each layer has by its tensors, which must be that of the pattern if there is one.
func (s *state) layers() ([]config.Block, error) {
	found := map[int]config.Block{}
	for _, t := range s.stored {
		layer, rest := layerOf(t.name)
		for kind, list := range blocks {
			if layer < 0 || rest != list[0].there[0] {
				continue
			}
			if _, twice := found[layer]; twice {
				return nil, s.unsupported(t.name, "is in one layer with tensors of another kind of block; only layers of one block each are read, as Megatron's hybrids have")
			}
			found[layer] = kind
		}
	}
	layers := make([]config.Block, len(found))
	for i := range layers {
		kind, ok := found[i]
		if !ok {
			return nil, s.unsupported("", "layer %d has neither Mamba-2 nor attention nor an MLP under the names of Megatron, of %d layers that do; blocks of experts "+
				"and other models than Mamba are not read", i, len(found))
		}
		layers[i] = kind
	}
	if len(layers) == 0 {
		return nil, s.unsupported("", "does not have layers of Mamba-2 under the names of Megatron, such as %s", badfile.Quote(nameLayers+"0.mixer.A_log"))
	}
	for _, name := range []string{"hybrid_layer_pattern", "hybrid_override_pattern"} {
		pattern, ok := s.args.Text(name)
		if !ok || pattern == "" {
			continue
		}
		stated, err := config.MegatronPattern(pattern)
		if err != nil {
			return nil, layout.InFile(s.dir, err)
		}
		if !slices.Equal(stated, layers) {
			return nil, s.bad("", "args say %s %s, and the tensors are of the %d layers %s", name, badfile.Quote(pattern), len(layers), letters(layers))
		}
		break
	}
	return layers, nil
}

// letters spells layers as Megatron does.
func letters(layers []config.Block) string {
	text := make([]byte, len(layers))
	for i, b := range layers {
		text[i] = map[config.Block]byte{config.BlockMamba2: 'M', config.BlockAttention: '*', config.BlockMLP: '-'}[b]
	}
	return badfile.Quote(string(text))
}

// shown is what the tensors show of the sizes.
func (s *state) shown(layers []config.Block) (t config.MegatronTensors, err error) {
	matrix := func(name string, dims int) []int {
		x := s.get(name)
		if x == nil && err == nil {
			err = s.bad(name, "is missing")
		} else if err == nil && len(x.shape) != dims {
			err = s.bad(name, "is %s, expected %s", badfile.Shape(x.shape), badfile.Count(dims, "dimension"))
		}
		if err != nil {
			return make([]int, dims)
		}
		return x.shape
	}
	of := func(kind config.Block) string { // its first layer
		return nameLayers + strconv.Itoa(slices.Index(layers, kind)) + "."
	}
	embedding := matrix(nameEmbedding, 2)
	t = config.MegatronTensors{Vocab: embedding[0], Width: embedding[1], Layers: layers, Tied: s.get(nameHead) == nil}
	if err == nil {
		t.DType = s.get(nameEmbedding).dtype.Torch()
	}
	if slices.Contains(layers, config.BlockMamba2) {
		in := of(config.BlockMamba2) + "mixer."
		t.Inner, t.Heads = matrix(in+"out_proj.weight", 2)[1], matrix(in+"A_log", 1)[0]
		conv := in + "conv1d.weight"
		if s.get(conv) == nil {
			conv = in + "conv1d_weight"
		}
		shape := matrix(conv, 3)
		t.GroupedStates, t.Kernel = max(0, shape[0]-t.Inner)/2, shape[2]
	}
	if slices.Contains(layers, config.BlockAttention) {
		in := of(config.BlockAttention)
		t.Fused, t.Queries = matrix(in+nameFused, 2)[0], matrix(in+"self_attention.linear_proj.weight", 2)[1]
	}
	if slices.Contains(layers, config.BlockMLP) {
		t.Feed = matrix(of(config.BlockMLP)+"mlp.linear_fc1.weight", 2)[0]
	}
	if err == nil && (t.Width == 0 || t.Heads == 0 && slices.Contains(layers, config.BlockMamba2)) {
		err = s.bad("", "its embedding or A_log is empty")
	}
	return t, err
}

// canonical returns what a stored tensor is here: itself under another name, or what it has fused.
func (s *state) canonical(cfg config.Config, layers []config.Block, t *whole, stored tensor.Tensor) ([]tensor.Tensor, error) {
	here, norm, ok := outside(t.name)
	layer, rest := layerOf(t.name)
	if layer >= 0 && layer < len(layers) {
		in := names.Blocks + strconv.Itoa(layer) + "."
		if rest == nameFused && layers[layer] == config.BlockAttention {
			return s.unfused(cfg.(*config.NemotronHConfig), in, t)
		}
		for _, r := range blocks[layers[layer]] {
			if slices.Contains(r.there, rest) {
				here, norm, ok = in+r.here, r.norm, true
			}
		}
	}
	if !ok {
		return nil, s.unsupported(t.name, "is not of a Mamba that this program reads: Mamba-2, attention without positions and MLPs, none with biases but that of the "+
			"convolution, and none with experts")
	}
	if one, _ := s.args.Bool("apply_layernorm_1p"); one && norm {
		if !slices.Equal(stored.Shape, []int{cfg.Shared().HiddenSize}) {
			return nil, s.bad(t.name, "is %s, expected a vector of %d", badfile.Shape(stored.Shape), cfg.Shared().HiddenSize)
		}
		stored = plusOne(stored)
	}
	stored.Name = here
	return []tensor.Tensor{stored}, nil
}

// plusOne is a norm's weight that is stored less one, in float32, in which Transformer Engine adds it.
func plusOne(t tensor.Tensor) tensor.Tensor {
	values := slices.Clone(tensor.Float32s(t.Solid())) // what is mapped cannot be written
	for i := range values {
		values[i]++
	}
	t.DType, t.Coding, t.Data = tensor.F32, nil, tensor.Bytes(values)
	return t
}

// maxKeys is the most heads of keys, of each of which a piece is noted; published models have 8.
const maxKeys = 1 << 10

// unfused takes queries, keys and values apart: for each head of keys, the rows of the heads of queries that read it come first, then
// those of the key and of the value.
func (s *state) unfused(c *config.NemotronHConfig, in string, t *whole) ([]tensor.Tensor, error) {
	perKey, dim := c.NumAttentionHeads/c.NumKeyValueHeads, c.HeadDim
	if want := c.NumKeyValueHeads * (perKey + 2) * dim; len(t.shape) != 2 || t.shape[0] != want {
		return nil, s.bad(t.name, "is %s, expected %d rows", badfile.Shape(t.shape), want)
	}
	if c.NumKeyValueHeads > maxKeys {
		return nil, s.unsupported(t.name, "has %d heads of keys, more than the %d this program reads", c.NumKeyValueHeads, maxKeys)
	}
	parts := make([][]*whole, len(fused))
	for key := range c.NumKeyValueHeads {
		at := key * (perKey + 2) * dim
		for i, n := range []int{perKey * dim, dim, dim} {
			parts[i] = append(parts[i], t.rows(at, at+n))
			at += n
		}
	}
	list := make([]tensor.Tensor, len(fused))
	for i, name := range fused {
		all, err := stack(t.name, 0, parts[i]...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
		if list[i], err = s.join(in+name, all); err != nil {
			return nil, err
		}
	}
	return list, nil
}
