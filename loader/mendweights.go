package loader

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/tensor"
)

// open maps whatever weights the folder holds, and puts their names right.
func (m *mender) open() bool {
	switch {
	case m.layout == layoutMistral.name && filepath.Base(m.file) == filenames.Params:
		m.single(filepath.Join(m.src.dir, cmp.Or(m.src.file, filenames.Consolidated)))
	default:
		m.openFolder()
	}
	if m.w == nil {
		return false
	}
	if !m.rename() {
		m.hopelessClose()
		return false
	}
	m.w.noteAdapter(m.src.dir)
	if m.layout == "hf" {
		m.w.settleMLX()
	}
	m.lacksFormat()
	return true
}

// openFolder maps the file that was asked for, or the first of those that may hold the weights, shards without their index
// among them.
func (m *mender) openFolder() {
	if m.src.file != "" {
		m.one(m.src.file)
		return
	}
	for _, name := range filenames.UsualWeights {
		if exists(filepath.Join(m.src.dir, name)) || filenames.IsIndex(name) && len(m.shardsOf(name)) > 0 {
			m.one(name)
			return
		}
	}
	others := otherWeights(m.src.dir)
	if len(others) == 0 {
		return
	}
	path, err := weightsOf(m.src)
	if err != nil {
		m.hopeless(err)
		return
	}
	m.one(filepath.Base(path))
	if m.w != nil {
		m.add("under the usual name in a copy", "%s: holds the weights, and no program looks for them under that name", path)
	}
}

// one maps the file of that name, or the shards of the index.
func (m *mender) one(name string) {
	if filenames.IsIndex(name) {
		m.shards(name)
		return
	}
	m.single(filepath.Join(m.src.dir, name))
}

func (m *mender) single(path string) {
	w, err := openSingle(path, m.openFile)
	if err != nil {
		m.hopeless(err)
		return
	}
	m.w = w
}

// openFile is openFile of the package for a file that need not be right in all: what is wrong beside its tensors is a
// finding.
func (m *mender) openFile(path string) (weightFile, error) {
	f, err := openFile(path)
	if _, bad := errors.AsType[*badfile.FormatError](err); !bad || holdsTorch(path) {
		return f, err
	}
	mended, wrong, again := safetensors.OpenLenient(path)
	if again != nil {
		return nil, err
	}
	for _, e := range wrong {
		m.add("a copy is without it", "%v", e)
	}
	return mended, nil
}

// shardsOf returns the files that an index of that name would name, by their usual names.
func (m *mender) shardsOf(index string) []string {
	stem, ending, _ := strings.Cut(strings.TrimSuffix(index, ".index.json"), ".")
	return filenames.In(m.src.dir, stem+"-*-of-*."+ending)
}

// shards maps shards by their index, or as they are found where that fails for the index alone.
func (m *mender) shards(name string) {
	path := filepath.Join(m.src.dir, name)
	err := error(&badfile.FormatError{File: path, Detail: "missing, though there are shards"})
	if exists(path) {
		said := len(m.findings)
		if m.w, err = openShards(path, m.openFile); err == nil {
			return
		}
		m.findings = m.findings[:said] // the shards are opened again
	}
	found := m.shardsOf(name)
	var want int
	if len(found) > 0 {
		last := found[len(found)-1]
		fmt.Sscanf(last[strings.LastIndex(last, "-of-")+len("-of-"):], "%d", &want)
	}
	w, broken := &weights{source: path}, false
	for _, shard := range found {
		f, err := m.openFile(shard)
		if err != nil {
			m.hopeless(notLinked(shard, err))
			broken = true
			continue
		}
		w.add(shard, f)
	}
	if broken || len(found) == 0 || len(found) != want {
		if !broken || len(found) != want {
			m.hopeless(err)
		}
		_ = w.close()
		return
	}
	m.add("the shards are whole: a copy has an index made from them", "%v", err)
	m.w = w
}

// rename gives every tensor its canonical name. Of two tensors of one name the second is left out if it is the same. It
// returns false if there are two models.
func (m *mender) rename() bool {
	u, err := names.Unwrap(m.w.names())
	if err != nil {
		m.hopeless(inFile(m.w.source, err))
		return false
	}
	m.w.setNames(u.Names)
	own := ""
	if m.layout == layoutMistral.name {
		own = names.MistralPrefix
	}
	m.w.noteWrapper(u, own)
	var misnamed, same, different []string
	first := make(map[string]int, len(m.w.tensors)) // in kept
	kept := make([]tensor.Tensor, 0, len(m.w.tensors))
	for _, t := range m.w.tensors {
		name := t.Name
		switch m.layout {
		case "original":
			t.Name = names.FromOriginal(name)
		case layoutMistral.name:
			t.Name = names.FromMistral(name)
		}
		if canonical, ok := names.Rename(t.Name); ok {
			if canonical != names.Backbone+t.Name {
				misnamed = append(misnamed, name)
			}
			t.Name = canonical
		}
		if i, twice := first[t.Name]; !twice {
			first[t.Name] = len(kept)
			kept = append(kept, t)
		} else if sameData(kept[i], t) {
			same = append(same, t.Name)
		} else {
			different = append(different, t.Name)
		}
	}
	if m.w.listed == nil {
		m.w.listed = m.w.tensors
	}
	m.w.tensors = kept
	m.reportNames(misnamed, same, different)
	return true
}

// reportNames says what rename found.
func (m *mender) reportNames(misnamed, same, different []string) {
	if len(misnamed) > 0 {
		canonical, _ := names.Rename(misnamed[0])
		m.add("read by the right names", "%s: found %s under another name than transformers reads, such as %s for %s",
			m.w.source, badfile.Count(len(misnamed), "tensor"), badfile.Quote(misnamed[0]), badfile.Quote(canonical))
	}
	if len(same) > 0 {
		m.add("one of each is kept", "%s: found %s twice with the same values, under two names or in two shards: %s",
			m.w.source, badfile.Count(len(same), "tensor"), some(same))
	}
	if len(different) > 0 {
		m.add("", "%s: found %s twice with different values, under two names or in two shards: %s",
			m.w.source, badfile.Count(len(different), "tensor"), some(different))
	}
}

// sameData reports whether two tensors are equal in dtype, shape and bytes.
func sameData(a, b tensor.Tensor) (same bool) {
	err := mmap.Guard(func() error {
		same = a.DType == b.DType && slices.Equal(a.Shape, b.Shape) && bytes.Equal(a.Data, b.Data)
		return nil
	})
	return same && err == nil
}

// lacksFormat looks for the word that says whose tensors they are, without which transformers before 5 refuses a file.
func (m *mender) lacksFormat() {
	for _, f := range m.w.files {
		if st, ok := f.(*safetensors.File); ok && st.Metadata()["format"] == "" {
			m.add(`the copy has it`, `%s: the header's __metadata__ lacks "format": "pt", without which transformers before 5 refuses the file`, m.w.source)
			return
		}
	}
}
