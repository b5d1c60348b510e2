package hostile

import (
	"fmt"
	"slices"
	"strings"
)

const kindI32 = 5

// hybridNames are what gguf's names do not cover.
var hybridNames = strings.NewReplacer("mixer.q_proj", "attn_q", "mixer.k_proj", "attn_k", "mixer.v_proj", "attn_v",
	"mixer.o_proj", "attn_output", "mixer.gate.e_score_correction_bias", "exp_probs_b.bias", "mixer.gate", "ffn_gate_inp", "mixer.experts.up_proj", "ffn_up_exps.weight",
	"mixer.experts.down_proj", "ffn_down_exps.weight", "mixer.shared_experts.up_proj", "ffn_up_shexp", "mixer.shared_experts.down_proj", "ffn_down_shexp")

// ints is an array of int32.
func ints(values ...int32) []byte {
	var b []byte
	for _, v := range values {
		b = append(b, u32(uint32(v))...)
	}
	return array(kindI32, uint64(len(values)), b)
}

// ggufHybrid is the hybrid without its MLP, which GGUF cannot hold beside experts, as llama.cpp's converter writes it.
func ggufHybrid() *container {
	const arch = "nemotron_h_moe"
	size := func(key string, n uint32) pair { return pair{arch + key, kindU32, u32(n)} }
	c := &container{magic: "GGUF", version: 3, align: 32, keys: []pair{
		{"general.architecture", kindString, str(arch)}, size(".block_count", 3), size(".context_length", 1<<20), size(".embedding_length", width),
		{arch + ".feed_forward_length", kindArray, ints(0, 0, expertWidth)}, size(".attention.head_count", 2),
		{arch + ".attention.head_count_kv", kindArray, ints(0, 1, 0)}, {arch + ".attention.layer_norm_epsilon", kindF32, f32(1e-5)},
		size(".expert_count", experts), size(".expert_used_count", 2), size(".expert_group_count", 2), size(".expert_group_used_count", 1),
		size(".attention.key_length", 4), size(".attention.value_length", 4), size(".ssm.conv_kernel", kernel), size(".ssm.state_size", state),
		size(".ssm.group_count", groups), size(".ssm.inner_size", inner), size(".ssm.time_step_rank", heads),
		size(".expert_shared_feed_forward_length", sharedWidth), {arch + ".expert_weights_norm", kindBool, []byte{1}},
		{arch + ".expert_weights_scale", kindF32, f32(1)}, {"general.file_type", kindU32, u32(0)},
	}}
	for _, t := range stacked(Tensors(arch)) {
		if strings.Contains(t.Name, "q_proj") || strings.Contains(t.Name, "k_proj") {
			t.Values = interleaved(t.Values, t.Shape[1])
		}
		i := ggufTensor("mamba2", t)
		if len(t.Shape) == 3 && strings.Contains(t.Name, "experts") {
			i.dims = []uint64{uint64(t.Shape[2]), uint64(t.Shape[1]), uint64(t.Shape[0])}
		}
		if i.name = hybridNames.Replace(i.name); i.name == "lm_head.weight" {
			i.name = "output.weight"
		}
		c.list = append(c.list, i)
	}
	return c.lay()
}

// interleaved has the rows 0, 2, 1 and 3 of every head of four.
func interleaved(values []float32, cols int) []float32 {
	var out []float32
	for head := range slices.Chunk(values, 4*cols) {
		for _, row := range []int{0, 2, 1, 3} {
			out = append(out, head[row*cols:][:cols]...)
		}
	}
	return out
}

