package config

import (
	"slices"
	"strconv"
	"strings"
)

// outside is a published kind of model that does not have a family here, though it has or seems to have Mamba blocks.
type outside struct {
	names []string // its model types and classes
	what  string
}

// outsiders are those that people are likely to try.
var outsiders = []outside{
	{[]string{"nemotron_h_puzzle", "NemotronHPuzzleForCausalLM"}, "a Nemotron-H in which every block has sizes of its own"},
	{[]string{"NemotronH_Nano_VL_V2"}, "a Nemotron-H that reads pictures"},
	{[]string{"nemotron_h_omni", "NemotronH_Nano_Omni_Reasoning_V3"}, "a Nemotron-H that reads pictures and sound"},
	{[]string{"nemotron_flash", "NemotronFlashForCausalLM"}, "a model of Mamba-2, gated delta rule and attention" + ownCode},
	{[]string{"hymba", "HymbaForCausalLM"}, "a model of Mamba beside attention in every layer" + ownCode},
	{[]string{"plamo2", "Plamo2ForCausalLM"}, "a model of Mamba and attention in a window" + ownCode},
	{[]string{"samba", "SambaForCausalLM"}, "a model of Mamba and attention in a window" + ownCode},
	{[]string{"phi4flash", "Phi4FlashForCausalLM"}, "a model of Mamba, attention in a window and gated memory" + ownCode},
	{[]string{"llamba", "LlambaLMHeadModel"}, "a model of Mamba-2 between the MLPs of a Llama" + ownCode},
	{[]string{"qwen3_mamba3"}, "a model of Mamba-3 between the MLPs of a Qwen3" + ownCode},
	{[]string{"hybrid_qwen3", "HybridQwen3ForCausalLM"}, "a model of Mamba-2 between the MLPs of a Qwen3" + ownCode},
	{[]string{"mini_k3"}, "a model of Mamba-2 among other blocks" + ownCode},
	{[]string{"caduceus", "caduceus_ph", "caduceus_ps", "Caduceus", "CaduceusForMaskedLM"}, "a Mamba that reads DNA both ways" + ownCode},
	{[]string{"mambavision", "MambaVisionModelForImageClassification"}, "a Mamba that reads pictures" + ownCode},
	{[]string{"qwen3_next", "qwen3_5", "qwen3_5_moe", "kimi_linear"}, "a model of the gated delta rule, which is not Mamba"},
	{[]string{"lfm2", "lfm2_moe"}, "a model of short convolutions, which does not have Mamba blocks"},
}

const ownCode = ", as the code of its repository defines it"

// unknownModel explains a model type or class that does not have a family here.
func unknownModel(name string) string {
	what := "a config of another architecture"
	for _, o := range outsiders {
		if slices.Contains(o.names, name) {
			what = o.what
		}
	}
	var own []string
	for _, e := range families {
		if len(e.classes) > 0 { // others are not families of transformers
			own = append(own, strconv.Quote(string(e.family)))
		}
	}
	return what + "; only models of the families " + and(own) + " are supported"
}

// and lists words as in a sentence.
func and(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
