package names

import (
	"reflect"
	"slices"
	"testing"

	"github.com/gomamba/gomamba/config"
)

// mixed is a Mamba-2 model whose layers are attention, Mamba-2, and both.
type mixed struct{ *config.Mamba2Config }

const attends config.Block = "attention"

func (mixed) Family() config.Family { return "mixed" }

func (mixed) Layer(i int) []config.Block {
	return [][]config.Block{{attends}, {config.BlockMamba2}, {config.BlockMamba2, attends}}[i]
}

// TestKindsOfLayers gives the layers of a family different blocks, in which a name may mean different tensors.
func TestKindsOfLayers(t *testing.T) {
	attention := block{title: "attention", rows: []row{
		{name: "mixer.q_proj.weight", shape: dims{"2D", "D"}, gguf: place{name: "attn_q.weight"}},
		{name: "mixer.out_proj.weight", shape: dims{"D", "2D"}, gguf: place{name: "attn_output.weight"}},
	}}
	defer func(was []table) { tables = was }(tables)
	tables = append(slices.Clone(tables), table{
		"mixed", []row{rowEmbedding}, []kind{{attends, &attention}, {config.BlockMamba2, &mamba2}}, []row{rowNormF, rowHead}, nil,
	})
	cfg := mixed{config.NewMamba2()}
	cfg.NumHiddenLayers, cfg.HiddenSize, cfg.NumHeads, cfg.HeadDim = 3, 8, 3, 5 // heads need not make up a multiple of the width
	count := make(map[int]int)
	for _, s := range tableFor(t, cfg) {
		count[s.Layer]++
		if !Own(cfg, s.Name) {
			t.Errorf("%s is not its own", s.Name)
		}
	}
	if want := map[int]int{-1: 3, 0: 2, 1: 9, 2: 11}; !reflect.DeepEqual(count, want) {
		t.Errorf("tensors by layer: %v, want %v", count, want)
	}
	for name, want := range map[string]GGUF{
		"backbone.layers.0.mixer.out_proj.weight": {Name: "blk.0.attn_output.weight", Shape: []int{8, 16}},
		"backbone.layers.1.mixer.out_proj.weight": {Name: "blk.1.ssm_out.weight", Shape: []int{8, 15}},
		"backbone.layers.2.mixer.q_proj.weight":   {Name: "blk.2.attn_q.weight", Shape: []int{16, 8}},
		"backbone.layers.1.mixer.q_proj.weight":   {},
	} {
		if got, ok := ToGGUF(cfg, name); ok != (want.Name != "") || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: stored as %+v, want %+v", name, got, want)
		}
	}
	sizes, switches := Shown(cfg, map[string][]int{
		Embedding:                               {40, 8},
		"backbone.layers.1.mixer.conv1d.weight": {31, 1, 3}, "backbone.layers.1.mixer.norm.weight": {15},
		"backbone.layers.2.mixer.conv1d.weight": {99, 1, 9}, "backbone.layers.2.mixer.conv1d.bias": {99},
	})
	if want := (config.Sizes{"V": 40, "D": 8, "C": 31, "K": 3, "I": 15}); !reflect.DeepEqual(sizes, want) {
		t.Errorf("sizes %v, want %v", sizes, want)
	}
	if want := map[string]bool{"use_conv_bias": false}; !reflect.DeepEqual(switches, want) {
		t.Errorf("switches %v, want %v", switches, want)
	}
}
