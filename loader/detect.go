package loader

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/files"
)

// layout is one way to store a checkpoint.
type layout struct {
	name  string
	match func(dir string) bool
	open  func(dir string) (config.Config, *weights, error)
}

// layouts are tried in this order; the first that matches opens the folder and reports its own errors.
var layouts = []layout{
	layoutOriginal,
	layoutMistral,
	{"hf", matchHF, openHF},
	layoutGGUF,
}

var layoutOriginal = layout{"original", matchOriginal, openOriginal}

var layoutMistral = layout{"mistral", matchMistral, openMistral}

var layoutGGUF = layout{"gguf", matchGGUF, openGGUF}

// detect finds the checkpoint folder that path means and its layout.
func detect(path string) (dir string, l layout, err error) {
	dir = path
	info, err := files.Stat(path)
	if err != nil {
		return "", layout{}, err // names the operation and the path
	}
	if !info.IsDir() && (strings.EqualFold(filepath.Ext(path), ".gguf") || info.Mode().IsRegular() && startsGGUF(path)) {
		return path, layoutGGUF, nil
	}
	if !info.IsDir() {
		if dir, err = folderOf(path); err != nil {
			return "", layout{}, err
		}
		if name := filepath.Base(path); name == fileParams || name == fileConsolidated {
			if params, _ := mistralFolder(dir); params != "" {
				return dir, layoutMistral, nil // asked for by name, whatever else the folder holds
			}
		}
	}
	for _, l := range layouts {
		if l.match(dir) {
			return dir, l, nil
		}
	}
	return "", layout{}, noMatch(dir)
}

// startsGGUF tells a GGUF file by its first bytes: programs that keep models by their hash give them no ending.
func startsGGUF(path string) bool {
	f, err := files.Open(path)
	if err != nil {
		return false // whatever comes next says so
	}
	defer f.Close()
	var magic [4]byte
	_, err = io.ReadFull(f, magic[:])
	return err == nil && string(magic[:]) == "GGUF"
}

// folderOf accepts a file that stands for the folder it is in.
func folderOf(path string) (dir string, err error) {
	dir, name := filepath.Dir(path), filepath.Base(path)
	if slices.Contains([]string{fileConfig, fileWeights, fileIndex, fileTorch, fileTorchIndex, fileParams, fileConsolidated}, name) {
		return dir, nil
	}
	detail := "found a file, expected a checkpoint's folder, or its " + fileConfig + " or " + fileWeights
	switch {
	case strings.HasSuffix(name, ".bin"), strings.HasSuffix(name, ".pt"), strings.HasSuffix(name, ".pth"):
		detail = "found a PyTorch file, expected it under the name " + fileTorch + " beside its " + fileConfig
	case strings.HasSuffix(name, ".safetensors") && exists(filepath.Join(dir, fileIndex)):
		detail = "found one shard of a checkpoint; give the folder it is in"
	}
	return "", &badfile.UnsupportedError{File: path, Detail: detail}
}

const wanted = "use a Hugging Face folder with " + fileConfig + " and " + fileWeights + " (or shards with their index)"

// exists reports whether dir holds something of that name, a dangling link included: a link of the Hugging Face cache
// whose blob is gone is a broken checkpoint and not another layout.
func exists(path string) bool {
	_, err := files.Lstat(path)
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}

// foreignLayouts are recognised to say what would work instead. A pattern is as in filepath.Match.
var foreignLayouts = []struct{ pattern, what, instead string }{
	{
		ggufPattern, "one of several GGUF files",
		"give the file itself",
	},
	{
		fileParams, "mistral's layout without its weights",
		"download " + fileConsolidated + " into the same folder",
	},
	{
		"pytorch_model*.bin*", "PyTorch weights without " + fileConfig + ", which holds the model's sizes",
		"download it into the same folder",
	},
	{
		fileConsolidated, "mistral's layout without " + fileParams + ", which holds the model's sizes",
		"download it into the same folder",
	},
	{
		"consolidated*", "a consolidated checkpoint of another model",
		"use a transformers version of the checkpoint",
	},
	{"*.nemo", "a NeMo archive", "export it with NeMo's own converter to Hugging Face"},
	{"mp_rank_*", "a Megatron checkpoint", "export it with Megatron's own converter to Hugging Face"},
	{"*.distcp", "a PyTorch distributed checkpoint", "merge it with torch.distributed.checkpoint.format_utils and save it with save_pretrained"},
	{"adapter_model.*", "an adapter (PEFT) without its base model", "merge it into the base model with merge_and_unload and save that"},
}

// noMatch says what a folder that is no checkpoint of a known layout holds, and what would work.
func noMatch(dir string) error {
	found, err := list(dir)
	if err != nil {
		return err
	}
	first := func(pattern string) string {
		for _, name := range found {
			if ok, _ := filepath.Match(pattern, name); ok {
				return name
			}
		}
		return ""
	}
	for _, f := range foreignLayouts {
		if name := first(f.pattern); name != "" {
			return &badfile.UnsupportedError{File: dir, Detail: "found " + badfile.Quote(name) + ": " + f.what + "; " + f.instead}
		}
	}
	detail := "found no checkpoint but " + some(found) + "; " + wanted
	switch shard := first("model-*-of-*.safetensors"); {
	case len(found) == 0:
		detail = "found an empty folder; " + wanted
	case first(fileWeights) != "" || first(fileIndex) != "":
		detail = "found weights without " + fileConfig + ", which holds the model's sizes; download it into the same folder"
	case shard != "":
		detail = "found the shard " + badfile.Quote(shard) + " without " + fileIndex + "; download it into the same folder"
	case first(fileConfig) != "":
		detail = "found " + fileConfig + " without weights; download " + fileWeights + " (or its shards and " + fileIndex + ") into the same folder"
	}
	return &badfile.FormatError{File: dir, Detail: detail}
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

// maxNamed is how many names a message lists.
const maxNamed = 3

// some lists the first few names for a message: `"a", "b", "c" and 5 more`.
func some(names []string) string {
	quoted := make([]string, 0, maxNamed)
	for _, name := range names[:min(len(names), maxNamed)] {
		quoted = append(quoted, badfile.Quote(name))
	}
	text := strings.Join(quoted, ", ")
	if rest := len(names) - len(quoted); rest > 0 {
		return fmt.Sprintf("%s and %d more", text, rest)
	}
	return text
}
