package layout

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/internal/scheme"
	"github.com/gomamba/gomamba/internal/sharded"
	"github.com/gomamba/gomamba/internal/torchbin"
	"github.com/gomamba/gomamba/tensor"
)

// Weights are the tensors of a checkpoint and the files behind them.
type Weights struct {
	ConfigName string // of the file with the configuration; empty: config.json
	Source     string // the file that speaks for all in messages: the single weight file or the index of the shards
	Files      []Mapped
	Tensors    []tensor.Tensor   // in file order, file by file, under canonical names if the layout has others
	Listed     []tensor.Tensor   // as they are stored, if that differs; else nil
	Stored     []tensor.Tensor   // every tensor of the files if Tensors has some put together; else nil
	Keys       []gguf.KV         // of a GGUF file
	FileType   string            // that a GGUF file states, such as Q4_K_M; else empty
	Lacking    map[string]string // the shard in which the index has a tensor that is not there, by stored name
	Metadata   map[string]string // of the headers of safetensors files, by names of tensors as they are stored
	Notes      []Note            // what is odd about the files and harms nothing

	Schemes     []scheme.Found // by which weights are stored in several tensors; Tensors has them put together
	Activations []string       // the scales of activations beside these, which are left out
}

// Note is something odd about a file, or something about it that a user should know.
type Note struct {
	Usual               bool   // nothing is wrong with it
	File, Where, Detail string // as in badfile.FormatError
	Remedy              string // of what is odd: what a repaired copy has instead; empty: it is not so in a copy
}

// Mapped is a file of weights that is open.
type Mapped interface {
	Paths() []string
	Changed() error
	Close() error
}

// Close closes the files.
func (w *Weights) Close() error {
	var errs []error
	for _, f := range w.Files {
		errs = append(errs, f.Close())
	}
	w.Files = nil
	return errors.Join(errs...)
}

// Note adds a warning about a file.
func (w *Weights) Note(file, where, remedy, format string, args ...any) {
	w.Notes = append(w.Notes, Note{File: file, Where: where, Detail: fmt.Sprintf(format, args...), Remedy: remedy})
}

// Say adds what a user should know about a file with which nothing is wrong.
func (w *Weights) Say(file, format string, args ...any) {
	w.Notes = append(w.Notes, Note{Usual: true, File: file, Detail: fmt.Sprintf(format, args...)})
}

// Rename gives the tensors their canonical names.
func (w *Weights) Rename(canonical func(name string) string) {
	list := w.Names()
	for i, name := range list {
		list[i] = canonical(name)
	}
	w.SetNames(list)
}

// unwrap takes off the names what training code wrapped around the model. own is the prefix that the layout itself has.
func (w *Weights) unwrap(own string) error {
	listed := w.Names()
	u, err := names.Unwrap(listed)
	if err == nil {
		err = u.Collision(listed)
	}
	if err != nil {
		return InFile(w.Source, err)
	}
	w.SetNames(u.Names)
	w.NoteWrapper(u, own)
	return nil
}

// Names lists the names of the tensors.
func (w *Weights) Names() []string {
	list := make([]string, len(w.Tensors))
	for i, t := range w.Tensors {
		list[i] = t.Name
	}
	return list
}

// SetNames renames the tensors; Listed keeps the old names.
func (w *Weights) SetNames(list []string) {
	if slices.Equal(list, w.Names()) {
		return
	}
	if w.Listed == nil {
		w.Listed = w.Tensors
	}
	w.Tensors = slices.Clone(w.Tensors)
	for i := range w.Tensors {
		w.Tensors[i].Name = list[i]
	}
}

// addMetadata keeps what the header of a file says about single tensors.
func (w *Weights) addMetadata(metadata map[string]string) {
	for key, text := range metadata {
		if strings.Contains(key, ".") && strings.HasPrefix(text, "{") {
			if w.Metadata == nil {
				w.Metadata = map[string]string{}
			}
			w.Metadata[key] = text
		}
	}
}

// NoteWrapper says what names were read without.
func (w *Weights) NoteWrapper(u names.Unwrapped, own string) {
	var wrappers []string
	if u.Prefix != "" && u.Prefix != own {
		wrappers = append(wrappers, u.Prefix)
	}
	for _, part := range u.Parts {
		wrappers = append(wrappers, part+".")
	}
	if len(wrappers) > 0 {
		w.Note(w.Source, "", "the names without it", "found names in a wrapper, such as %s; read without %s", badfile.Quote(w.Listed[u.First].Name), badfile.QuoteList(wrappers))
	}
}

// InFile gives an error without a file the file that it is about.
func InFile(file string, err error) error {
	if e, ok := errors.AsType[*badfile.UnsupportedError](err); ok && e.File == "" {
		e.File = file
	}
	return err
}

// File is a file of tensors.
type File interface {
	Mapped
	Tensors() []tensor.Tensor
}

// OpenFile opens a file of tensors by what it holds, whatever its name, or a folder that a trainer made in its place.
func OpenFile(path string) (File, error) {
	if sharded.Is(path) {
		return sharded.Open(path)
	}
	if info, err := files.Stat(path); err == nil && info.IsDir() {
		what := "is a folder without the files of a trainer's checkpoint"
		if inside, err := list(path); err == nil && len(inside) == 0 {
			what = "is an empty folder"
		}
		return nil, &badfile.FormatError{File: path, Detail: what + ", expected a file of weights; download or copy it again"}
	}
	if HoldsTorch(path) {
		return torchbin.Open(path)
	}
	return safetensors.Open(path)
}