// ggufHybridEntries are GGUF files of a hybrid: layers of other numbers than their lists, experts of other numbers than their stacks.
func ggufHybridEntries() []Entry {
	var list []Entry
	with := func(name, want string, edit func(c *container)) {
		c := ggufHybrid()
		edit(c)
		list = append(list, inGGUF(c.bytes()).bad("gguf hybrid/"+name, want).at("model.gguf"))
	}
	key := func(name string, kind uint32, value []byte, want string) {
		with(fmt.Sprintf("%s %d", name, len(list)), want, func(c *container) {
			i := slices.IndexFunc(c.keys, func(p pair) bool { return strings.HasSuffix(p.key, name) })
			c.keys[i].kind, c.keys[i].value = kind, value
		})
	}
	for _, n := range []uint32{0, 1, 2, 4, 1 << 13, 1<<32 - 1} {
		key(".block_count", kindU32, u32(n), "")
	}
	for _, n := range []uint32{0, 3, 5, 1 << 17, 1<<32 - 1} {
		key(".expert_count", kindU32, u32(n), "")
		key(".attention.key_length", kindU32, u32(n|1), "")
		key(".ssm.time_step_rank", kindU32, u32(n), "")
		key(".ssm.group_count", kindU32, u32(n), "")
		key(".expert_used_count", kindU32, u32(max(n, 3)), "")
		key(".expert_shared_feed_forward_length", kindU32, u32(n|1<<3), "")
	}
	key(".attention.head_count", kindU32, u32(0), "")
	key(".attention.head_count_kv", kindArray, ints(0, 1), "found 2 values, expected one for each of 3 layers")
	key(".attention.head_count_kv", kindArray, ints(0, 3, 0), "")
	key(".attention.head_count_kv", kindArray, ints(0, -1, 0), "found -1 for layer 1")
	key(".attention.head_count_kv", kindArray, ints(1, 2, 0), "layers of different sizes")
	key(".attention.head_count_kv", kindArray, ints(1, 1, 1), "a layer is one of the two")
	key(".attention.head_count_kv", kindArray, array(kindString, 3, slices.Concat(str("a"), str("b"), str("c"))), "head_count_kv")
	key(".attention.head_count_kv", kindU32, u32(1), "")
	key(".feed_forward_length", kindArray, ints(0, 0, 1<<30), "feed_forward_length")
	key(".feed_forward_length", kindArray, ints(0, 0, 7), "ffn_up_exps.weight")
	key(".feed_forward_length", kindArray, ints(), "expected one for each of 3 layers")
	key(".attention.layer_norm_epsilon", kindF32, f32(-1), "")
	key(".expert_weights_scale", kindString, str("1"), "expert_weights_scale")
	for _, n := range []uint32{3, 4, 1<<32 - 1} {
		with(fmt.Sprint("layers that predict: ", n), "nextn_predict_layers", func(c *container) {
			c.keys = append(c.keys, pair{"nemotron_h_moe.nextn_predict_layers", kindU32, u32(n)})
		})
	}
	plain := inGGUF(ggufHybrid().bytes()).good("gguf hybrid/plain").at("model.gguf")
	plain.Family = "nemotron_h_moe"
	ggufHybridTensors(with)
	return append(list, plain)
}

// ggufHybridTensors are files whose tensors contradict their keys.
func ggufHybridTensors(with func(name, want string, edit func(c *container))) {
	tensor := func(name, want string, edit func(i *info)) {
		with(name, want, func(c *container) {
			for i := range c.list {
				edit(&c.list[i])
			}
			c.lay()
		})
	}
	for _, part := range []string{"ffn_up_exps", "ffn_down_exps", "attn_q", "attn_k", "exp_probs_b"} {
		tensor("missing "+part, "", func(i *info) { i.name = strings.Replace(i.name, part, part+"x", 1) })
	}
	tensor("an expert too few", `"blk.2.ffn_up_exps.weight": found [3, 6, 8], its metadata says [4, 6, 8]`, func(i *info) {
		if strings.Contains(i.name, "ffn_up_exps") {
			i.dims[2], i.data = 3, i.data[:len(i.data)/4*3]
		}
	})
	tensor("experts in one matrix", `"blk.2.ffn_down_exps.weight": found [32, 6]`, func(i *info) {
		if strings.Contains(i.name, "ffn_down_exps") {
			i.dims = []uint64{i.dims[0], i.dims[1] * i.dims[2]}
		}
	})
	tensor("heads of another number", `"blk.1.attn_k.weight"`, func(i *info) {
		if strings.Contains(i.name, "attn_k") {
			i.dims[1], i.data = i.dims[1]/2, i.data[:len(i.data)/2]
		}
	})
	with("a truncated stack", "", func(c *container) { c.list[len(c.list)-1].dims[1] *= 1 << 40 })
	with("a bias of queries", `"blk.1.attn_q.bias": is not a tensor of a Nemotron-H model`, func(c *container) {
		c.list = append(c.list, info{name: "blk.1.attn_q.bias", dims: []uint64{queries}, data: make([]byte, 4*queries)})
		c.lay()
	})
}
