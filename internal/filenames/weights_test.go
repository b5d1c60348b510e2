package filenames

import (
	"slices"
	"testing"
)

func TestOtherWeights(t *testing.T) {
	others := []string{
		"last.ckpt", "epoch=3-step=100.ckpt", "model.pth", "checkpoint.pt", "model.fp16.safetensors", "pytorch_model.fp16.bin",
		"mp_rank_00_model_states.pt", "model.safetensors.index.fp16.json", "model-00001-of-00001.safetensors",
	}
	beside := []string{
		"config.json", "model.safetensors", "pytorch_model.bin", "model.safetensors.index.json", "pytorch_model.bin.index.json",
		"model-00001-of-00002.safetensors", "model.fp16-00002-of-00002.safetensors", "optimizer.pt", "optimizer.bin", "scheduler.pt", "scaler.pt",
		"rng_state.pth", "rng_state_0.pth", "training_args.bin", "adapter_model.safetensors", "adapter_model.bin", "consolidated.safetensors",
		"zero_pp_rank_0_mp_rank_00_optim_states.pt", "zero_pp_rank_0_mp_rank_00_model_states.pt", "bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt",
		"x.gguf", "tokenizer.model", "sub/last.ckpt", "README.md", "",
	}
	if got := OtherWeights(slices.Concat(others, beside)); !slices.Equal(got, others) {
		t.Errorf("found %q, want %q", got, others)
	}
}
