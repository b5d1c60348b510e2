package loader

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
	"github.com/gomamba/gomamba/internal/torchbin"
	"github.com/gomamba/gomamba/tensor"
)

// weights are the tensors of a checkpoint and the files behind them.
type weights struct {
	config  string // the name of the file with the configuration, where that is not config.json
	source  string // the file that speaks for all in messages: the single weight file or the index of the shards
	files   []file
	tensors []tensor.Tensor   // in file order, file by file, under canonical names where the layout has others
	listed  []tensor.Tensor   // as they are stored, where that differs; else nil
	keys    []gguf.KV         // of a GGUF file
	lacking map[string]string // the shard in which the index has a tensor that is not there, by stored name
	notes   []fault           // what is odd about the files and harms nothing
}

func (w *weights) close() error {
	var errs []error
	for _, f := range w.files {
		errs = append(errs, f.Close())
	}
	w.files = nil
	return errors.Join(errs...)
}

// note adds a warning about a file.
func (w *weights) note(file, where, remedy, format string, args ...any) {
	w.notes = append(w.notes, fault{severity: Warning, file: file, where: where, detail: fmt.Sprintf(format, args...), remedy: remedy})
}

// unwrap takes off the names what training code wrapped around the model. own is the prefix that the layout itself has.
func (w *weights) unwrap(own string) error {
	listed := w.names()
	u, err := names.Unwrap(listed)
	if err == nil {
		err = u.Collision(listed)
	}
	if err != nil {
		return inFile(w.source, err)
	}
	w.setNames(u.Names)
	w.noteWrapper(u, own)
	return nil
}

func (w *weights) names() []string {
	list := make([]string, len(w.tensors))
	for i, t := range w.tensors {
		list[i] = t.Name
	}
	return list
}

// setNames renames the tensors; listed keeps the old names.
func (w *weights) setNames(list []string) {
	if slices.Equal(list, w.names()) {
		return
	}
	if w.listed == nil {
		w.listed = w.tensors
	}
	w.tensors = slices.Clone(w.tensors)
	for i := range w.tensors {
		w.tensors[i].Name = list[i]
	}
}

// noteWrapper says what names were read without.
func (w *weights) noteWrapper(u names.Unwrapped, own string) {
	var wrappers []string
	if u.Prefix != "" && u.Prefix != own {
		wrappers = append(wrappers, u.Prefix)
	}
	for _, part := range u.Parts {
		wrappers = append(wrappers, part+".")
	}
	if len(wrappers) > 0 {
		w.note(w.source, "", "the names without it", "found names in a wrapper, such as %s; read without %s", badfile.Quote(w.listed[u.First].Name), some(wrappers))
	}
}

// inFile gives an error without a file the file that it is about.
func inFile(file string, err error) error {
	if e, ok := errors.AsType[*badfile.UnsupportedError](err); ok && e.File == "" {
		e.File = file
	}
	return err
}

// weightFile is a file of tensors.
type weightFile interface {
	file
	Tensors() []tensor.Tensor
}

// openFile opens a file of tensors by what it holds, whatever its name.
func openFile(path string) (weightFile, error) {
	if holdsTorch(path) {
		return torchbin.Open(path)
	}
	return safetensors.Open(path)
}

// holdsTorch reports whether a file is PyTorch's. If its first bytes do not say, its name does.
func holdsTorch(path string) bool {
	torch, known := format(path)
	return torch || !known && !strings.EqualFold(filepath.Ext(path), ".safetensors")
}

// format recognises a file of tensors by its first bytes: PyTorch's zip archives and pickles, or the length and beginning of
// a safetensors header.
func format(path string) (torch, known bool) {
	head := firstBytes(path)
	switch {
	case len(head) > 8 && head[7] == 0 && head[8] == '{':
		return false, true
	case strings.HasPrefix(head, "PK\x03\x04"), len(head) > 1 && head[0] == 0x80 && head[1] <= 5:
		return true, true
	}
	return false, false
}

