package layouts

import (
	"strings"
	"testing"
)

func TestFiles(t *testing.T) {
	for _, test := range []struct{ name, names, want string }{
		{"shards", "config.json model.safetensors.index.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors consolidated.safetensors pytorch_model.bin",
			"config.json model.safetensors.index.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors"},
		{"original", "config.json pytorch_model.bin README.md", "config.json pytorch_model.bin"},
		{"mistral", "params.json consolidated.safetensors tokenizer.model.v3", "params.json tokenizer.model.v3 consolidated.safetensors"},
		{"a checkpoint", "config.json last.ckpt optimizer.pt README.md", "config.json last.ckpt"},
		{"a variant", "config.json model.fp16.safetensors", "config.json model.fp16.safetensors"},
		{"shards of a variant", "config.json model.safetensors.index.fp16.json model.fp16-00001-of-00002.safetensors model.fp16-00002-of-00002.safetensors",
			"config.json model.safetensors.index.fp16.json model.fp16-00001-of-00002.safetensors model.fp16-00002-of-00002.safetensors"},
		{"several checkpoints", "config.json a.ckpt b.ckpt",
			`error: 2 files of weights in the repository, and none has the usual name: "a.ckpt", "b.ckpt"; download the one to use with config.json, and open that`},
		{"a gguf beside one", "config.json mamba.gguf last.ckpt", "mamba.gguf"},
		{"an adapter beside the weights", "adapter_config.json adapter_model.safetensors config.json model.safetensors", "config.json adapter_config.json adapter_model.safetensors model.safetensors"},
		{"an adapter alone", "adapter_config.json adapter_model.safetensors README.md", "adapter_config.json adapter_model.safetensors"},
		{"one gguf", "README.md mamba.gguf", "mamba.gguf"},
		{"split gguf", "m-00001-of-00002.gguf m-00002-of-00002.gguf", "m-00001-of-00002.gguf m-00002-of-00002.gguf"},
		{"several gguf", "a.gguf b.gguf", "error: 2 GGUF files in the repository: choose one by its tag, as in OWNER/NAME:a.gguf; there are a.gguf, b.gguf"},
		{"several tags", "m-q6_k.gguf m-q5_k_m.gguf", "error: 2 GGUF files in the repository: choose one by its tag, as in OWNER/NAME:Q5_K_M; there are Q5_K_M, Q6_K"},
		{"the usual one of several tags", "m.Q8_0.gguf m.Q4_K_M.gguf m.F16.gguf mmproj-m-Q4_K_M.gguf", "m.Q4_K_M.gguf"},
		{"a projector alone", "mmproj-a.gguf", `error: no model among the GGUF files of the repository: found "mmproj-a.gguf"`},
		{"of Megatron", "README.md latest_checkpointed_iteration.txt release/mp_rank_00/model_optim_rng.pt spiece.model",
			"latest_checkpointed_iteration.txt release/mp_rank_00/model_optim_rng.pt spiece.model"},
		{"the last of Megatron", "iter_0000010/mp_rank_00/model_optim_rng.pt iter_0000020/mp_rank_00/model_optim_rng.pt iter_0000020/mp_rank_01/model_optim_rng.pt",
			"iter_0000020/mp_rank_00/model_optim_rng.pt iter_0000020/mp_rank_01/model_optim_rng.pt"},
		{"dataset", "data.parquet", `error: no checkpoint in the repository: expected config.json with weights, or a GGUF file, found "data.parquet"`},
	} {
		got, err := Files(strings.Fields(test.names))
		text := strings.Join(got, " ")
		if err != nil {
			text = "error: " + err.Error()
		}
		if text != test.want {
			t.Errorf("%s: %s\nexpected %s", test.name, text, test.want)
		}
	}
}
