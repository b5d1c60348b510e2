// Package tags chooses one GGUF file among many by a tag, after llama.cpp (common/download.cpp, find_best_model):
// OWNER/NAME:Q4_K_M is the file whose name has Q4_K_M, whatever its case. Ollama knows the same tags, and whole names of files.
package tags

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/lazy"
)

// Latest is the tag that stands for the default choice.
const Latest = "latest"

// defaultTags are chosen without a tag, the best first.
var defaultTags = []string{"Q4_K_M", "Q8_0"}

var (
	valid       = lazy.Regexp(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
	ownTag      = lazy.Regexp(`[-.]([A-Za-z0-9_]+)$`)
	quantizedAs = lazy.Regexp(`^(?:I?Q[0-9]|TQ[0-9]|MXFP4|NVFP4|B?F16$|F32$|FP16$|FP32$)`)
	partName    = lazy.Regexp(`-([0-9]{5})-of-([0-9]{5})$`)
)

// Valid reports whether text can be a tag.
func Valid(text string) bool { return valid().MatchString(text) }

// notModels are in the names of GGUF files that are parts of a model or notes about one.
var notModels = []string{"mmproj", "imatrix", "mtp-", "eagle3-", "dflash-", "dspark-"}

// model is a GGUF file of a repository, or one that was split.
type model struct {
	stem  string   // its path without .gguf, and without the number of a part
	parts []string // paths, in order
	count int      // how many there should be
}

// modelsIn lists the models among the files of a repository, in the order of their names.
func modelsIn(names []string) (models []model) {
	names = slices.Sorted(slices.Values(names))
	for _, name := range names {
		stem, ok := strings.CutSuffix(name, ".gguf")
		if !ok || slices.ContainsFunc(notModels, func(part string) bool { return strings.Contains(path.Base(name), part) }) {
			continue
		}
		m := model{stem: stem, count: 1}
		if part := partName().FindStringSubmatch(stem); part != nil {
			m.stem = strings.TrimSuffix(stem, part[0])
			fmt.Sscanf(part[2], "%d", &m.count)
		}
		i := slices.IndexFunc(models, func(other model) bool { return other.stem == m.stem && other.count == m.count })
		if i < 0 {
			i = len(models)
			models = append(models, m)
		}
		models[i].parts = append(models[i].parts, name)
	}
	return models
}

// tag is what a model's name ends in, such as Q4_K_M; empty if that is not how it is quantized.
func (m model) tag() string {
	if found := ownTag().FindStringSubmatch(m.stem); found != nil && quantizedAs().MatchString(strings.ToUpper(found[1])) {
		return strings.ToUpper(found[1])
	}
	return ""
}

// has reports how a model's name has a tag: 3 it is the name of the file, or the tag at its end, 2 it is a word within, 1
// llama.cpp takes it for one, 0 it does not have it.
func (m model) has(tag string) int {
	stem, tag := strings.ToLower(m.stem), strings.ToLower(tag)
	if name, ok := strings.CutSuffix(tag, ".gguf"); ok {
		if name == stem || name == path.Base(stem) {
			return 3
		}
		return 0
	}
	if found := ownTag().FindStringSubmatch(stem); found != nil && found[1] == tag {
		return 3
	}
	best := 0
	for text, at := stem+".", 0; ; {
		i := strings.Index(text[at:], tag)
		if i < 0 {
			return best
		}
		at += i
		before, after := at == 0 || strings.IndexByte("-./", text[at-1]) >= 0, text[min(at+len(tag), len(text)-1)]
		switch {
		case before && strings.IndexByte("-./", after) >= 0:
			return 2
		case strings.IndexByte("-.", after) >= 0:
			best = 1
		}
		at++
	}
}

// Of lists the tags by which the GGUF files of a repository are chosen: how they are quantized, or the name of a file.
func Of(names []string) (tags []string) {
	models := modelsIn(names)
	for _, m := range models {
		tag := m.tag()
		if tag == "" || slices.ContainsFunc(models, func(other model) bool { return other.stem != m.stem && other.tag() == tag }) {
			tag = path.Base(m.stem) + ".gguf"
		}
		if !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	return tags
}

// Choose returns what selects the GGUF file of a tag, or all parts of it. Latest is a Q4_K_M, else a Q8_0, else the first file.
func Choose(tag string) func(names []string) ([]string, error) {
	return func(names []string) ([]string, error) {
		models := modelsIn(names)
		if len(models) == 0 {
			return nil, fmt.Errorf("the tag %s chooses a GGUF file, and the repository does not have one: it holds %s", badfile.Quote(tag), cmp.Or(badfile.QuoteList(names), "nothing"))
		}
		if !strings.EqualFold(tag, Latest) {
			return tagged(models, tag, names)
		}
		for _, tag := range defaultTags {
			if len(matching(models, tag)) > 0 {
				return tagged(models, tag, names)
			}
		}
		return models[0].whole()
	}
}

// Default selects the GGUF file of a repository, or all parts of it: the only one, or the one that llama.cpp would choose by a
// tag. It selects none if there is none.
func Default(names []string) (found []string, err error) {
	for _, name := range names {
		if path.Ext(name) == ".gguf" {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	if len(found) == 0 {
		return nil, nil
	}
	all := modelsIn(found)
	switch {
	case len(all) == 1:
		return all[0].whole()
	case len(all) == 0:
		return nil, fmt.Errorf("no model among the GGUF files of the repository: found %s", badfile.QuoteList(found))
	}
	for _, tag := range defaultTags {
		if len(matching(all, tag)) == 1 {
			return tagged(all, tag, found)
		}
	}
	tags := Of(found)
	return nil, fmt.Errorf("%d GGUF files in the repository: choose one by its tag, as in OWNER/NAME:%s; there are %s",
		len(all), tags[0], strings.Join(tags, ", "))
}

// matching returns the models that have a tag, as well as any has it.
func matching(models []model, tag string) (found []model) {
	best := 1
	for _, m := range models {
		how := m.has(tag)
		if how > best {
			found, best = nil, how
		}
		if how == best {
			found = append(found, m)
		}
	}
	return found
}

// tagged returns the files of the one model that has a tag.
func tagged(models []model, tag string, names []string) ([]string, error) {
	found := matching(models, tag)
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("no GGUF file of the repository has the tag %s: choose one of %s", badfile.Quote(tag), strings.Join(Of(names), ", "))
	case 1:
		return found[0].whole()
	}
	var stems []string
	for _, m := range found {
		stems = append(stems, m.stem+".gguf")
	}
	return nil, fmt.Errorf("%d GGUF files of the repository have the tag %s: choose one of %s", len(found), badfile.Quote(tag), strings.Join(stems, ", "))
}

// whole returns all parts of a model.
func (m model) whole() ([]string, error) {
	if len(m.parts) != m.count {
		return nil, fmt.Errorf("the repository has %d of the %d parts of %s.gguf", len(m.parts), m.count, m.stem)
	}
	return m.parts, nil
}
