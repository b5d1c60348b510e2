package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

func isGGUF(f File) bool { return path.Ext(f.Path) == ".gguf" }

// The small files that belong to a model: its configuration, that of an adapter, and what turns text into ids and back.
var (
	configFiles    = append(slices.Clone(filenames.Configs), filenames.AdapterConfig)
	tokenizerFiles = append(slices.Clone(filenames.Tokenizer), filenames.Templates+"/*.jinja")
)

// weightFiles are the files that may hold the weights or list their shards, the best first: the usual ones, and mistral's.
// Where there are several it is the same weights, so one of them will do. Tensors in safetensors are preferred: they need
// no pickle.
var weightFiles = slices.Insert(slices.Clone(filenames.UsualWeights), 2, filenames.Consolidated)

// adapterWeights are the files that may hold an adapter's tensors, the best first.
var adapterWeights = []string{filenames.AdapterModel, filenames.AdapterTorch}

// ModelFiles selects what it takes to run or convert a model, with an adapter that lies beside it. An adapter may also be without
// its base model, which its configuration names.
func ModelFiles(names []string) ([]string, error) {
	chosen := present(names, configFiles)
	if slices.Contains(chosen, filenames.AdapterConfig) {
		if weights := present(names, adapterWeights); len(weights) > 0 {
			chosen = append(chosen, weights[0])
		}
	}
	if len(chosen) > 0 {
		if weights := present(names, weightFiles); len(weights) > 0 {
			return withShards(chosen, names, weights[0]), nil
		}
	}
	found, err := ggufFiles(names)
	if err == nil || slices.ContainsFunc(names, func(name string) bool { return path.Ext(name) == ".gguf" }) {
		return found, err
	}
	others := filenames.OtherWeights(names)
	switch {
	case len(others) == 1 && slices.Contains(chosen, filenames.Config):
		return withShards(chosen, names, others[0]), nil
	case len(others) > 1:
		return nil, fmt.Errorf("%d files of weights in the repository, and none has the usual name: %s; download the one to use with config.json, and open that",
			len(others), some(others))
	case slices.Contains(chosen, filenames.AdapterConfig):
		return chosen, nil
	}
	return nil, err
}

// withShards adds to the chosen files the tokenizer and the weights: a file, or an index with its shards.
func withShards(chosen, names []string, weights string) []string {
	chosen = append(append(chosen, present(names, tokenizerFiles)...), weights)
	if !filenames.IsIndex(weights) {
		return chosen
	}
	stem, ending, _ := strings.Cut(weights, ".")
	ending, variant, _ := strings.Cut(strings.TrimSuffix(ending, ".json"), ".index")
	for _, name := range names {
		if ok, err := path.Match(stem+variant+"-*-of-*."+ending, name); ok && err == nil {
			chosen = append(chosen, name)
		}
	}
	return chosen
}

// present returns those of names that match what is wanted, in the order of that.
func present(names, wanted []string) (found []string) {
	for _, pattern := range wanted {
		for _, name := range names {
			if ok, err := path.Match(pattern, name); ok && err == nil {
				found = append(found, name)
			}
		}
	}
	return found
}

// ggufFiles selects the GGUF file of a repository, or all parts of it: the only one, or the one that llama.cpp would choose by
// a tag.
func ggufFiles(names []string) (found []string, err error) {
	for _, name := range names {
		if path.Ext(name) == ".gguf" {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	if len(found) == 0 {
		return nil, fmt.Errorf("no checkpoint in the repository: expected config.json with weights, or a GGUF file, found %s", some(names))
	}
	models := ggufModels(found)
	switch {
	case len(models) == 1:
		return models[0].whole()
	case len(models) == 0:
		return nil, fmt.Errorf("no model among the GGUF files of the repository: found %s", some(found))
	}
	for _, tag := range defaultTags {
		if len(matching(models, tag)) == 1 {
			return tagged(models, tag, found)
		}
	}
	tags := Tags(found)
	return nil, fmt.Errorf("%d GGUF files in the repository: choose one by its tag, as in OWNER/NAME:%s; there are %s",
		len(models), tags[0], strings.Join(tags, ", "))
}

// missingShards returns the shards that an index among files names and that are not there. It is asked where no listing
// tells what the repository holds.
func missingShards(s *snapshot, files []File) (missing []string) {
	for _, f := range files {
		if !strings.HasSuffix(f.Path, ".index.json") {
			continue
		}
		data, err := jsonobj.ReadFile(s.path(f.Path), maxAnswer)
		if err != nil {
			continue // opening the checkpoint will tell
		}
		var index struct {
			WeightMap map[string]string `json:"weight_map"`
		}
		if json.Unmarshal(data, &index) != nil {
			continue
		}
		for _, shard := range index.WeightMap {
			name := path.Join(path.Dir(f.Path), shard)
			if checkPath(name) != nil || slices.Contains(missing, name) {
				continue
			}
			if _, err := os.Stat(s.path(name)); errors.Is(err, fs.ErrNotExist) {
				missing = append(missing, name)
			}
		}
	}
	slices.Sort(missing)
	return missing
}