// firstBytes returns how a file begins, nothing if it cannot be read: whatever opens it says why.
func firstBytes(path string) string {
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

// weightsOf returns the file of the weights, or the index of its shards: the one that was asked for, the first of the usual
// ones, or the only one under another name.
func weightsOf(src source) (path string, err error) {
	if src.file != "" {
		return filepath.Join(src.dir, src.file), nil
	}
	for _, name := range filenames.UsualWeights {
		if path := filepath.Join(src.dir, name); exists(path) {
			return path, nil
		}
	}
	switch others := otherWeights(src.dir); {
	case len(others) == 0:
		return "", noMatch(src.dir)
	case len(others) == 1:
		return filepath.Join(src.dir, others[0]), nil
	case strings.HasPrefix(others[0], "mp_rank_") && strings.HasPrefix(others[len(others)-1], "mp_rank_"):
		return "", &badfile.UnsupportedError{File: src.dir, Detail: fmt.Sprintf("found %s that DeepSpeed or Megatron spread over several GPUs: %s; merge them first",
			badfile.Count(len(others), "part"), some(others))}
	default:
		return "", &badfile.UnsupportedError{File: src.dir, Detail: fmt.Sprintf("found %s, and none has the usual name: %s; give the file itself, or if these are shards, download "+filenames.ModelIndex,
			badfile.Count(len(others), "file")+" of weights", some(others))}
	}
}

// otherWeights lists the files of a folder that hold weights under another than the usual name. A GGUF file goes before.
func otherWeights(dir string) []string {
	found, err := list(dir)
	if err != nil || matchGGUF(source{dir: dir}) {
		return nil
	}
	return slices.DeleteFunc(filenames.OtherWeights(found), func(name string) bool { return holdsResults(filepath.Join(dir, name)) })
}

// holdsResults reports whether a file holds what a network computed, not its weights: reference files lie beside models.
func holdsResults(path string) bool {
	if filenames.IsIndex(path) || holdsTorch(path) {
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

func hasWeights(src source) bool {
	return src.file != "" || slices.ContainsFunc(filenames.UsualWeights, func(name string) bool { return exists(filepath.Join(src.dir, name)) }) ||
		len(otherWeights(src.dir)) > 0
}

// openWeights maps the weights and takes wrappers off their names. own is as in unwrap.
func openWeights(src source, own string) (*weights, error) {
	path, err := weightsOf(src)
	if err != nil {
		return nil, err
	}
	open := openSingle
	if filenames.IsIndex(filepath.Base(path)) {
		open = openShards
	}
	w, err := open(path, openFile)
	if err != nil {
		return nil, err
	}
	if err := w.unwrap(own); err != nil {
		return nil, errors.Join(err, w.close())
	}
	w.noteAdapter(src.dir)
	return w, nil
}

func openSingle(path string, open func(path string) (weightFile, error)) (*weights, error) {
	f, err := open(path)
	if err != nil {
		return nil, notLinked(path, err)
	}
	w := &weights{source: path}
	w.add(path, f)
	return w, nil
}

// add takes a file's tensors, and says what is odd about the file.
func (w *weights) add(path string, f weightFile) {
	w.files = append(w.files, f)
	w.tensors = append(w.tensors, f.Tensors()...)
	torch, isTorch := f.(*torchbin.File)
	if named := strings.EqualFold(filepath.Ext(path), ".safetensors"); named == isTorch {
		what := map[bool]string{true: "a PyTorch file", false: "safetensors"}[isTorch]
		w.note(path, "", "a file under its right name", "holds %s, which its name does not say; read as what it is", what)
	}
	if !isTorch {
		return
	}
	if left, n := torch.Ignored(); n > 0 {
		w.note(path, "", "left out", "found %s beside the tensors of the model: %s; ignored", badfile.Count(n, "entry"), someOf(left, n))
	}
}
