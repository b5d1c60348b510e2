package layout

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

const maxIndex = 64 << 20 // largest index file; that of a 7 B model has 60 KB

// index is a parsed model.safetensors.index.json:
//
//	{"metadata": {"total_size": bytes of all tensors, ...},
//	 "weight_map": {tensor name: file name, ...}}
type index struct {
	file     string
	shards   []string // sorted
	shardOf  map[string]string
	total    float64 // some writers give a float
	hasTotal bool
	odd      string // what was found in place of metadata; empty: an object
}

// parseIndex reads an index; file is its name in messages. Every shard it names is one path element: it cannot lead
// out of the index's own folder.
func parseIndex(file string, data []byte) (*index, error) {
	x := &index{file: file}
	top, err := jsonobj.Parse(data)
	if err != nil {
		return nil, x.errorf("", "%s", err)
	}
	value, ok := top.Get("weight_map")
	if !ok {
		return nil, x.errorf("", `found no "weight_map", which says what shard holds what tensor`)
	}
	entries, ok := value.Members()
	if !ok {
		return nil, x.errorf("weight_map", "found %s, expected an object of tensor and file names", value)
	}
	x.shardOf = make(map[string]string, len(entries))
	for _, e := range entries {
		shard, ok := e.Value.Text()
		if !ok {
			return nil, x.errorf(e.Key, "found %s, expected the name of a shard", e.Value)
		}
		if !local(shard) {
			return nil, x.errorf(e.Key, "found the shard name %s, expected a plain file name in the same folder", badfile.Quote(shard))
		}
		if strings.EqualFold(filepath.Ext(shard), ".json") {
			return nil, x.errorf(e.Key, "found the shard name %s, expected that of a file of weights", badfile.Quote(shard))
		}
		x.shardOf[e.Key] = shard
	}
	x.shards = slices.Compact(slices.Sorted(maps.Values(x.shardOf)))
	switch {
	case len(x.shards) == 0:
		return nil, x.errorf("weight_map", "found no tensors")
	case len(x.shards) > filenames.MaxShards:
		return nil, x.errorf("weight_map", "found %d shards, expected at most %d", len(x.shards), filenames.MaxShards)
	}
	x.parseMetadata(top)
	return x, nil
}

// parseMetadata reads the size of all tensors. Without metadata an index can be used all the same.
func (x *index) parseMetadata(top jsonobj.Members) {
	metadata, ok := top.Get("metadata")
	if !ok {
		x.odd = "missing"
		return
	}
	members, ok := metadata.Members()
	if !ok {
		x.odd = fmt.Sprintf("found %s", metadata)
		return
	}
	if v, ok := members.Get("total_size"); ok {
		x.total, x.hasTotal = v.Float()
	}
}

// maxName is the longest file name that every common file system takes, in bytes.
const maxName = 255

// local reports whether name is one path element that stays in its folder on every system.
func local(name string) bool {
	return name != "." && len(name) <= maxName && filepath.IsLocal(name) &&
		!strings.ContainsAny(name, `/\`) && !strings.ContainsFunc(name, unicode.IsControl)
}

// Shards returns the paths of the shards that the index at path names, all of which exist.
func Shards(path string) ([]string, error) {
	x, err := readIndex(path)
	if err != nil {
		return nil, err
	}
	paths := make([]string, len(x.shards))
	for i, shard := range x.shards {
		paths[i] = filepath.Join(filepath.Dir(path), shard)
	}
	return paths, nil
}

// readIndex reads the index at path and looks for its shards.
func readIndex(path string) (*index, error) {
	data, err := jsonobj.ReadFile(path, maxIndex)
	if err != nil {
		return nil, NotLinked(path, err)
	}
	x, err := parseIndex(path, data)
	if err != nil {
		return nil, err
	}
	return x, x.present(filepath.Dir(path))
}

func (x *index) errorf(name, format string, args ...any) error {
	where := name
	if name != "" && name != "weight_map" {
		where = badfile.Tensor(name)
	}
	return &badfile.FormatError{File: x.file, Where: where, Detail: fmt.Sprintf(format, args...)}
}

// present checks that every shard exists in dir.
func (x *index) present(dir string) error {
	var missing []string
	for _, shard := range x.shards {
		switch _, err := files.Stat(filepath.Join(dir, shard)); {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, shard)
		case err != nil:
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return x.errorf("", "%d of %d shards missing: %s; download again what is missing, into the same folder",
		len(missing), len(x.shards), badfile.QuoteList(missing))
}

// compare notes where the index differs from held, the shard in which each tensor was found.
func (x *index) compare(w *Weights, held map[string]string) {
	const rebuilt = "an index made from the shards"
	note := func(list []string, where, detail string, args ...any) {
		if len(list) == 0 {
			return
		}
		slices.Sort(list)
		detail = fmt.Sprintf(detail, args...)
		if more := len(list) - 1; more > 0 {
			detail += fmt.Sprintf(" (the same goes for %s)", badfile.Count(more, "more tensor"))
		}
		w.Note(x.file, where, rebuilt, "%s", detail)
	}
	var unlisted, elsewhere, lacking []string
	total := int64(0)
	for _, t := range w.Tensors {
		total += int64(len(t.Data))
		if listed, ok := x.shardOf[t.Name]; !ok {
			unlisted = append(unlisted, t.Name)
		} else if listed != held[t.Name] {
			elsewhere = append(elsewhere, t.Name)
		}
	}
	w.Lacking = make(map[string]string)
	for name, shard := range x.shardOf {
		if _, ok := held[name]; !ok {
			lacking = append(lacking, name)
			w.Lacking[name] = shard
		}
	}
	if x.odd != "" {
		w.Note(x.file, "metadata", rebuilt, "%s, expected an object: transformers cannot read such an index", x.odd)
	}
	if len(unlisted) > 0 {
		name := slices.Min(unlisted)
		note(unlisted, badfile.Tensor(name), "is in the shard %s, but the index does not list it; used all the same", badfile.Quote(held[name]))
	}
	if len(elsewhere) > 0 {
		name := slices.Min(elsewhere)
		note(elsewhere, badfile.Tensor(name), "the index puts it into the shard %s, but it is in %s; used all the same",
			badfile.Quote(x.shardOf[name]), badfile.Quote(held[name]))
	}
	if len(lacking) > 0 {
		name := slices.Min(lacking)
		note(lacking, badfile.Tensor(name), "the index puts it into the shard %s, which lacks it", badfile.Quote(x.shardOf[name]))
	}
	if x.hasTotal && x.total != float64(total) {
		w.Note(x.file, "total_size", rebuilt, "found %v, but the shards hold %d bytes of tensors", x.total, total)
	}
}
