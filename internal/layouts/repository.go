package layouts

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
)

// beside are the files of a repository that every layout needs beside its configuration: how to generate, what the
// configuration does not say, and an adapter's configuration.
var beside = []string{filenames.Generation, filenames.Whole, filenames.AdapterConfig}

// tokenizer are the files that turn text into ids and back, and templates of conversations.
var tokenizer = append(slices.Clone(filenames.Tokenizer), filenames.Templates+"/*.jinja")

// adapter are the files that may hold an adapter's tensors, the best first.
var adapter = []string{filenames.AdapterModel, filenames.AdapterTorch}

// Files selects from the names of a repository's files those that it takes to run or convert its model, with an adapter that lies
// beside it. An adapter may also be without its base model, which its configuration names.
func Files(names []string) ([]string, error) {
	configs, weights := folders()
	chosen := present(names, configs)
	if found := present(names, adapter); len(found) > 0 && slices.Contains(chosen, filenames.AdapterConfig) {
		chosen = append(chosen, found[0])
	}
	if len(chosen) > 0 {
		if found := present(names, weights); len(found) > 0 {
			return withWeights(chosen, names, found[0]), nil
		}
	}
	for _, l := range All {
		if l.Repo.Choose == nil {
			continue
		}
		if found, err := l.Repo.Choose(names); err != nil || len(found) > 0 {
			return found, err
		}
	}
	others := filenames.OtherWeights(names)
	switch {
	case len(others) == 1 && slices.Contains(chosen, filenames.Config):
		return withWeights(chosen, names, others[0]), nil
	case len(others) > 1:
		return nil, fmt.Errorf("%d files of weights in the repository, and none has the usual name: %s; download the one to use with config.json, and open that",
			len(others), badfile.QuoteList(others))
	case slices.Contains(chosen, filenames.AdapterConfig):
		return chosen, nil
	}
	return nil, fmt.Errorf("no checkpoint in the repository: expected config.json with weights, or a GGUF file, found %s",
		cmp.Or(badfile.QuoteList(names), "nothing"))
}

// folders returns the names of configurations and of weights, the best first, of all layouts. If a repository has several
// files of weights they hold the same ones, so one of them will do. Safetensors come first: they need no pickle.
func folders() (configs, weights []string) {
	var pickles []string
	for _, l := range All {
		configs, weights, pickles = append(configs, l.Repo.Configs...), append(weights, l.Repo.Weights...), append(pickles, l.Repo.Pickles...)
	}
	return append(configs, beside...), append(weights, pickles...)
}

// withWeights adds to the chosen files the tokenizer and the weights: a file, or an index with its shards.
func withWeights(chosen, names []string, weights string) []string {
	chosen = append(append(chosen, present(names, tokenizer)...), weights)
	if !filenames.IsIndex(weights) {
		return chosen
	}
	stem, ending, _ := strings.Cut(weights, ".")
	ending, variant, _ := strings.Cut(strings.TrimSuffix(ending, ".json"), ".index")
	return append(chosen, present(names, []string{stem + variant + "-*-of-*." + ending})...)
}

// present returns those of names that match what is wanted, a list of names and patterns of path.Match, in the order of that.
func present(names, wanted []string) (found []string) {
	for _, pattern := range wanted {
		for _, name := range names {
			if ok, err := path.Match(pattern, name); ok && err == nil && !slices.Contains(found, name) {
				found = append(found, name)
			}
		}
	}
	return found
}
