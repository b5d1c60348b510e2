package blocks

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/safetensors/safetensorstest"
	"github.com/gomamba/gomamba/tensor"
)

// layers are those of a network of which the second layer keeps nothing.
var layers = [][]Spec{
	{{Name: dump.ConvStates, Shape: []int{2, 4}}, {Name: dump.SSMStates, Shape: []int{2, 3}}},
	{},
	{{Name: dump.ConvStates, Shape: []int{2, 4}}},
}

// TestGrowth takes keys and values of two sequences of different length through a copy and a file.
func TestGrowth(t *testing.T) {
	layers := [][]Spec{{
		{Name: dump.KeyStates, Shape: []int{2, 3}, Grows: true, Columns: true},
		{Name: dump.ValueStates, Shape: []int{2, 3}, Grows: true},
	}}
	lengths := []int{70, 5}
	set := New[float64](layers, 2)
	row := func(seq, head, t int) []float64 {
		v := float64(1000*seq + 100*head + t)
		return []float64{v, v + 0.25, v + 0.5}
	}
	for i := range set[0] {
		for seq, n := range lengths {
			set[0][i].Grow(seq, n)
			for head := range 2 {
				for t := range n {
					set[0][i].Put(seq, head, t, row(seq, head, t))
				}
			}
		}
	}
	keys, values := set[0][0].Pages(0)[1], set[0][1].Pages(0)[1]
	if want := row(0, 1, 67); !slices.Equal(values[(64+3)*3:][:3], want) || keys[(3+1)*64+3] != want[1] || keys[3*64+6] != 0 {
		t.Error("pages are not laid out as described")
	}
	other := set.Repeat(1)
	other[0][0].Put(0, 0, 0, []float64{9, 9, 9})
	if set[0][0].All()[0] == 9 {
		t.Error("a copy shares pages")
	}
	path := filepath.Join(t.TempDir(), "dump.safetensors")
	w, err := dump.Create(path, Entries(layers, 2, set.Longest(), tensor.F64), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(Write(w, set), w.Commit()); err != nil {
		t.Fatal(err)
	}
	d, err := dump.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	back, err := Read[float64](d, layers)
	if err != nil {
		t.Fatal(err)
	}
	if x, _ := d.Tensor("cache.key_states.0"); !slices.Equal(x.Shape, []int{2, 2, 70, 3}) || !slices.Equal(back.Lengths(), lengths) {
		t.Errorf("keys %v of %v tokens", x.Shape, back.Lengths())
	}
	for i := range back[0] {
		for seq := range lengths {
			if !slices.EqualFunc(back[0][i].Pages(seq), set[0][i].Pages(seq), slices.Equal) {
				t.Errorf("%s of sequence %d are not what was written", back[0][i].Name, seq)
			}
		}
	}
}

func TestFile(t *testing.T) {
	const sequences = 2
	path := filepath.Join(t.TempDir(), "dump.safetensors")
	set := New[float32](layers, sequences)
	for _, layer := range set {
		for i := range layer {
			for j := range layer[i].All() {
				layer[i].Of(j / layer[i].size)[j%layer[i].size] = float32(100*i + j)
			}
		}
	}
	w, err := dump.Create(path, Entries(layers, sequences, 0, tensor.F32), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(Write(w, set), w.Commit()); err != nil {
		t.Fatal(err)
	}
	d, err := dump.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	back, err := Read[float32](d, layers)
	if err != nil || back.Check(layers, sequences) != nil {
		t.Fatal(err, back.Check(layers, sequences))
	}
	for l, layer := range set.Repeat(1) {
		for i := range layer {
			if !slices.Equal(back[l][i].All(), layer[i].All()) {
				t.Errorf("layer %d: %s is not what was written", l, layer[i].Name)
			}
		}
	}
}

func TestOtherStates(t *testing.T) {
	state := func(name string, l int, shape ...int) tensor.Tensor {
		n, _ := tensor.Count(shape)
		return tensor.Of(dump.State(name, l), make([]float32, n), shape...)
	}
	conv0, ssm0, conv2 := state(dump.ConvStates, 0, 1, 2, 4), state(dump.SSMStates, 0, 1, 2, 3), state(dump.ConvStates, 2, 1, 2, 4)
	for _, test := range []struct {
		want    string
		tensors []tensor.Tensor
	}{
		{"found no cache: no cache.conv_states.0 and cache.ssm_states.0", []tensor.Tensor{tensor.Of(dump.InputIDs, []int64{1}, 1, 1)}},
		{`tensor "cache.ssm_states.0": missing from a cache whose blocks go up to 2`, []tensor.Tensor{conv0, conv2}},
		{"found states of 1 layers, the model has 3", []tensor.Tensor{conv0, ssm0}},
		{"found states of 4 layers, the model has 3", []tensor.Tensor{conv0, ssm0, conv2, state(dump.ConvStates, 3, 1, 2, 4)}},
		{`tensor "cache.ssm_states.0": found shape [1 2 5], the model has [1 2 3]`, []tensor.Tensor{conv0, state(dump.SSMStates, 0, 1, 2, 5), conv2}},
	} {
		path := filepath.Join(t.TempDir(), "dump.safetensors")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(safetensorstest.Write(f, test.tensors, nil), f.Close()); err != nil {
			t.Fatal(err)
		}
		d, err := dump.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Read[float32](d, layers)
		if _, bad := errors.AsType[*badfile.FormatError](err); !bad || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, expected %s", err, test.want)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestShares lists what a token reads of two layers with experts.
func TestShares(t *testing.T) {
	nemotron, granite := config.NewNemotronH(), config.NewGraniteHybrid()
	for cfg, want := range map[config.Config]map[string]float64{
		nemotron: {"0.mixer.in_proj.weight": 1, "1.mixer.experts.7.up_proj.weight": 0.25, "1.mixer.shared_experts.up_proj.weight": 1, "1.mixer.gate.weight": 1},
		granite:  {"1.block_sparse_moe.experts.0.gate_proj.weight": 0.25, "1.block_sparse_moe.router.layer.weight": 1, "1.shared_mlp.up_proj.weight": 1},
	} {
		share := Shares(cfg)
		for name, part := range want {
			if got := share(names.Blocks + name); got != part {
				t.Errorf("%s: %v of it is read, expected %v", name, got, part)
			}
		}
	}
}
