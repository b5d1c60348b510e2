// Package safetensorstest writes small safetensors files for tests.
package safetensorstest

import (
	"io"

	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/tensor"
)

// Write writes a whole file from tensors in memory; their File is not looked at.
func Write(w io.WriterAt, tensors []tensor.Tensor, metadata map[string]string) error {
	entries := make([]safetensors.Entry, len(tensors))
	for i, t := range tensors {
		entries[i] = safetensors.Entry{Name: t.Name, DType: t.DType, Shape: t.Shape}
	}
	sw, err := safetensors.NewWriter(w, entries, metadata)
	if err != nil {
		return err
	}
	for _, t := range tensors {
		if err := sw.WriteAt(t.Name, 0, t.Data); err != nil {
			return err
		}
	}
	return sw.Close()
}
