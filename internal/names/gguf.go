package names

import (
	"strconv"
	"strings"
)

// Transform is what happens to a tensor's values or shape between its canonical form and another layout.
type Transform uint8

// The transforms.
const (
	Same    Transform = iota
	Squeeze           // the middle dimension of 1 goes: [I, 1, K] to [I, K]
	NegExp            // A = -exp(A_log), which not every A comes back from; see LogNeg
)

// String says what the transform does on the way out.
func (t Transform) String() string {
	switch t {
	case Squeeze:
		return "squeeze"
	case NegExp:
		return "A = -exp(A_log)"
	}
	return ""
}

// GGUF is how a tensor is stored in a GGUF file.
type GGUF struct {
	Name      string
	Transform Transform
	F32       bool // always stored as F32, whatever the type of the file
}

// ggufBlock starts the GGUF names of tensors that every block has.
const ggufBlock = "blk.{i}."

// ggufMamba1 pairs canonical patterns with GGUF's (llama.cpp, gguf-py/gguf/tensor_mapping.py and conversion/mamba.py).
// F32 holds for one-dimensional tensors, norms, the convolution, and names that do not end in ".weight".
var ggufMamba1 = []struct {
	canonical string
	stored    GGUF
}{
	{"backbone.embeddings.weight", GGUF{"token_embd.weight", Same, false}},
	{blockPrefix + "norm.weight", GGUF{ggufBlock + "attn_norm.weight", Same, true}},
	{blockPrefix + "mixer.in_proj.weight", GGUF{ggufBlock + "ssm_in.weight", Same, false}},
	{blockPrefix + "mixer.conv1d.weight", GGUF{ggufBlock + "ssm_conv1d.weight", Squeeze, true}},
	{blockPrefix + "mixer.conv1d.bias", GGUF{ggufBlock + "ssm_conv1d.bias", Same, true}},
	{blockPrefix + "mixer.x_proj.weight", GGUF{ggufBlock + "ssm_x.weight", Same, false}},
	{blockPrefix + "mixer.dt_proj.weight", GGUF{ggufBlock + "ssm_dt.weight", Same, false}},
	{blockPrefix + "mixer.dt_proj.bias", GGUF{ggufBlock + "ssm_dt.bias", Same, true}},
	{blockPrefix + "mixer.A_log", GGUF{ggufBlock + "ssm_a", NegExp, true}},
	{blockPrefix + "mixer.D", GGUF{ggufBlock + "ssm_d", Same, true}},
	{blockPrefix + "mixer.out_proj.weight", GGUF{ggufBlock + "ssm_out.weight", Same, false}},
	{"backbone.norm_f.weight", GGUF{"output_norm.weight", Same, true}},
	{"lm_head.weight", GGUF{"output.weight", Same, false}},
}

// ToGGUF returns how the tensor of a canonical name is stored in a GGUF file. ok is false for a tensor that the format
// has no place for, such as the bias of a projection.
func ToGGUF(name string) (stored GGUF, ok bool) {
	index, pattern := indexed(name, blockPrefix)
	for _, row := range ggufMamba1 {
		if row.canonical == pattern {
			stored = row.stored
			stored.Name = strings.Replace(stored.Name, "{i}", index, 1)
			return stored, true
		}
	}
	return GGUF{}, false
}

// FromGGUF is the reverse of ToGGUF: the canonical name of a GGUF tensor and what was done to it.
func FromGGUF(name string) (canonical string, stored GGUF, ok bool) {
	index, pattern := indexed(name, ggufBlock)
	for _, row := range ggufMamba1 {
		if row.stored.Name == pattern {
			return strings.Replace(row.canonical, "{i}", index, 1), row.stored, true
		}
	}
	return "", GGUF{}, false
}

// indexed splits a name into the index of its block, "" if there is none, and the name with {i} in its place.
func indexed(name, prefix string) (index, pattern string) {
	before, after, _ := strings.Cut(prefix, "{i}")
	rest, ok := strings.CutPrefix(name, before)
	if !ok {
		return "", name
	}
	index, tail, ok := strings.Cut(rest, after)
	if n, err := strconv.Atoi(index); !ok || err != nil || n < 0 || strconv.Itoa(n) != index {
		return "", name
	}
	return index, prefix + tail
}
