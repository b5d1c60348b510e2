package names

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// ToOriginal returns the name of the original layout for a canonical name.
func ToOriginal(name string) string {
	for _, r := range mamba1 {
		if r.original != "" && r.pattern == name { // none of them is in a block
			return r.original
		}
	}
	return name
}

// FromOriginal returns the canonical name for a name of the original layout.
func FromOriginal(name string) string {
	for _, r := range mamba1 {
		if r.original != "" && r.original == name {
			return r.pattern
		}
	}
	return name
}

// stateDict is the order in which a block's tensors stand in the state dict of mamba_ssm's MambaLMHeadModel: parameters
// of the mixer itself, then its modules as they are made, then the norm.
var stateDict = []string{
	"mixer.A_log", "mixer.D", "mixer.in_proj.weight", "mixer.in_proj.bias", "mixer.conv1d.weight", "mixer.conv1d.bias",
	"mixer.x_proj.weight", "mixer.dt_proj.weight", "mixer.dt_proj.bias", "mixer.out_proj.weight", "mixer.out_proj.bias",
	"norm.weight",
}

// CompareOriginal orders canonical names as the state dict of the original code does.
func CompareOriginal(a, b string) int {
	la, pa := originalPlace(a)
	lb, pb := originalPlace(b)
	return cmp.Or(cmp.Compare(la, lb), cmp.Compare(pa, pb), cmp.Compare(a, b))
}

// originalPlace returns where a name stands: the embedding, the blocks, the final norm, the head.
func originalPlace(name string) (block, place int) {
	index, pattern := indexed(name, blockPrefix)
	if i, err := strconv.Atoi(index); err == nil {
		return i, slices.Index(stateDict, strings.TrimPrefix(pattern, blockPrefix))
	}
	const end = 1 << 30
	switch name {
	case "backbone.embeddings.weight":
		return -1, 0
	case "lm_head.weight":
		return end, 1
	}
	return end, 0
}
