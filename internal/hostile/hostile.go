// Package hostile makes checkpoints as a stranger might hand them out: damaged, contradictory, malicious, or merely odd.
// It shares no code with the readers that are tested with it. A malicious pickle tries to create the file Canary in the
// working directory and does nothing else.
package hostile

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Canary is what a pickle creates when its code runs.
const Canary = "canary-was-here"

// Entry is one checkpoint.
type Entry struct {
	Name   string                 // family, slash, what is odd about it
	Build  func(dir string) error // writes it into an empty folder
	Path   string                 // of MODEL below that folder; empty: the folder
	Valid  bool                   // must load and hold Tensors; else it must be refused
	Want   string                 // part of the message, where that matters most
	Family string                 // of Valid ones: what Tensors takes; empty: mamba
	Deep   bool                   // what is wrong shows only where the weights are read

	files files // that Build writes, if it writes nothing else
}

// Corpus returns all entries. Their names differ.
func Corpus() []Entry {
	return slices.Concat(
		safetensorsEntries(), indexEntries(),
		configEntries(), originalEntries(), mistralEntries(),
		zipEntries(), pickleEntries(), evilEntries(), legacyEntries(),
		ggufEntries(), ggufBlockEntries(), ggufSplitEntries(), objectEntries(), hubEntries(), hybridEntries(), familyEntries(), ggufHybridEntries(),
		schemeEntries(), validEntries(),
	)
}

// files are contents by name.
type files map[string][]byte

// with returns a copy in which one file is another; nil leaves it out.
func (f files) with(name string, content []byte) files {
	g := maps.Clone(f)
	if g[name] = content; content == nil {
		delete(g, name)
	}
	return g
}

// entry makes an entry of files alone.
func (f files) entry(name string) Entry {
	return Entry{Name: name, Build: f.write, files: f}
}

// bad makes an entry that must be refused with a message that holds want.
func (f files) bad(name, want string) Entry {
	e := f.entry(name)
	e.Want = want
	return e
}

// good makes an entry that must load.
func (f files) good(name string) Entry {
	e := f.entry(name)
	e.Valid = true
	return e
}

// at makes MODEL a file in the folder.
func (e Entry) at(path string) Entry {
	e.Path = path
	return e
}

// then does something to the folder after its files are written.
func (e Entry) then(more func(dir string) error) Entry {
	first := e.Build
	e.Build = func(dir string) error {
		if err := first(dir); err != nil {
			return err
		}
		return more(dir)
	}
	return e
}

// late makes an entry whose files are large and made only when they are needed.
func late(name, want string, f func() files) Entry {
	return Entry{Name: name, Want: want, Build: func(dir string) error { return f().write(dir) }}
}

func (f files) write(dir string) error {
	for name, content := range f {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// cuts makes an entry for every prefix of a file that ends at one of the given offsets.
func cuts(family, name string, whole files, offsets []int) []Entry {
	var list []Entry
	content := whole[name]
	for _, at := range slices.Compact(slices.Sorted(slices.Values(offsets))) {
		if at < 0 || at >= len(content) {
			continue
		}
		list = append(list, whole.with(name, content[:at:at]).entry(fmt.Sprintf("%s/cut at %d of %d", family, at, len(content))))
	}
	return list
}

// maxSeed bounds a seed: a fuzzer does nothing with large ones.
const maxSeed = 1 << 14

// Seeds returns the files of the corpus whose names end in one of the given ways, such as ".gguf", for use as inputs of a
// fuzz target.
func Seeds(endings ...string) [][]byte {
	var seeds [][]byte
	seen := make(map[string]bool)
	for _, e := range Corpus() {
		for name, content := range e.files {
			ends := func(ending string) bool { return strings.HasSuffix(name, ending) }
			if len(content) <= maxSeed && !seen[string(content)] && slices.ContainsFunc(endings, ends) {
				seen[string(content)] = true
				seeds = append(seeds, content)
			}
		}
	}
	return seeds
}
