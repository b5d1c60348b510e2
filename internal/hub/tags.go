package hub

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
)

// How a tag chooses one GGUF file of many, after llama.cpp (common/download.cpp, find_best_model): OWNER/NAME:Q4_K_M is the
// file whose name has Q4_K_M, whatever its case. Ollama knows the same tags, and whole names of files.

// Latest is the tag that stands for the default choice.
const Latest = "latest"

// defaultTags are chosen without a tag, the best first.
var defaultTags = []string{"Q4_K_M", "Q8_0"}

var (
	tagPattern  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
	ownTag      = regexp.MustCompile(`[-.]([A-Za-z0-9_]+)$`)
	quantizedAs = regexp.MustCompile(`^(?:I?Q[0-9]|TQ[0-9]|MXFP4|NVFP4|B?F16$|F32$|FP16$|FP32$)`)
	ggufParts   = regexp.MustCompile(`-([0-9]{5})-of-([0-9]{5})$`)
)

// notModels are in the names of GGUF files that are parts of a model or notes about one.
var notModels = []string{"mmproj", "imatrix", "mtp-", "eagle3-", "dflash-", "dspark-"}

// ggufModel is a GGUF file of a repository, or one that was split.
type ggufModel struct {
	stem  string   // its path without .gguf, and without the number of a part
	parts []string // paths, in order
	count int      // how many there should be
}

// ggufModels lists the models among the files of a repository, in the order of their names.
func ggufModels(names []string) (models []ggufModel) {
	names = slices.Sorted(slices.Values(names))
	for _, name := range names {
		stem, ok := strings.CutSuffix(name, ".gguf")
		if !ok || slices.ContainsFunc(notModels, func(part string) bool { return strings.Contains(path.Base(name), part) }) {
			continue
		}
		m := ggufModel{stem: stem, count: 1}
		if part := ggufParts.FindStringSubmatch(stem); part != nil {
			m.stem = strings.TrimSuffix(stem, part[0])
			fmt.Sscanf(part[2], "%d", &m.count)
		}
		i := slices.IndexFunc(models, func(other ggufModel) bool { return other.stem == m.stem && other.count == m.count })
		if i < 0 {
			i = len(models)
			models = append(models, m)
		}
		models[i].parts = append(models[i].parts, name)
	}
	return models
}

// tag is what a model's name ends in, such as Q4_K_M; empty if that is not how it is quantized.
func (m ggufModel) tag() string {
	if found := ownTag.FindStringSubmatch(m.stem); found != nil && quantizedAs.MatchString(strings.ToUpper(found[1])) {
		return strings.ToUpper(found[1])
	}
	return ""
}

// has reports how a model's name has a tag: 3 it is the name of the file, or the tag at its end, 2 it is a word within, 1
// llama.cpp takes it for one, 0 it does not have it.
func (m ggufModel) has(tag string) int {
	stem, tag := strings.ToLower(m.stem), strings.ToLower(tag)
	if name, ok := strings.CutSuffix(tag, ".gguf"); ok {
		if name == stem || name == path.Base(stem) {
			return 3
		}
		return 0
	}
	if found := ownTag.FindStringSubmatch(stem); found != nil && found[1] == tag {
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

// Tags lists the tags by which the GGUF files of a repository are chosen: how they are quantized, or the name of a file.
func Tags(names []string) (tags []string) {
	models := ggufModels(names)
	for _, m := range models {
		tag := m.tag()
		if tag == "" || slices.ContainsFunc(models, func(other ggufModel) bool { return other.stem != m.stem && other.tag() == tag }) {
			tag = path.Base(m.stem) + ".gguf"
		}
		if !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	return tags
}

// Tagged selects the GGUF file that a tag chooses, or all parts of it. Latest is a Q4_K_M, else a Q8_0, else the first file.
func Tagged(tag string) Select {
	return func(names []string) ([]string, error) {
		models := ggufModels(names)
		if len(models) == 0 {
			return nil, fmt.Errorf("the tag %s chooses a GGUF file, and the repository does not have one: it holds %s", badfile.Quote(tag), some(names))
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

// matching returns the models that have a tag, as well as any has it.
func matching(models []ggufModel, tag string) (found []ggufModel) {
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
func tagged(models []ggufModel, tag string, names []string) ([]string, error) {
	found := matching(models, tag)
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("no GGUF file of the repository has the tag %s: choose one of %s", badfile.Quote(tag), strings.Join(Tags(names), ", "))
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
func (m ggufModel) whole() ([]string, error) {
	if len(m.parts) != m.count {
		return nil, fmt.Errorf("the repository has %d of the %d parts of %s.gguf", len(m.parts), m.count, m.stem)
	}
	return m.parts, nil
}

// Tags returns those of a repository in the cache, as far as the cache knows its files.
func (c *Client) Tags(repo string) []string {
	store := c.cached(repo)
	commit, ok := store.commit(DefaultRevision)
	if !ok {
		return nil
	}
	l := readTree(store.dir, repo, commit)
	if l == nil {
		l = onDisk(&snapshot{store, commit})
	}
	if l == nil {
		return nil
	}
	return Tags(l.Names())
}
