package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/internal/find"
	"github.com/gomamba/gomamba/internal/hub"
)

// flagValues are the values that a shell offers for a flag, whichever command has it.
var flagValues = map[string][]string{
	"dtype":          dtypeValues(),
	"q-mode":         {"affine", "mxfp4", "mxfp8", "nvfp4"},
	"q-bits":         {"2", "3", "4", "5", "6", "8"},
	"q-group-size":   {"32", "64", "128"},
	"to":             strings.Split(strings.ReplaceAll(convert.Layouts(), " ", ""), ","),
	"logits":         {"all", "last", "none"},
	"precision":      {"f32", "f64"},
	"scan":           {"sequential", "parallel"},
	"print":          {"text", "ids"},
	"max-shard-size": {"1GB", "2GB", "5GB", "10GB"},
	"revision":       {hub.DefaultRevision},
	"sampler-order":  {"llama.cpp", "transformers"},
}

func dtypeValues() []string {
	values := []string{"keep"}
	for _, r := range convert.Recipes() {
		values = append(values, r.String())
	}
	return values
}

// modelArguments are how many arguments of a command, from the first, are models.
var modelArguments = map[string]int{"diff": 2, "init": 0, "demo": 0, "man": 0, "doctor": 1}

// addCompletions lists for shells what may be completed: values of flags, and the repositories of the hub's cache beside
// files where a model is expected.
func addCompletions(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		for name, values := range flagValues {
			if cmd.Flags().Lookup(name) == nil {
				continue
			}
			if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
				panic(err) // the flag is there and is registered once
			}
		}
		models, known := modelArguments[cmd.Name()]
		if !known {
			models = 1
		}
		cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) (repos []cobra.Completion, _ cobra.ShellCompDirective) {
			if len(args) < models {
				repos = cachedRepos(begun)
				if strings.HasPrefix(find.Box, begun) {
					repos = append(repos, find.Box)
				}
			}
			return repos, cobra.ShellCompDirectiveDefault
		}
	}
}

// cachedRepos returns the repositories in the hub's cache whose names begin so, and the tags of one that is named. Where files do, there are none: shells
// offer files only when there is nothing else, and files come first.
func cachedRepos(begun string) (repos []cobra.Completion) {
	client, err := hub.FromEnv()
	if err != nil || beginsFile(begun) {
		return nil // a completion has nowhere to report an error
	}
	for _, repo := range client.Repos() {
		if strings.HasPrefix(repo, begun) {
			repos = append(repos, repo)
		}
		if strings.HasPrefix(begun, repo) { // all of it, so that its tags are of interest
			for _, tag := range client.Tags(repo) {
				if whole := repo + ":" + tag; strings.HasPrefix(strings.ToLower(whole), strings.ToLower(begun)) {
					repos = append(repos, whole)
				}
			}
		}
	}
	return repos
}

// beginsFile reports whether the path of a file here begins so.
func beginsFile(begun string) bool {
	dir, name := filepath.Split(begun)
	entries, _ := os.ReadDir(filepath.Clean(dir)) // of no folder: none
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), name) })
}
