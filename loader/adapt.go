package loader

import (
	"path/filepath"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/adapter"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/names"
)

// adapt opens the adapter that is asked for, or the one beside the weights, and adds its file to theirs. It is nil if there is
// none.
func adapt(src layout.Source, cfg config.Config, w *layout.Weights, opts Options) (*adapter.Adapter, error) {
	dir := opts.Adapter
	if dir == "" {
		if info, err := files.Stat(src.Dir); err != nil || !info.IsDir() || !layout.Exists(filepath.Join(src.Dir, filenames.AdapterConfig)) {
			return nil, nil
		}
		whole := layout.Exists(filepath.Join(src.Dir, filenames.AdapterModel)) || layout.Exists(filepath.Join(src.Dir, filenames.AdapterTorch))
		if opts.BaseAlone || !whole {
			w.NoteAdapter(src.Dir)
			return nil, nil
		}
		dir = src.Dir
	}
	a, err := adapter.Open(dir, cfg)
	if err != nil {
		return nil, err
	}
	w.Files = append(w.Files, a.File)
	if opts.Adapter == "" {
		w.Note(filepath.Join(dir, filenames.AdapterConfig), "", "a copy has it merged", "found an adapter (PEFT) beside the weights: applied to %s, as transformers with peft does",
			badfile.Count(a.Weights(), "weight"))
	}
	return a, nil
}

// Adapted lists the canonical names of the weights that an adapter changes or replaces, in the order of the name table.
func (ck *Checkpoint) Adapted() (list []string) {
	if ck.adapter == nil || ck.usable() != nil {
		return nil
	}
	table, _ := names.Table(ck.cfg) // of a family that was opened
	for _, spec := range table {
		_, replaced := ck.adapter.Values[spec.Name]
		if replaced || ck.adapter.Deltas[spec.Name] != nil {
			list = append(list, spec.Name)
		}
	}
	return list
}

// unties reports whether an adapter makes embedding and head differ. It reads what the adapter has in their place, under a Guard.
func (ck *Checkpoint) unties() bool {
	a := ck.adapter
	if a == nil {
		return false
	}
	embedding, one := a.Values[names.Embedding]
	head, other := a.Values[names.Head]
	return a.Deltas[names.Embedding] != a.Deltas[names.Head] || one != other || one && !equalValues(embedding, head)
}
