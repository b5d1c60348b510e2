package layout

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/impostor"
	"github.com/gomamba/gomamba/internal/sharded"
)

// SourceOf accepts a file that stands for the folder it is in, or that holds its weights.
func SourceOf(path string) (Source, error) {
	src, name := Source{Dir: filepath.Dir(path)}, filepath.Base(path)
	_, known := format(path)
	switch {
	case name == filenames.Config, name == filenames.Params:
		return src, nil
	case sharded.IsPart(name) && sharded.Is(src.Dir):
		return SourceIn(src.Dir), nil
	case filenames.IsShard(name) && len(indexesIn(src.Dir)) > 0:
		return src, &badfile.UnsupportedError{File: path, Detail: "found one shard of a checkpoint; give the folder it is in"}
	case known, filenames.MaybeWeights(name):
		src.File = name
		return src, nil
	}
	return src, &badfile.UnsupportedError{File: path, Detail: "found a file, expected a checkpoint's folder, or its " + filenames.Config + " or a file of weights"}
}

// SourceIn returns the source that a folder stands for: itself, or if all it has is what a trainer spread over several files, one
// of the two folders above it that has the configuration.
func SourceIn(dir string) Source {
	src := Source{Dir: dir}
	if Exists(filepath.Join(dir, filenames.Config)) {
		return src
	}
	inside, err := sharded.In(dir)
	if inside == "" || err != nil {
		return src
	}
	for range 2 {
		if base := filepath.Base(dir); base == "." || base == ".." {
			if dir, err = filepath.Abs(dir); err != nil {
				return src
			}
		}
		inside, dir = filepath.Join(filepath.Base(dir), inside), filepath.Dir(dir)
		if Exists(filepath.Join(dir, filenames.Config)) {
			return Source{Dir: dir, File: inside}
		}
	}
	return src
}

// indexesIn lists the indexes of shards in a folder.
func indexesIn(dir string) []string {
	found, err := list(dir)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(found, func(name string) bool { return !filenames.IsIndex(name) })
}

const wanted = "use a Hugging Face folder with " + filenames.Config + " and " + filenames.ModelFile + " (or shards with their index)"

// Exists reports whether dir holds something of that name, a dangling link included: a link of the Hugging Face cache
// whose blob is gone is a broken checkpoint and not another layout.
func Exists(path string) bool {
	_, err := files.Lstat(path)
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}

// foreignLayouts are recognised to say what would work instead. A pattern is as in filepath.Match.
var foreignLayouts = []struct{ pattern, what, instead string }{
	{
		"*.gguf", "one of several GGUF files",
		"give the file itself",
	},
	{
		filenames.Params, "mistral's layout without its weights",
		"download " + filenames.Consolidated + " into the same folder",
	},
	{
		filenames.Consolidated, "mistral's layout without " + filenames.Params + ", which holds the model's sizes",
		"download it into the same folder",
	},
	{
		"consolidated*", "a consolidated checkpoint of another model",
		"use a transformers version of the checkpoint",
	},
	{"*.nemo", "a NeMo archive", "export it with NeMo's own converter to Hugging Face"},
	{"mp_rank_*", "a Megatron checkpoint", "export it with Megatron's own converter to Hugging Face"},
}

// NoMatch says what a folder that is not a checkpoint of a known layout holds, or the file in it that was asked for, and what
// would work.
func NoMatch(src Source) error {
	dir, found := src.Dir, []string{src.File}
	if src.File == "" {
		var err error
		if found, err = list(dir); err != nil {
			return err
		}
	}
	first := func(pattern string) string {
		for _, name := range found {
			if ok, _ := filepath.Match(pattern, name); ok {
				return name
			}
		}
		return ""
	}
	if err := adapterAlone(dir, found); err != nil {
		return err
	}
	if inside, err := sharded.In(dir); src.File == "" && (inside != "" || err != nil) {
		return cmp.Or(err, error(&badfile.UnsupportedError{File: filepath.Join(dir, inside), Detail: "found a checkpoint that a trainer spread over several files, without " +
			filenames.Config + ", which holds the model's sizes; put that of the model into this folder or the one above"}))
	}
	for _, f := range foreignLayouts {
		if name := first(f.pattern); name != "" {
			return &badfile.UnsupportedError{File: dir, Detail: "found " + badfile.Quote(name) + ": " + f.what + "; " + f.instead}
		}
	}
	detail := "found no checkpoint but " + badfile.QuoteList(found) + "; " + wanted
	weights := src.File
	if weights == "" {
		weights = cmp.Or(slices.Concat(present(filenames.UsualWeights, found), OtherWeights(dir), []string{""})...)
	}
	if weights != "" {
		if err := damaged(filepath.Join(dir, weights)); err != nil {
			return err
		}
	}
	switch shard := first("model-*-of-*.safetensors"); {
	case len(found) == 0:
		detail = "found an empty folder; " + wanted
	case weights != "" && first(filenames.Config) == "":
		detail = "found " + badfile.Quote(weights) + ": weights without " + filenames.Config + ", which holds the model's sizes; download it into the same folder"
	case shard != "":
		detail = "found the shard " + badfile.Quote(shard) + " without " + filenames.ModelIndex + "; download it into the same folder"
	case first(filenames.Config) != "":
		detail = "found " + filenames.Config + " without weights; download " + filenames.ModelFile + " (or its shards and " + filenames.ModelIndex + ") into the same folder"
	}
	return &badfile.FormatError{File: dir, Detail: detail}
}

// damaged returns the error of a file that is not one of weights, or is so no longer; nil of others.
func damaged(path string) error {
	if what := impostor.Older(path); what != "" {
		return &badfile.FormatError{File: path, Detail: what}
	}
	if filenames.IsIndex(path) {
		return nil
	}
	f, err := OpenFile(path)
	if err == nil {
		return f.Close()
	}
	if bad, ok := errors.AsType[*badfile.FormatError](err); ok {
		return bad
	}
	return nil // the file may be fine
}

// present returns those of the names that were found.
func present(names, found []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !slices.Contains(found, name) })
}

// maxListed bounds how much of a folder is looked at for a message.
const maxListed = 4096

// list returns the names in a folder, sorted.
func list(dir string) (found []string, err error) {
	found, err = files.Names(dir, maxListed)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	return found, nil
}
