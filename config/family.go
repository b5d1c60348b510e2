package config

import (
	"slices"

	"github.com/gomamba/gomamba/internal/jsonobj"
)

// entry is what makes a family a family, beside its struct with the fields.
type entry struct {
	family  Family
	title   string   // as its authors write it
	classes []string // of transformers, the language model first; none: transformers does not have such a model
	fresh   func() Config
	aliases map[string]string // keys that the class takes for others
	twin    twin
	hybrid  bool      // no tensor shows which blocks there are: only the configuration says so
	product *product  // nil: shapes show every size
	ssm     *mambaSSM // nil: mamba_ssm does not have such a model
	also    Family    // whose keys a model may have, too; empty: none
	gguf    llamaCpp
	mlx     *mlxLM // nil: models are not written for mlx-lm
}

// families lists the entries in the order in which the architectures came.
var families = []*entry{
	&entryMamba, &entryFalconMamba, &entryMamba2, &entryMamba3, &entryNemotronH, &entryGraniteHybrid, &entryJamba, &entryFalconH1,
	&entryBamba, &entryZamba, &entryZamba2, &entryMambaSSM,
}

// twin is the family whose tensors an entry's models have, too: only settings distinguish the two.
type twin struct {
	of   Family
	flag string // a key with which other programs' files of that family mean this one
}

// product is two sizes whose product is all that the shapes of tensors show.
type product struct {
	keys [2]string // of config.json; where neither is known, the first keeps its default
	of   func(shown Sizes) int
}

// Block is a kind of block. Layers are lists of blocks.
type Block string

// The kinds of blocks.
const (
	BlockMamba1      Block = "mamba1"       // the mixer of Mamba
	BlockFalconMamba Block = "falcon_mamba" // the mixer of Mamba with norms on dt, B and C
	BlockMamba2      Block = "mamba2"       // the mixer of Mamba-2
	BlockMamba3      Block = "mamba3"       // the mixer of Mamba-3
	BlockAttention   Block = "attention"    // causal attention in which query heads share keys and values
	BlockMLP         Block = "mlp"          // down(relu(up)²)
	BlockMoE         Block = "moe"          // experts like BlockMLP, chosen by a sigmoid router, and a shared one
	BlockSwiGLU      Block = "swiglu"       // down(silu(gate)·up)
	BlockSwiGLUMoE   Block = "swiglu_moe"   // experts like BlockSwiGLU, chosen by a softmax router, perhaps with a shared one
	BlockMHA         Block = "mha"          // mamba_ssm's attention: one projection, perhaps with a convolution over it
	BlockGatedMLP    Block = "gated_mlp"    // mamba_ssm's MLP: fc2(y·silu(gate)), where fc1 gives y and gate
	BlockLinear      Block = "linear"       // one projection

	BlockSharedAttention Block = "shared_attention" // attention over the stream and the embeddings, with weights that layers share
	BlockSharedMLP       Block = "shared_mlp"       // the gated MLP after BlockSharedAttention
	BlockZamba           Block = "zamba"            // the mixer of Mamba, split into heads
	BlockJoinedZamba     Block = "joined_zamba"     // BlockZamba whose input includes the output of the shared blocks
	BlockJoinedMamba2    Block = "joined_mamba2"    // BlockMamba2 whose input includes the output of the shared blocks
)

// entryOf returns the entry of a family; nil: there is none.
func entryOf(f Family) *entry {
	for _, e := range families {
		if e.family == f {
			return e
		}
	}
	return nil
}

// New returns the transformers defaults of a family, or nil if it is unknown.
func New(f Family) Config {
	if e := entryOf(f); e != nil {
		return e.fresh()
	}
	return nil
}

// Title returns the name of a family as its authors write it.
func Title(f Family) string {
	if e := entryOf(f); e != nil {
		return e.title
	}
	return string(f)
}

// Hybrid reports whether the layers of a family can have different blocks.
func Hybrid(f Family) bool {
	e := entryOf(f)
	return e != nil && e.hybrid
}

// InTransformers reports whether transformers has models of the family.
func InTransformers(f Family) bool {
	e := entryOf(f)
	return e != nil && len(e.classes) > 0
}

// KeyOfLayers returns the key that says how many layers there are: num_hidden_layers, or the list of Nemotron-H.
func KeyOfLayers(f Family) string {
	c := entryOf(f).fresh()
	for _, x := range c.fields() {
		if x.size == &c.Shared().NumHiddenLayers {
			return x.key
		}
	}
	return keyLayers
}

// Plain returns the family that stands for all families with the same tensors as f: Mamba for FalconMamba, otherwise f itself.
func Plain(f Family) Family {
	if e := entryOf(f); e != nil && e.twin.of != "" {
		return e.twin.of
	}
	return f
}

// Twin returns the other family with the same tensors if f is plain and there is one.
func Twin(f Family) (twin Family, ok bool) {
	for _, e := range families {
		if e.twin.of == f && f != "" {
			return e.family, true
		}
	}
	return "", false
}

// TwinFlag returns the key that other programs use to mark a model of the plain family as one of its twin f.
func TwinFlag(f Family) string { return entryOf(f).twin.flag }

// byClass returns the family of the first class name that has one.
func byClass(classes []string) Family {
	for _, class := range classes {
		for _, e := range families {
			if slices.Contains(e.classes, class) {
				return e.family
			}
		}
	}
	return ""
}

// Class returns the transformers class of a family's language model, or "" if the family does not have one. known reports
// whether any of the listed classes belongs to the family.
func Class(f Family, listed []string) (class string, known bool) {
	if e := entryOf(f); InTransformers(f) {
		return e.classes[0], byClass(listed) == f
	}
	return "", false
}

// As returns a configuration of the twin family f with the values of c, including extra keys of c that f knows. It also returns
// extra keys with invalid values, which it leaves out.
func As(f Family, c Config) (Config, []Extra) {
	e := entryOf(f)
	out := e.fresh()
	shared, classes := out.Shared(), out.Shared().Architectures
	stated := make(map[string]string)
	for _, x := range c.fields() {
		stated[x.key] = x.text()
	}
	fields := make(map[string]field)
	for _, x := range out.fields() {
		fields[x.key] = x
		if v, err := jsonobj.ParseValue(stated[x.key]); stated[x.key] != "" && err == nil {
			x.decode(v)
		}
	}
	shared.Architectures = classes
	var bad []Extra
	for _, x := range c.Shared().Extra {
		own, known := fields[x.Key]
		switch {
		case x.Key == e.twin.flag:
		case !known:
			shared.Extra = append(shared.Extra, x)
		default:
			fresh := own.text()
			if v, err := jsonobj.ParseValue(x.Value); err != nil || !own.decode(v) || !own.check() {
				bad = append(bad, x)
				v, _ = jsonobj.ParseValue(fresh)
				own.decode(v)
			}
		}
	}
	return out, bad
}
