package doctor

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/internal/sharded"
	"github.com/gomamba/gomamba/tensor"
)

// open maps whatever weights the folder holds, and puts their names right.
func (d *doctor) open() bool {
	if d.openFolder(); d.w == nil {
		return false
	}
	if err := d.w.Assemble(d.file, config.QuantizationIn(d.raw)); err != nil {
		d.unfixable(err)
		d.giveUp()
		return false
	}
	if !d.nameHybrid() {
		d.giveUp()
		return false
	}
	if !d.rename() {
		d.giveUp()
		return false
	}
	d.nameLayers()
	d.w.NoteAdapter(d.src.Dir)
	if settle := d.layout.Folder.Settle; settle != nil {
		settle(d.hybrid(), d.w)
	}
	d.lacksFormat()
	return true
}

// openFolder maps the file that was asked for, or the first of those that may hold the weights, shards without their index
// among them.
func (d *doctor) openFolder() {
	if d.src.File != "" {
		d.one(d.src.File)
		return
	}
	for _, name := range slices.Concat(d.layout.Repo.Weights, filenames.UsualWeights) {
		if layout.Exists(filepath.Join(d.src.Dir, name)) || filenames.IsIndex(name) && len(d.shardsOf(name)) > 0 {
			d.one(name)
			return
		}
	}
	inside, err := sharded.In(d.src.Dir)
	if err != nil {
		d.unfixable(err)
		return
	}
	if inside != "" {
		d.one(inside)
		return
	}
	others := layout.OtherWeights(d.src.Dir)
	if len(others) == 0 {
		return
	}
	path, err := layout.WeightsOf(d.src)
	if err != nil {
		d.unfixable(err)
		return
	}
	d.one(filepath.Base(path))
	if d.w != nil {
		d.add("under the usual name in a copy", "%s: holds the weights, and no program looks for them under that name", path)
	}
}

// one maps the file of that name, or the shards of the index.
func (d *doctor) one(name string) {
	if filenames.IsIndex(name) {
		d.shards(name)
		return
	}
	d.single(filepath.Join(d.src.Dir, name))
}

func (d *doctor) single(path string) {
	w, err := layout.OpenSingle(path, d.openFile)
	if err != nil {
		d.unfixable(err)
		return
	}
	d.w = w
}

// openFile opens a file that may be damaged: what is wrong beside its tensors is a finding.
func (d *doctor) openFile(path string) (layout.File, error) {
	f, err := layout.OpenFile(path)
	if _, bad := errors.AsType[*badfile.FormatError](err); !bad || layout.HoldsTorch(path) {
		return f, err
	}
	lenient, wrong, again := safetensors.OpenLenient(path)
	if again != nil {
		return nil, err
	}
	for _, e := range wrong {
		d.add("a copy is without it", "%v", e)
	}
	return lenient, nil
}

// shardsOf returns the files that an index of that name would name, by their usual names.
func (d *doctor) shardsOf(index string) []string {
	stem, ending, _ := strings.Cut(strings.TrimSuffix(index, ".index.json"), ".")
	return filenames.In(d.src.Dir, stem+"-*-of-*."+ending)
}

// shards maps shards by their index, or as they are found if only the index is at fault.
func (d *doctor) shards(name string) {
	path := filepath.Join(d.src.Dir, name)
	err := error(&badfile.FormatError{File: path, Detail: "missing, though there are shards"})
	if layout.Exists(path) {
		before := len(d.findings)
		if d.w, err = layout.OpenShards(path, d.openFile); err == nil {
			return
		}
		d.findings = d.findings[:before] // the shards are opened again
	}
	found := d.shardsOf(name)
	var want int
	if len(found) > 0 {
		last := found[len(found)-1]
		fmt.Sscanf(last[strings.LastIndex(last, "-of-")+len("-of-"):], "%d", &want)
	}
	w, broken := &layout.Weights{Source: path}, false
	for _, shard := range found {
		f, err := d.openFile(shard)
		if err != nil {
			d.unfixable(layout.NotLinked(shard, err))
			broken = true
			continue
		}
		w.Add(shard, f)
	}
	if broken || len(found) == 0 || len(found) != want {
		if !broken || len(found) != want {
			d.unfixable(err)
		}
		_ = w.Close()
		return
	}
	d.add("the shards are whole: a copy has an index made from them", "%v", err)
	d.w = w
}

// rename gives every tensor its canonical name. Of two tensors of one name the second is left out if it is the same. It
// returns false if there are two models.
func (d *doctor) rename() bool {
	u, err := names.Unwrap(d.w.Names())
	if err != nil {
		d.unfixable(layout.InFile(d.w.Source, err))
		return false
	}
	d.w.SetNames(u.Names)
	d.w.NoteWrapper(u, d.layout.Folder.Prefix(d.hybrid()))
	var misnamed, same, different []string
	first := make(map[string]int, len(d.w.Tensors)) // in carried
	carried := make([]tensor.Tensor, 0, len(d.w.Tensors))
	for _, t := range d.w.Tensors {
		name := t.Name
		if canonical := d.layout.Folder.Canonical; canonical != nil {
			t.Name = canonical(name)
		}
		if canonical, ok := names.Rename(t.Name); ok {
			if canonical != names.Backbone+t.Name {
				misnamed = append(misnamed, name)
			}
			t.Name = canonical
		}
		if i, twice := first[t.Name]; !twice {
			first[t.Name] = len(carried)
			carried = append(carried, t)
		} else if sameData(carried[i], t) {
			same = append(same, t.Name)
		} else {
			different = append(different, t.Name)
		}
	}
	if d.w.Listed == nil {
		d.w.Listed = d.w.Tensors
	}
	d.w.Tensors = carried
	d.reportNames(misnamed, same, different)
	return true
}

// reportNames says what rename found.
func (d *doctor) reportNames(misnamed, same, different []string) {
	if len(misnamed) > 0 {
		canonical, _ := names.Rename(misnamed[0])
		d.add("read by the right names", "%s: found %s under another name than transformers reads, such as %s for %s",
			d.w.Source, badfile.Count(len(misnamed), "tensor"), badfile.Quote(misnamed[0]), badfile.Quote(canonical))
	}
	if len(same) > 0 {
		d.add("one of each is kept", "%s: found %s twice with the same values, under two names or in two shards: %s",
			d.w.Source, badfile.Count(len(same), "tensor"), badfile.QuoteList(same))
	}
	if len(different) > 0 {
		d.add("", "%s: found %s twice with different values, under two names or in two shards: %s",
			d.w.Source, badfile.Count(len(different), "tensor"), badfile.QuoteList(different))
	}
}

// sameData reports whether two tensors are equal in dtype, shape and bytes.
func sameData(a, b tensor.Tensor) (same bool) {
	err := mmap.Guard(func() error {
		same = slices.Equal(a.Shape, b.Shape) && a.SameBytes(b)
		return nil
	})
	return same && err == nil
}

// lacksFormat looks for the word that says whose tensors they are, without which transformers before 5 refuses a file.
func (d *doctor) lacksFormat() {
	for _, f := range d.w.Files {
		if st, ok := f.(*safetensors.File); ok && st.Metadata()["format"] == "" {
			d.add(`the copy has it`, `%s: the header's __metadata__ lacks "format": "pt", without which transformers before 5 refuses the file`, d.w.Source)
			return
		}
	}
}
