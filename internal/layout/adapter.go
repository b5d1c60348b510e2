package layout

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// NoteAdapter says that an adapter of PEFT lies beside the weights. If peft is installed, transformers applies it to them,
// and needs to see only the adapter's config for that (5.24, integrations/peft.py, maybe_load_adapters).
func (w *Weights) NoteAdapter(dir string) {
	path := filepath.Join(dir, filenames.AdapterConfig)
	if Exists(path) {
		w.Note(path, "", "a copy has the base model alone", "found an adapter (PEFT) beside the weights, which is not applied: this is the base model alone")
	}
}

// AdapterAlone reports whether a folder holds an adapter and no weights that it could be for.
func AdapterAlone(dir string) bool {
	if _, gguf := filenames.GGUF(dir); gguf || !Exists(filepath.Join(dir, filenames.AdapterConfig)) || Exists(filepath.Join(dir, filenames.Consolidated)) {
		return false
	}
	info, err := files.Stat(dir)
	return err == nil && info.IsDir() && !Source{Dir: dir}.HasWeights()
}

// adapterAlone is the error of a folder that holds an adapter and no model, nil of others.
func adapterAlone(dir string, found []string) error {
	if !slices.ContainsFunc(found, func(name string) bool {
		return name == filenames.AdapterConfig || strings.HasPrefix(name, "adapter_model.")
	}) {
		return nil
	}
	detail := "found an adapter (PEFT) without its base model"
	path := filepath.Join(dir, filenames.AdapterConfig)
	if data, err := jsonobj.ReadFile(path, config.MaxFile); err == nil {
		keys, _ := jsonobj.Parse(data) // what cannot be read names no base
		v, _ := keys.Get("base_model_name_or_path")
		if base, ok := v.Text(); ok && base != "" {
			detail = "found an adapter (PEFT) for the base model " + badfile.Quote(base) + ", and no weights of that"
		}
	}
	return &badfile.UnsupportedError{File: dir, Detail: detail + "; give the base model too"}
}
