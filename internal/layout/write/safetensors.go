package write

import (
	"cmp"
	"slices"

	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/safetensors"
)

// Safetensors is one weight file of a folder and what goes into it.
type Safetensors struct {
	File    string
	Sources []Source
	Format  string // of the metadata; empty: "pt"
}

// metadata is in every file that save_pretrained writes. transformers before 5 refuses a file without it.
func (s Safetensors) metadata() map[string]string {
	return map[string]string{"format": cmp.Or(s.Format, "pt")}
}

func (s Safetensors) entries() []safetensors.Entry {
	entries := make([]safetensors.Entry, len(s.Sources))
	for i, src := range s.Sources {
		entries[i] = safetensors.Entry{Name: src.Name, DType: src.DType, Shape: src.Shape}
	}
	return entries
}

// Size returns the bytes of the file.
func (s Safetensors) Size() (int64, error) {
	_, _, size, err := safetensors.Layout(s.entries(), s.metadata())
	return size, err
}

// Write streams the file, tensors in the order in which they lie in it.
func (s Safetensors) Write(dir *atomicfile.Dir, p *Progress) (err error) {
	entries := s.entries()
	_, offsets, _, err := safetensors.Layout(entries, s.metadata())
	if err != nil {
		return err
	}
	f, err := Create(dir, s.File)
	if err != nil {
		return err
	}
	defer f.Finish(&err)
	w, err := safetensors.NewWriter(f, entries, s.metadata())
	if err != nil {
		return err
	}
	sources := slices.Clone(s.Sources)
	slices.SortFunc(sources, func(a, b Source) int { return cmp.Compare(offsets[a.Name], offsets[b.Name]) })
	if err := Stream(w, sources, p); err != nil {
		return err
	}
	return w.Close()
}
