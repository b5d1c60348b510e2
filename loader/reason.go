package loader

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/names"
)

// variation is a copy of a configuration whose sizes and switches can be turned to see which tensors move with them.
// So the reason for a shape comes out of the name table itself.
type variation struct {
	cfg      config.Config
	sizes    []size
	switches []toggle
}

type size struct {
	key   string
	value *int
}

type toggle struct {
	key   string
	value *bool
}

// vary copies cfg. Keys that decide no shape are left out.
func vary(cfg config.Config) variation {
	var v variation
	switch c := cfg.(type) {
	case *config.MambaConfig, *config.FalconMambaConfig:
		v.cfg = c.Clone()
		d := config.Selective(v.cfg)
		v.sizes = []size{{"time_step_rank", &d.TimeStepRank}, {"intermediate_size", &d.IntermediateSize}}
	case *config.Mamba2Config:
		d := c.Clone().(*config.Mamba2Config)
		v.cfg = d
		v.sizes = []size{{"num_heads", &d.NumHeads}, {"head_dim", &d.HeadDim}, {"n_groups", &d.NGroups}}
	default:
		return v
	}
	common := v.cfg.Shared()
	v.sizes = append(v.sizes, size{"vocab_size", &common.VocabSize}, size{"hidden_size", &common.HiddenSize},
		size{"state_size", &common.StateSize}, size{"conv_kernel", &common.ConvKernel})
	v.switches = []toggle{{"use_bias", &common.UseBias}, {"use_conv_bias", &common.UseConvBias},
		{"tie_word_embeddings", &common.TieWordEmbeddings}}
	return v
}

// lookUp returns the entry of name in cfg's table.
func lookUp(cfg config.Config, name string) (names.Spec, bool) {
	table, err := names.Table(cfg)
	if err != nil {
		return names.Spec{}, false
	}
	i := slices.IndexFunc(table, func(s names.Spec) bool { return s.Name == name })
	if i < 0 {
		return names.Spec{}, false
	}
	return table[i], true
}

// shapeReason names the keys behind the dimensions in which found differs from spec, with both numbers where a single
// key decides: "state_size is 16 there, 8 by the tensor".
func (ck *Checkpoint) shapeReason(spec names.Spec, found []int) string {
	v := vary(ck.cfg)
	if v.cfg == nil || len(found) != len(spec.Shape) {
		return ""
	}
	var reasons []string
	for dim, want := range spec.Shape {
		if found[dim] == want {
			continue
		}
		var keys []string
		implied := -1
		for _, s := range v.sizes {
			*s.value++
			moved, _ := lookUp(v.cfg, spec.Name)
			*s.value--
			slope := moved.Shape[dim] - want
			if slope == 0 {
				continue
			}
			keys = append(keys, fmt.Sprintf("%s is %d", ck.spelled(s.key), *s.value))
			if diff := found[dim] - want; diff%slope == 0 {
				implied = *s.value + diff/slope
			}
		}
		reason := strings.Join(keys, ", ")
		if len(keys) == 1 && implied > 0 {
			reason += fmt.Sprintf(" there, %d by the tensor", implied)
		}
		if reason != "" && !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	return strings.Join(reasons, "; ")
}

// presenceReason names the key that decides whether the tensor of that name exists: the number of blocks, or a switch.
// blocks is the number of blocks the files hold.
func (ck *Checkpoint) presenceReason(name string, blocks int) string {
	if layers := ck.cfg.Shared().NumHiddenLayers; blocks != layers {
		if i, ok := block(name); ok && i >= min(blocks, layers) {
			return fmt.Sprintf("%s is %d, the files hold %s", ck.spelled("num_hidden_layers"), layers, count(blocks, "block"))
		}
	}
	v := vary(ck.cfg)
	now, there := lookUp(ck.cfg, name)
	for _, s := range v.switches {
		*s.value = !*s.value
		then, thereThen := lookUp(v.cfg, name)
		*s.value = !*s.value
		if there != thereThen || now.Optional != then.Optional {
			return fmt.Sprintf("%s is %t", ck.spelled(s.key), *s.value)
		}
	}
	return ""
}

// blocks returns the number of blocks the files hold: one more than the highest index.
func (x *examination) blocks() int {
	n := 0
	for name := range x.ck.found {
		if i, ok := block(name); ok {
			n = max(n, i+1)
		}
	}
	for _, name := range x.leftOver {
		if i, ok := block(name); ok {
			n = max(n, i+1)
		}
	}
	return n
}

// block returns the index of the block a tensor belongs to.
func block(name string) (int, bool) {
	rest, ok := strings.CutPrefix(name, blocksPrefix)
	if !ok {
		rest, ok = strings.CutPrefix(name, strings.TrimPrefix(blocksPrefix, barePrefix))
	}
	index, _, dotted := strings.Cut(rest, ".")
	i, err := strconv.Atoi(index)
	return i, ok && dotted && err == nil && i >= 0
}

// blocksPrefix starts the names of the tensors of every block.
const blocksPrefix = "backbone.layers."

// settings names, for a message, what the files say about the model.
func (ck *Checkpoint) settings() string {
	if ck.layout == layoutGGUF.name {
		return "its metadata"
	}
	return cmp.Or(ck.weights.config, fileConfig)
}

// spelled is a key of the Hugging Face configuration as this layout spells it.
func (ck *Checkpoint) spelled(key string) string {
	return config.Spelling(ck.layout, ck.cfg.Family(), key)
}

// storedName is the name under which this layout stores the tensor of a canonical name.
func (ck *Checkpoint) storedName(name string) string {
	switch ck.layout {
	case layoutGGUF.name:
		if stored, ok := names.ToGGUF(ck.cfg, name); ok {
			return stored.Name
		}
	case layoutMistral.name:
		return names.ToMistral(name)
	case layoutOriginal.name:
		return names.ToOriginal(name)
	}
	return name
}
