package filenames

import (
	"path"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/lazy"
)

// The usual names of weights in the formats of PyTorch and Hugging Face. What a file holds is not asked here: its content
// shows that.
const (
	ModelFile  = "model.safetensors"
	ModelIndex = "model.safetensors.index.json"
	TorchFile  = "pytorch_model.bin"
	TorchIndex = "pytorch_model.bin.index.json"

	Consolidated = "consolidated.safetensors" // of mistral's layout
)

// UsualWeights are the usual names in the order in which transformers looks for them (5.24, modeling_utils.py,
// _get_resolved_checkpoint_files). If there are several they hold the same weights, so one of them will do.
var UsualWeights = slices.Concat(UsualSafetensors, UsualPickles)

// The usual names by their format.
var (
	UsualSafetensors = []string{ModelFile, ModelIndex}
	UsualPickles     = []string{TorchFile, TorchIndex}
)

// endings are those of files of weights, whatever their names: Lightning's are .ckpt.
var endings = []string{".safetensors", ".bin", ".pt", ".pth", ".ckpt"}

var (
	indexName = lazy.Regexp(`\.(safetensors|bin)\.index(\.[^.]+)*\.json$`)
	shardName = lazy.Regexp(`-\d{5}-of-\d{5}\.[a-z]+$`)
	// besides are the beginnings and parts of names of what trainers keep beside a model: adapters, the states of an
	// optimizer and of random numbers, DeepSpeed's parts of a model, mistral's files.
	besides = lazy.Regexp(`^(adapter_|pytorch_lora|consolidated|optimizer|scheduler|scaler|rng_state|random_states|training_args|zero_pp_rank_)|optim_states|imatrix`)
)

// IsIndex reports whether name is that of an index of shards, such as "model.safetensors.index.fp16.json".
func IsIndex(name string) bool { return indexName().MatchString(name) }

// MaxShards is how many files a checkpoint may be divided into; published models have dozens at most.
const MaxShards = 10_000

// IsShard reports whether name is that of one of several shards.
func IsShard(name string) bool {
	return shardName().MatchString(name) && !strings.Contains(name, "-00001-of-00001.")
}

// MaybeWeights reports whether name may be that of a file of weights, or of an index.
func MaybeWeights(name string) bool {
	return IsIndex(name) || slices.Contains(endings, strings.ToLower(path.Ext(name)))
}

// OtherWeights returns those of the names in a folder that hold weights under another than the usual name, such as "last.ckpt":
// whole files and indexes, without shards and what else trainers keep there.
func OtherWeights(names []string) (found []string) {
	for _, name := range names {
		if MaybeWeights(name) && !strings.Contains(name, "/") && !slices.Contains(UsualWeights, name) && !IsShard(name) && !besides().MatchString(name) {
			found = append(found, name)
		}
	}
	return found
}
