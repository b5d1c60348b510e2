package hostile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// validEntries are odd and right: they must load with the weights of the model.
func validEntries() []Entry {
	return slices.Concat(validSafetensors(), validIndexes(), validConfigs(), validTorch(), validGGUF())
}

func validSafetensors() []Entry {
	text, body := header("F32", Tensors("mamba"))
	list := []Entry{base().good("valid/plain"), sharded().good("valid/sharded")}
	add := func(name string, weights []byte) { list = append(list, hf(weights).good("valid/"+name)) }
	for _, dtype := range []string{"F16", "BF16", "F64"} {
		add(dtype, packed(dtype, Tensors("mamba")))
	}
	add("no metadata", edited(`"__metadata__":{"format":"pt"},`, ""))
	add("empty metadata", edited(`{"format":"pt"}`, "{}"))
	add("null metadata", edited(`{"format":"pt"}`, "null"))
	add("extra keys, one in another case", edited(`"shape":[16,8]`, `"DType":"I8","Shape":"x","x":{"y":[null,1.5]},"shape":[16,8]`))
	add("white space before the header", raw(" \n"+text, body))
	add("odd metadata", edited(`{"format":"pt"}`, `{"":"","\u00e9\n":"`+strings.Repeat("x", 100_000)+`"}`))
	add("white space everywhere", raw(strings.NewReplacer(":", " :\n ", ",", "\t,\r\n ", "{", "{ ", "[", "[ ", "]", " ]").Replace(text), body))
	add("header padded with spaces", raw(text+strings.Repeat(" ", 4096), body))
	add("header padded with newlines", raw(text+strings.Repeat("\n", 77), body))
	add("header of odd length", raw(text+strings.Repeat(" ", 8-len(text)%8+3), body))
	add("names in escapes", edited("backbone.norm_f", `\u0062ackbone\u002enorm_f`))
	add("fields in another order", edited(`{"dtype":"F32","shape":[16,8],"data_offsets":[0,512]}`, `{"data_offsets":[0,512],"shape":[16,8],"dtype":"F32"}`))
	reversed := Tensors("mamba")
	slices.Reverse(reversed)
	add("data in reverse", packed("F32", reversed))
	add("header not in the order of the data", raw(shuffled(text), body))
	add("mixed dtypes", mixed())
	bare := Tensors("mamba")
	for i := range bare {
		bare[i].Name = strings.TrimPrefix(bare[i].Name, "backbone.")
	}
	add("names without backbone", packed("F32", bare))
	add("a stray tensor", edited("{", `{"stray":{"dtype":"I64","shape":[0],"data_offsets":[0,0]},`))
	for _, stray := range []string{`"F8_E4M3","shape":[1,0,3]`, `"C64","shape":[0]`, `"F4","shape":[0,2]`} {
		add("a stray tensor of "+stray, raw(strings.Replace(text, "{", `{"stray":{"dtype":`+stray+`,"data_offsets":[0,0]},`, 1), body))
	}
	for _, wrapper := range []string{"_forward_module.", "base_model.model.", "模型.", strings.Repeat("a.", 100)} {
		wrapped := Tensors("mamba")
		for i := range wrapped {
			wrapped[i].Name = wrapper + wrapped[i].Name
		}
		add(fmt.Sprintf("names in %.20q", wrapper), packed("F32", wrapped))
	}
	add("the head stored beside the embedding", packed("F32", append(Tensors("mamba"), Tensor{"lm_head.weight", []int{vocab, width}, Tensors("mamba")[0].Values})))
	head := Tensors("mamba")
	head[0].Name = "lm_head.weight"
	add("the head in place of the embedding", packed("F32", head))
	conv := Tensors("mamba")
	for i, t := range conv {
		if strings.HasSuffix(t.Name, "conv1d.weight") {
			conv[i].Shape = []int{inner, kernel, 1}
		}
	}
	add("convolutions as MLX has them", packed("F32", conv))
	for _, name := range []string{"last.ckpt", "model.fp16.safetensors", "weights.bin"} {
		f := base()
		f[name] = f["model.safetensors"]
		delete(f, "model.safetensors")
		list = append(list, f.good("valid/weights under "+name), f.good("valid/by "+name).at(name))
	}
	for _, name := range []string{"ünïcödé 模型", "with space", "-dash", "--help", "a'b\"c", "$(touch x)", "dots..", ".hidden", "a,b", "%s%n", strings.Repeat("n", 200)} {
		list = append(list, moved(name).good("valid/folder "+strconv.Quote(name[:min(len(name), 20)])).at(name))
	}
	both := base()
	both["pytorch_model.bin"] = []byte("version https://git-lfs.github.com/spec/v1\n")
	both["model.safetensors.index.json"] = []byte("{")
	list = append(list, both.good("valid/safetensors beside other weights"),
		base().good("valid/by config.json").at("config.json"), base().good("valid/by model.safetensors").at("model.safetensors"),
		base().good("valid/read-only").then(func(dir string) error {
			for _, name := range []string{"config.json", "model.safetensors"} {
				if err := os.Chmod(filepath.Join(dir, name), 0o444); err != nil {
					return err
				}
			}
			return nil
		}))
	return list
}

