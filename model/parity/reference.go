package parity

import "github.com/gomamba/gomamba/internal/dump"

// Reference is an open reference file: a safetensors file of what some implementation computed. Its tensors are input_ids
// and any of attention_mask, logits, hidden_states.{i}, cache.conv_states.{l} and cache.ssm_states.{l}, in F32, F64, F16 or
// BF16, shaped as transformers has them.
type Reference struct{ d *dump.Dump }

// OpenReference opens a reference file. Errors: *badfile.FormatError, or a wrapped I/O error.
func OpenReference(path string) (*Reference, error) {
	d, err := dump.Read(path)
	if err != nil {
		return nil, err
	}
	return &Reference{d}, nil
}

// Close releases the file.
func (r *Reference) Close() error { return r.d.Close() }

// Metadata returns the metadata of the file, such as the program and version that wrote it.
func (r *Reference) Metadata() map[string]string { return r.d.Metadata() }
