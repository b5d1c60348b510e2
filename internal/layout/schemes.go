package layout

import (
	"errors"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/scheme"
)

// Assemble puts quantized weights together that are stored as several tensors each. Tensors have their stored names yet; file is
// that of the configuration, and quantization what it says about them, see config.Common.
func (w *Weights) Assemble(file, quantization string) error {
	var r *scheme.Result
	err := mmap.Guard(func() (err error) { // small tensors are read
		stated := scheme.Stated{Config: quantization, Metadata: w.Metadata}
		for _, t := range w.Listed {
			stated.Names = append(stated.Names, t.Name)
		}
		r, err = scheme.Assemble(w.Tensors, stated)
		return err
	})
	if bad, ok := errors.AsType[*badfile.FormatError](err); ok && bad.File == "" {
		bad.File = file
	}
	if err != nil {
		return InFile(file, err)
	}
	if len(r.Found) == 0 && quantization != "" {
		w.Note(file, "", "not stated in a copy", "says that weights are quantized, and all of them are stored as they are; so they are used")
	}
	if len(r.Found) > 0 {
		if w.Stored = w.Listed; w.Stored == nil {
			w.Stored = w.Tensors
		}
		w.Tensors, w.Listed = r.Tensors, nil
		w.Schemes, w.Activations = r.Found, r.Activations
	}
	return nil
}