// moved is the model in a folder of that name.
func moved(folder string) files {
	f := files{}
	for name, content := range base() {
		f[folder+"/"+name] = content
	}
	return f
}

// shuffled reverses the entries of a header.
func shuffled(text string) string {
	entries := strings.SplitAfter(strings.Trim(text, "{}"), "},")
	entries[len(entries)-1] += "},"
	slices.Reverse(entries)
	return "{" + strings.TrimSuffix(strings.Join(entries, ""), ",") + "}"
}

// mixed stores every tensor in another dtype than the one before.
func mixed() []byte {
	var entries []string
	var body []byte
	for _, dtype := range []string{"F64", "F32", "BF16", "F16"} {
		for i, t := range Tensors("mamba") {
			if i%4 == map[string]int{"F64": 0, "F32": 1, "BF16": 2, "F16": 3}[dtype] {
				begin := len(body)
				body = append(body, encode(dtype, t.Values)...)
				entries = append(entries, fmt.Sprintf(`%q:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, t.Name, dtype, strings.ReplaceAll(fmt.Sprint(t.Shape), " ", ","), begin, len(body)))
			}
		}
	}
	return raw("{"+strings.Join(entries, ",")+"}", body)
}

func validConfigs() []Entry {
	var list []Entry
	for _, c := range []change{
		{"time_step_rank", `"auto"`, ""}, {"intermediate_size", "-", ""}, {"architectures", "-", ""}, {"dtype", `"torch.bfloat16"`, ""}, {"torch_dtype", "null", ""},
		{"time_step_limit", "[0.0, Infinity]", ""}, {"time_step_max", "Infinity", ""}, {"time_step_max", `{"__float__": "Infinity"}`, ""}, {"d_inner", "160", ""},
		{"eos_token_id", "[0, 5]", ""}, {"eos_token_id", "null", ""}, {"bos_token_id", "-1", ""}, {"unknown", `{"a": [1e999, "\u0000", {"b": null}]}`, ""},
		{"expand", "16", ""}, {"hidden_act", `"swish"`, ""}, {"transformers_version", `"99.0"`, ""}, {"attn_layer_idx", "[]", ""}, {"Hidden_Size", "1", ""},
		{"quantization_config", "null", ""}, {"x", strings.Repeat("[", 500) + strings.Repeat("]", 500), ""}, {"ssm_cfg", "{}", ""}, {"n", strings.Repeat("9", 400), ""},
		{"output_hidden_states", "null", ""}, {"architectures", `["LlamaForCausalLM"]`, ""},
	} {
		list = append(list, configured(changed(configHF, c.key, c.value), base()).good(fmt.Sprintf("valid/config %s %.30s", c.key, c.value)))
	}
	list = append(list,
		configured("\ufeff"+configHF, base()).good("valid/config with a byte order mark"),
		configured(strings.ReplaceAll(configHF, "\n", "\r\n")+"\r\n\r\n", base()).good("valid/config in CRLF"),
		configured(changed(configHF, "model_type", "-"), base()).good("valid/config with architectures alone"),
		configured(configFalcon, base()).good("valid/falcon"),
		configured(changed(configFalcon, "mixer_rms_eps", "1"), base()).good("valid/falcon mixer_rms_eps 1"),
		configured(changed(changed(configHF, "tie_word_embeddings", "false"), "architectures", `["MambaForCausalLM"]`), files{"model.safetensors": untied()}).good("valid/untied"),
	)
	two := base2().good("valid/mamba2")
	limited := configured(changed(configMamba2, "time_step_limit", "[0.001, 0.1]"), base2()).good("valid/mamba2 with a time step limit")
	for _, e := range []Entry{two, limited, configured(changed(configMamba2, "chunk_size", "1"), base2()).good("valid/mamba2 chunk_size 1"),
		configured(changed(configMamba2, "time_step_limit", `[0.0, {"__float__": "Infinity"}]`), base2()).good("valid/mamba2 tagged infinity")} {
		e.Family = "mamba2"
		list = append(list, e)
	}
	return list
}

// untied is the model with a head of its own, which is the embedding's equal.
func untied() []byte {
	return packed("F32", append(Tensors("mamba"), Tensor{"lm_head.weight", []int{vocab, width}, Tensors("mamba")[0].Values}))
}

func validTorch() []Entry {
	var list []Entry
	add := func(name string, weights []byte) { list = append(list, torched(weights).good("valid/torch "+name)) }
	change := func(name string, edit func(records []record) []record) { add(name, zipOf(edit(saved()))) }
	add("plain", zipOf(saved()))
	add("zip comment", zipWith(saved(), end{comment: "hello"}))
	add("zip64 end", zipWith(saved(), end{zip64: true}))
	change("zip64 sizes", func(r []record) []record {
		for i := range r {
			r[i].zip64 = true
		}
		return r
	})
	change("deflated tensors", func(r []record) []record {
		for i := range r {
			r[i].method = 8
		}
		return r
	})
	change("deflated pickle", func(r []record) []record { r[0].method = 8; return r })
	change("no version, no byteorder", func(r []record) []record { return append(r[:1:1], r[2:len(r)-1]...) })
	change("unaligned", func(r []record) []record {
		for i := range r {
			r[i].align = 0
		}
		return r
	})
	change("records in reverse", func(r []record) []record { slices.Reverse(r); return r })
	change("more records", func(r []record) []record {
		return append(r, record{name: "m/.data/serialization_id", content: []byte("12")}, record{name: "m/.format_version", content: []byte("1")})
	})
	change("another top folder", func(r []record) []record {
		for i := range r {
			r[i].name = "ünï cödé" + r[i].name[1:]
		}
		return r
	})
	change("unused storages", func(r []record) []record { return append(r, record{name: "m/data/77", content: make([]byte, 100)}) })
	whole, storages := stateDict(Tensors("mamba"))
	repickled := func(name, pickle string) { add(name, zipOf(torchRecords(pickle, storages...))) }
	repickled("plain dict", strings.Replace(whole, call(global("collections", "OrderedDict"))+"(", "}(", 1))
	repickled("in state_dict", proto+"}"+text("state_dict")+whole[2:len(whole)-1]+"s.")
	repickled("in a trainer's dict", proto+"}("+text("epoch")+"K\x07"+text("model_state_dict")+whole[2:len(whole)-1]+text("lr")+"G\x3f\xf0\x00\x00\x00\x00\x00\x00u.")
	repickled("protocol 4", "\x80\x04\x95"+string(u64(uint64(len(whole)-2)))+whole[2:])
	repickled("with _metadata", strings.TrimSuffix(whole, ".")+"}"+text("_metadata")+call(global("collections", "OrderedDict"))+"sb.")
	float := storage("FloatStorage", "0", vocab*width)
	first := view(float, 0, []int{vocab, width}, []int{width, 1})
	repickled("a parameter", strings.Replace(whole, first, call(global("torch._utils", "_rebuild_parameter"), first, "\x88", call(global("collections", "OrderedDict"))), 1))
	repickled("on a GPU", strings.ReplaceAll(whole, text("cpu"), text("cuda:3")))
	add("legacy", legacy(Tensors("mamba")))
	transposed := Tensors("mamba")[0]
	turned := make([]float32, len(transposed.Values))
	for i := range vocab {
		for j := range width {
			turned[j*vocab+i] = transposed.Values[i*width+j]
		}
	}
	add("a transposed view", zipOf(torchRecords(strings.Replace(whole, first, view(float, 0, []int{vocab, width}, []int{1, vocab}), 1), append([][]byte{encode("F32", turned)}, storages[1:]...)...)))
	add("a part of a storage", zipOf(torchRecords(strings.Replace(whole, first, view(storage("FloatStorage", "0", vocab*width+9), 7, []int{vocab, width}, []int{width, 1}), 1),
		append([][]byte{slices.Concat(make([]byte, 28), storages[0], make([]byte, 8))}, storages[1:]...)...)))
	list = append(list, original().good("valid/original"),
		original().with("config.json", []byte(changed(configOriginal, "tie_embeddings", "false"))).good("valid/original untied, of two equal matrices"),
		original().with("config.json", []byte(changed(configOriginal, "pad_vocab_size_multiple", "16"))).good("valid/original padded to 16"),
		original().with("config.json", []byte(changed(configOriginal, "vocab_size", "9"))).good("valid/original of 9 words, padded to 16"))
	return list
}

func validGGUF() []Entry {
	var list []Entry
	add := func(name, family string, edit func(c *container)) {
		c := gguf(family)
		edit(c)
		e := inGGUF(c.bytes()).good("valid/gguf " + name).at("model.gguf")
		e.Family = family
		list = append(list, e)
	}
	add("plain", "mamba", func(*container) {})
	add("mamba2", "mamba2", func(*container) {})
	add("version 2", "mamba", func(c *container) { c.version = 2 })
	for _, n := range []int{8, 16, 64, 4096} {
		add(fmt.Sprint("alignment ", n), "mamba", func(c *container) {
			c.keys = append(c.keys, pair{"general.alignment", kindU32, u32(uint32(n))})
			c.align = n
			c.lay()
		})
	}
	add("keys of every kind", "mamba", func(c *container) {
		for i, size := range []int{1, 1, 2, 2, 4, 4, 4, 1} {
			c.keys = append(c.keys, pair{"k" + strconv.Itoa(i), uint32(i), make([]byte, size)})
		}
		c.keys = append(c.keys, pair{"empty", kindArray, array(kindString, 0, nil)}, pair{"bytes", kindString, str("\xff\x00")},
			pair{"long", kindArray, array(0, 100_000, make([]byte, 100_000))})
	})
	add("keys in reverse", "mamba", func(c *container) { slices.Reverse(c.keys) })
	add("tensors in reverse", "mamba", func(c *container) { slices.Reverse(c.list); c.lay() })
	c := gguf("mamba")
	whole := c.bytes()
	list = append(list, inGGUF(append(bytes.Clone(whole), make([]byte, 100)...)).good("valid/gguf bytes at the end"), inGGUF(whole).good("valid/gguf by its folder"))
	a, b := split()
	parts := files{"m-00001-of-00002.gguf": a.bytes(), "m-00002-of-00002.gguf": b.bytes()}
	list = append(list, parts.good("valid/gguf in two parts"), parts.good("valid/gguf by its second part").at("m-00002-of-00002.gguf"))
	return list
}
