// Package weightfile has the names of the files that hold the weights of a model in PyTorch's and Hugging Face's formats,
// in a folder or in a repository. What a file holds is not asked here: that its content shows.
package weightfile

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// The usual names.
const (
	Single      = "model.safetensors"
	Index       = "model.safetensors.index.json"
	TorchSingle = "pytorch_model.bin"
	TorchIndex  = "pytorch_model.bin.index.json"

	AdapterConfig = "adapter_config.json" // of PEFT
)

// Usual are the usual names in the order in which transformers looks for them (5.23, modeling_utils.py,
// _get_resolved_checkpoint_files). Where there are several it is the same weights, so one of them will do.
var Usual = []string{Single, Index, TorchSingle, TorchIndex}

// endings are those of files of weights, whatever their names: Lightning's are .ckpt.
var endings = []string{".safetensors", ".bin", ".pt", ".pth", ".ckpt"}

var (
	indexName = regexp.MustCompile(`\.(safetensors|bin)\.index(\.[^.]+)*\.json$`)
	shardName = regexp.MustCompile(`-\d{5}-of-\d{5}\.[a-z]+$`)
	// besides are the beginnings and parts of names of what trainers keep beside a model: adapters, the states of an
	// optimizer and of random numbers, DeepSpeed's parts of a model, mistral's files.
	besides = regexp.MustCompile(`^(adapter_|pytorch_lora|consolidated|optimizer|scheduler|scaler|rng_state|random_states|training_args|zero_pp_rank_)|optim_states|imatrix`)
)

// IsIndex reports whether name is that of an index of shards, such as "model.safetensors.index.fp16.json".
func IsIndex(name string) bool { return indexName.MatchString(name) }

// IsShard reports whether name is that of one of several shards.
func IsShard(name string) bool {
	return shardName.MatchString(name) && !strings.Contains(name, "-00001-of-00001.")
}

// Named reports whether name may be that of a file of weights, or of an index.
func Named(name string) bool {
	return IsIndex(name) || slices.Contains(endings, strings.ToLower(path.Ext(name)))
}

// Others returns those of the names in a folder that hold weights under another than the usual name, such as "last.ckpt":
// whole files and indexes, without shards and what else trainers keep there.
func Others(names []string) (found []string) {
	for _, name := range names {
		if Named(name) && !strings.Contains(name, "/") && !slices.Contains(Usual, name) && !IsShard(name) && !besides.MatchString(name) {
			found = append(found, name)
		}
	}
	return found
}