// HoldsTorch reports whether a file is PyTorch's. If its first bytes do not say, its name does.
func HoldsTorch(path string) bool {
	torch, known := format(path)
	return torch || !known && !strings.EqualFold(filepath.Ext(path), ".safetensors")
}

// format recognises a file of tensors by its first bytes: PyTorch's zip archives and pickles, or the length and beginning of
// a safetensors header.
func format(path string) (torch, known bool) {
	head := FirstBytes(path)
	switch {
	case len(head) > 8 && head[7] == 0 && head[8] == '{':
		return false, true
	case strings.HasPrefix(head, "PK\x03\x04"), len(head) > 1 && head[0] == 0x80 && head[1] <= 5:
		return true, true
	}
	return false, false
}

// FirstBytes returns how a file begins, nothing if it cannot be read: whatever opens it says why.
func FirstBytes(path string) string {
	if info, err := files.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	f, err := files.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	var head [16]byte
	n, _ := io.ReadFull(f, head[:])
	return string(head[:n])
}

// WeightsOf returns the file of the weights, or the index of its shards: the one that was asked for, the first of the usual
// ones, or the only one under another name.
func WeightsOf(src Source) (path string, err error) {
	if src.File != "" {
		return filepath.Join(src.Dir, src.File), nil
	}
	for _, name := range filenames.UsualWeights {
		if path := filepath.Join(src.Dir, name); Exists(path) {
			return path, nil
		}
	}
	if dir, err := sharded.In(src.Dir); dir != "" || err != nil {
		return filepath.Join(src.Dir, dir), err
	}
	switch others := OtherWeights(src.Dir); {
	case len(others) == 0:
		return "", NoMatch(src)
	case len(others) == 1:
		return filepath.Join(src.Dir, others[0]), nil
	case strings.HasPrefix(others[0], "mp_rank_") && strings.HasPrefix(others[len(others)-1], "mp_rank_"):
		return "", &badfile.UnsupportedError{File: src.Dir, Detail: fmt.Sprintf("found %s that DeepSpeed or Megatron spread over several GPUs: %s; merge them first",
			badfile.Count(len(others), "part"), badfile.QuoteList(others))}
	default:
		return "", &badfile.UnsupportedError{File: src.Dir, Detail: fmt.Sprintf("found %s, and none has the usual name: %s; give the file itself, or if these are shards, download "+filenames.ModelIndex,
			badfile.Count(len(others), "file")+" of weights", badfile.QuoteList(others))}
	}
}

// OtherWeights lists the files of a folder that hold weights under another than the usual name. A GGUF file goes before.
func OtherWeights(dir string) []string {
	found, err := list(dir)
	if _, one := filenames.GGUF(dir); err != nil || one {
		return nil
	}
	return slices.DeleteFunc(filenames.OtherWeights(found), func(name string) bool { return holdsResults(filepath.Join(dir, name)) })
}

// holdsResults reports whether a file holds what a network computed, not its weights: reference files lie beside models.
func holdsResults(path string) bool {
	if filenames.IsIndex(path) || HoldsTorch(path) {
		return false
	}
	f, err := safetensors.Open(path)
	if err != nil {
		return false // whatever opens it says why
	}
	defer f.Close()
	_, ids := f.Tensor("input_ids")
	_, logits := f.Tensor("logits")
	return ids || logits
}

// HasWeights reports whether there is a file of weights.
func (src Source) HasWeights() bool {
	if src.File != "" || slices.ContainsFunc(filenames.UsualWeights, func(name string) bool { return Exists(filepath.Join(src.Dir, name)) }) {
		return true
	}
	inside, err := sharded.In(src.Dir)
	return inside != "" || err != nil || len(OtherWeights(src.Dir)) > 0
}

// OpenSingle maps a file by open.
func OpenSingle(path string, open func(path string) (File, error)) (*Weights, error) {
	f, err := open(path)
	if err != nil {
		return nil, NotLinked(path, err)
	}
	w := &Weights{Source: path}
	w.Add(path, f)
	return w, nil
}

// Add takes a file's tensors, and says what is odd about the file.
func (w *Weights) Add(path string, f File) {
	w.Files = append(w.Files, f)
	w.Tensors = append(w.Tensors, f.Tensors()...)
	if s, ok := f.(*sharded.File); ok {
		w.Say(path, "%s", s.Describe())
		return
	}
	if s, ok := f.(*safetensors.File); ok {
		w.addMetadata(s.Metadata())
	}
	torch, isTorch := f.(*torchbin.File)
	if named := strings.EqualFold(filepath.Ext(path), ".safetensors"); named == isTorch {
		what := map[bool]string{true: "a PyTorch file", false: "safetensors"}[isTorch]
		w.Note(path, "", "a file under its right name", "holds %s, which its name does not say; read as what it is", what)
	}
	if !isTorch {
		return
	}
	if left, n := torch.Ignored(); n > 0 {
		w.Say(path, "found %s beside the tensors of the model: %s; ignored", badfile.Count(n, "entry"), badfile.List(left, n))
	}
}
