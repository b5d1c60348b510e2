package names

import (
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
)

// Rename returns the Hugging Face name that a known misnaming stands for, such as "backbone.embeddings.weight" for
// the singular "backbone.embedding.weight" of the original layout, which transformers 5 takes for a foreign name:
// it then initialises embedding and head at random, with a report but without an error.
// Names saved from the bare MambaModel lack "backbone."; a trainer's "model." may stand before some names alone, which
// Unwrap leaves.
func Rename(name string) (canonical string, ok bool) {
	bare := strings.TrimPrefix(name, MistralPrefix)
	if slices.Contains([]string{"embedding.weight", "embeddings.weight", "norm_f.weight"}, bare) ||
		strings.HasPrefix(bare, "layers.") {
		bare = Backbone + bare
	}
	if bare == embeddingOriginal {
		bare = Embedding
	}
	return bare, bare != name && known(bare)
}

// variant is what some names give away.
type variant struct {
	parts  []string
	what   string
	family config.Family // whose blocks these are, if a family of ours
	added  bool          // to a block, which is another network with it, even where nothing of a plain one is missing
}

// Adapter is the answer of Variant for the state of a model that PEFT has put an adapter into.
const Adapter = "an adapter (PEFT) that is not merged"

// variants lists what parts of tensors' names give away. A part matches at the end of the name, or anywhere when it ends
// in a dot. The order is that of the answers: what is more telling comes first.
var variants = slices.Concat(variantsOfOthers, variantsOfBlocks(), variantsOfHybrids)

// variantsOfBlocks lists the names that only one of the kinds of blocks of pure families has, in any layout.
func variantsOfBlocks() []variant {
	var list []variant
	listed := make(map[*block]bool)
	for _, t := range tables {
		for _, k := range t.blocks {
			if listed[k.block] || t.hybrid != nil {
				continue
			}
			listed[k.block] = true
			canonical, gguf := k.distinct()
			v := variant{what: k.title, family: config.Plain(t.family)}
			for _, name := range slices.Concat(canonical, gguf) {
				v.parts = append(v.parts, "."+name)
			}
			list = append(list, v)
		}
	}
	return list
}

// variantsOfOthers are weights that no family has, and blocks that a plain one does not have.
var variantsOfOthers = []variant{
	{
		[]string{
			".lora_A.", ".lora_B.", ".lora_A", ".lora_B", ".lora_embedding_A.", ".lora_embedding_B.", ".lora_embedding_A", ".lora_embedding_B",
			".lora_magnitude_vector.", ".base_layer.weight", ".modules_to_save.", ".original_module.",
		},
		Adapter, "", true,
	},
	{[]string{".qweight", ".qzeros", ".g_idx"}, "weights quantized with GPTQ or AWQ", "", false},
	{
		[]string{".SCB", ".absmax", ".nested_absmax", ".quant_map", ".nested_quant_map", ".quant_state.", ".weight_format"},
		"weights quantized with bitsandbytes", "", false,
	},
	{[]string{".scales", ".biases"}, "weights quantized with MLX or a similar scheme", "", false},
	{[]string{".weight_scale", ".weight_scale_inv", ".input_scale", ".weight_packed"}, "weights quantized to fp8 or by compressed-tensors", "", false},
	{[]string{".codebooks", ".codes"}, "weights quantized with AQLM", "", false},
	{
		[]string{
			".mixer.B_bias", ".mixer.C_bias", ".mixer.B_norm.weight", ".mixer.C_norm.weight",
			".mixer.mimo_x", ".mixer.mimo_z", ".mixer.mimo_o",
		},
		mamba3.title, config.Mamba3, true,
	},
}

// variantsOfHybrids are what stands beside the mixers of a plain model.
var variantsOfHybrids = []variant{
	{[]string{".mlp.", ".norm2.weight", ".self_attn.", ".attention."}, "attention or MLP blocks of a hybrid model", "", true},
	{[]string{".norm.bias"}, "biases of LayerNorm, which only models of the original layout with rms_norm false have", "", true},
}

// Variant says what the name of a tensor that a configuration cannot hold gives away: a quantization scheme, an
// adapter, blocks of another kind. The text completes "found ..."; family is the one that has such blocks, or "".
func Variant(name string) (what string, family config.Family, ok bool) {
	v := variantOf(name)
	return v.what, v.family, v.what != ""
}

// Added reports whether a tensor of that name makes another network of a block that has everything of a plain one.
func Added(name string) bool { return variantOf(name).added }

func variantOf(name string) variant {
	for _, v := range variants {
		for _, part := range v.parts {
			if strings.HasSuffix(name, part) || strings.HasSuffix(part, ".") && strings.Contains(name, part) {
				return v
			}
		}
	}
	return variant{}
}

// Misshapen explains a shape that differs from the one s wants, if the difference is a known habit of another
// program. It answers for the names of the table only.
func Misshapen(s Spec, shape []int) (why string, ok bool) {
	if !strings.HasSuffix(s.Name, ".conv1d.weight") || len(s.Shape) != 3 {
		return "", false
	}
	channels, kernel := s.Shape[0], s.Shape[2]
	switch {
	case slices.Equal(shape, []int{channels, kernel, 1}):
		return "the order [channels, kernel, 1] of an MLX conversion; expected [channels, 1, kernel]", true
	case slices.Equal(shape, []int{channels, kernel}):
		return "[channels, kernel], squeezed as in GGUF; expected [channels, 1, kernel]", true
	}
	return "", false
}
