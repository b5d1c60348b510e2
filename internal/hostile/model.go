package hostile

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Tensor is a weight of the model that all entries are made of.
type Tensor struct {
	Name   string // as transformers has it
	Shape  []int
	Values []float32 // exact in every float dtype that checkpoints have
}

// The sizes of the model: vocabulary, width, blocks, channels, states, kernel, rank; heads and groups of Mamba-2.
const (
	vocab, width, layers, inner, state, kernel, rank = 16, 8, 2, 16, 4, 4, 1

	heads, groups = 4, 2
)

// Tensors returns the weights of the model of a family, by its model_type. A_log lies where no two values have the same exponential.
func Tensors(family string) []Tensor {
	for _, f := range laterFamilies {
		if f.name == family {
			return f.tensors()
		}
	}
	switch family {
	case "nemotron_h":
		return nemotron()
	case "nemotron_h_moe": // in GGUF, without the MLP
		return slices.DeleteFunc(nemotron(), func(t Tensor) bool { return strings.Contains(t.Name, "layers.3.") })
	}
	list := []Tensor{draw("backbone.embeddings.weight", vocab, width)}
	for l := range layers {
		block := fmt.Sprintf("backbone.layers.%d.", l)
		list = append(list, draw(block+"norm.weight", width))
		if family == "mamba2" {
			channels := inner + 2*groups*state
			list = append(list,
				draw(block+"mixer.in_proj.weight", inner+channels+heads, width),
				draw(block+"mixer.conv1d.weight", channels, 1, kernel), draw(block+"mixer.conv1d.bias", channels),
				draw(block+"mixer.dt_bias", heads), draw(block+"mixer.A_log", heads), draw(block+"mixer.D", heads),
				draw(block+"mixer.norm.weight", inner), draw(block+"mixer.out_proj.weight", width, inner))
			continue
		}
		list = append(list,
			draw(block+"mixer.in_proj.weight", 2*inner, width),
			draw(block+"mixer.conv1d.weight", inner, 1, kernel), draw(block+"mixer.conv1d.bias", inner),
			draw(block+"mixer.x_proj.weight", rank+2*state, inner),
			draw(block+"mixer.dt_proj.weight", inner, rank), draw(block+"mixer.dt_proj.bias", inner),
			draw(block+"mixer.A_log", inner, state), draw(block+"mixer.D", inner),
			draw(block+"mixer.out_proj.weight", width, inner))
	}
	return append(list, draw("backbone.norm_f.weight", width))
}

// draw makes up values by the tensor's name.
func draw(name string, shape ...int) Tensor {
	t := Tensor{Name: name, Shape: shape, Values: make([]float32, count(shape))}
	seed := 0
	for _, c := range []byte(name) {
		seed = (seed*31 + int(c)) % 1009
	}
	for i := range t.Values {
		t.Values[i] = float32((i*7+seed)%31-15) / 8
		if strings.HasSuffix(name, "A_log") {
			t.Values[i] = 1 + float32(float32((i*5+seed)%48)/128)
		}
	}
	return t
}

func count(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// encode renders values in a dtype as safetensors calls it.
func encode(dtype string, values []float32) []byte {
	var b []byte
	for _, v := range values {
		bits := math.Float32bits(v)
		switch dtype {
		case "F64":
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(v)))
		case "F32":
			b = binary.LittleEndian.AppendUint32(b, bits)
		case "BF16":
			b = binary.LittleEndian.AppendUint16(b, uint16(bits>>16))
		case "F16":
			b = binary.LittleEndian.AppendUint16(b, half(bits))
		default:
			panic(dtype)
		}
	}
	return b
}

// half narrows a float32 that float16 holds exactly as a normal number or zero.
func half(bits uint32) uint16 {
	sign := uint16(bits >> 16 & 0x8000)
	if bits<<1 == 0 {
		return sign
	}
	return sign | uint16(bits>>23&0xff-127+15)<<10 | uint16(bits>>13&0x3ff)
}

// The configurations of the model.
const (
	configHF = `{"model_type": "mamba", "architectures": ["MambaForCausalLM"], "vocab_size": 16, "hidden_size": 8,
 "num_hidden_layers": 2, "state_size": 4, "conv_kernel": 4, "expand": 2, "intermediate_size": 16, "time_step_rank": 1,
 "use_bias": false, "use_conv_bias": true, "layer_norm_epsilon": 1e-05, "tie_word_embeddings": true}`
	configFalcon = `{"model_type": "falcon_mamba", "architectures": ["FalconMambaForCausalLM"], "vocab_size": 16, "hidden_size": 8,
 "num_hidden_layers": 2, "state_size": 4, "conv_kernel": 4, "expand": 2, "intermediate_size": 16, "time_step_rank": 1,
 "use_bias": false, "use_conv_bias": true, "layer_norm_epsilon": 1e-05, "mixer_rms_eps": 1e-06, "tie_word_embeddings": true}`
	configMamba2 = `{"model_type": "mamba2", "architectures": ["Mamba2ForCausalLM"], "vocab_size": 16, "hidden_size": 8,
 "num_hidden_layers": 2, "state_size": 4, "conv_kernel": 4, "expand": 2, "num_heads": 4, "head_dim": 4, "n_groups": 2,
 "time_step_limit": [0.0, Infinity], "use_bias": false, "use_conv_bias": true, "tie_word_embeddings": true}`
	configOriginal = `{"d_model": 8, "n_layer": 2, "vocab_size": 16, "ssm_cfg": {"d_state": 4}, "rms_norm": true,
 "residual_in_fp32": true, "fused_add_norm": true, "pad_vocab_size_multiple": 8, "tie_embeddings": true}`
)

// hf is a Hugging Face folder with these weights.
func hf(weights []byte) files {
	return files{"config.json": []byte(configHF), "model.safetensors": weights}
}

// base is the model as save_pretrained writes it, in float32.
func base() files { return hf(packed("F32", Tensors("mamba"))) }

// base2 is the Mamba-2 model.
func base2() files {
	return files{"config.json": []byte(configMamba2), "model.safetensors": packed("F32", Tensors("mamba2"))}
}
