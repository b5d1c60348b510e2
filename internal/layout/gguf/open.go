package gguf

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/filetype"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/internal/scheme"
	"github.com/gomamba/gomamba/internal/tags"
	"github.com/gomamba/gomamba/tensor"
)

// Name of the layout.
const Name = "gguf"

const ending = ".gguf"

// Layout is the layout of llama.cpp: one file, or the parts of a split one, alone or in a folder that holds no other.
var Layout = layout.Layout{
	Name: Name, Ending: ending, Asked: asked, Match: match, Open: open, List: list,
	Settings: "its metadata", StoredName: storedName, Wholes: names.InGGUF, AlwaysF32: alwaysF32,
	Stops: stops, Generation: generation, NewTarget: newTarget,
	Repo: layout.Repo{Choose: tags.Default},
}

// asked recognises a file by its name or by its first bytes: programs that keep models by their hash give them no ending.
func asked(path string) (layout.Source, bool) {
	return layout.Source{Dir: path}, strings.EqualFold(filepath.Ext(path), ending) || strings.HasPrefix(layout.FirstBytes(path), "GGUF")
}

func match(src layout.Source) bool {
	_, ok := filenames.GGUF(src.Dir)
	return ok
}

// pathOf returns the path of the file, or of the one in a folder.
func pathOf(src layout.Source) string {
	if info, err := files.Stat(src.Dir); err == nil && info.IsDir() {
		path, _ := filenames.GGUF(src.Dir) // it matched
		return path
	}
	return src.Dir
}

// list lists tensors of any type that ggml knows.
func list(src layout.Source) (*layout.Listing, error) {
	f, err := gguf.Open(pathOf(src))
	if err != nil {
		return nil, err
	}
	arch, _ := f.Str("general.architecture")
	l := &layout.Listing{Model: strings.Clone(arch)} // the file is closed before it is used
	for _, t := range f.Tensors() {
		l.Tensors = append(l.Tensors, layout.Listed{Name: strings.Clone(t.Name), DType: t.Type.String(), Shape: slices.Clone(t.Shape), Bytes: len(t.Data), File: t.File})
	}
	return l, f.Close()
}

// open reads the keys and maps the tensors of a GGUF file, or of the one in a folder. Tensors get their canonical
// names and shapes; A becomes A_log, for which a copy is made.
func open(src layout.Source) (_ config.Config, _ *layout.Weights, err error) {
	path := pathOf(src)
	f, err := gguf.Open(path)
	if err != nil {
		return nil, nil, err
	}
	w := &layout.Weights{Source: path, Files: []layout.Mapped{f}, Keys: f.KVs(), FileType: fileType(f.KVs())}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	vocab, head := 0, false
	for _, t := range f.Tensors() {
		p, err := t.Weight()
		if err != nil {
			return nil, nil, err
		}
		switch t.Name {
		case names.EmbeddingGGUF:
			if len(t.Shape) == 2 {
				vocab = t.Shape[0]
			}
		case names.HeadGGUF:
			head = true
		}
		w.Listed = append(w.Listed, p)
	}
	if kind, _ := f.Str("general.type"); vocab == 0 && kind != "" && kind != "model" {
		return nil, nil, &badfile.UnsupportedError{File: path, Where: "general.type", Detail: fmt.Sprintf("is %s: expected a model", badfile.Quote(kind))}
	}
	if vocab == 0 {
		return nil, nil, &badfile.FormatError{File: path, Where: `tensor "token_embd.weight"`, Detail: "missing or not a matrix; the model's vocabulary is its rows"}
	}
	cfg, err := parseConfig(path, f, vocab, !head)
	if err != nil {
		return nil, nil, err
	}
	weights, scales, inputs := parted(w.Listed)
	w.Activations = inputs
	err = mmap.Guard(func() (err error) {
		w.Tensors, err = canonical(weights, scales, cfg)
		return err
	})
	if err == nil && config.Hybrid(cfg.Family()) {
		err = refuseUnknown(w.Tensors, cfg)
	}
	return cfg, w, err
}

// fileType returns the name of the file type that a file states; empty if it states none that llama-quantize has.
func fileType(keys []gguf.KV) string {
	if n, ok := fileTypeNumber(keys); ok {
		if f, ok := filetype.Numbered(n); ok {
			return f.Title()
		}
	}
	return ""
}

// fileTypeNumber returns the number of the file type that a file states.
func fileTypeNumber(keys []gguf.KV) (n uint32, ok bool) {
	v, ok := gguf.Find(keys, keyFileType)
	if !ok {
		return 0, false
	}
	number, err := v.Uint()
	return uint32(number), err == nil && number <= math.MaxUint32
}

// refuseUnknown refuses tensors in the blocks of a hybrid that it does not have, such as biases: the network is another one with
// them. Blocks after the last, by which further tokens are predicted, do not count.
func refuseUnknown(tensors []tensor.Tensor, cfg config.Config) error {
	wholes, err := names.InGGUF(cfg)
	if err != nil {
		return err
	}
	known := make(map[string]bool, len(wholes))
	for _, w := range wholes {
		known[w.Name] = true
	}
	for _, t := range tensors {
		var layer int
		if n, _ := fmt.Sscanf(t.Name, "blk.%d.", &layer); n == 1 && layer >= 0 && layer < cfg.Shared().NumHiddenLayers && !known[t.Name] {
			return &badfile.UnsupportedError{File: t.File, Where: badfile.Tensor(t.Name),
				Detail: fmt.Sprintf("is not a tensor of a %s model that can be run", config.Title(cfg.Family()))}
		}
	}
	return nil
}

// parted takes out of a list the scales of whole weights, which NVFP4 has, by the names of these, and those of their inputs, which
// are not used.
func parted(listed []tensor.Tensor) (weights []tensor.Tensor, scales map[string]tensor.Tensor, inputs []string) {
	there := make(map[string]bool, len(listed))
	for _, t := range listed {
		there[t.Name] = true
	}
	scales = map[string]tensor.Tensor{}
	for _, t := range listed {
		scaled, isScale := strings.CutSuffix(t.Name, scaleEnding)
		fed, isInput := strings.CutSuffix(t.Name, inputScaleEnding)
		switch {
		case isScale && there[scaled+weightEnding]:
			scales[scaled+weightEnding] = t
		case isInput && there[fed+weightEnding]:
			inputs = append(inputs, t.Name)
		default:
			weights = append(weights, t)
		}
	}
	return weights, scales, inputs
}

// canonical gives stored tensors their canonical names, shapes and values. A name without one stays as it is.
func canonical(listed []tensor.Tensor, scales map[string]tensor.Tensor, cfg config.Config) ([]tensor.Tensor, error) {
	table, err := names.Table(cfg)
	if err != nil {
		return nil, err
	}
	shapes := make(map[string][]int, len(table))
	for _, spec := range table {
		shapes[spec.Name] = spec.Shape
	}
	var tensors []tensor.Tensor
	logs := make(map[int]string)       // of tensors that hold A: index and stored name
	turned := make(map[int]names.GGUF) // of tensors whose rows are interleaved: index
	scaled := make(map[int]tensor.Tensor)
	for _, t := range listed {
		if scale, ok := scales[t.Name]; ok {
			scaled[len(tensors)] = scale
		}
		name, stored, ok := names.FromGGUF(cfg, t.Name)
		if !ok {
			tensors = append(tensors, t)
			continue
		}
		if stored.Zeros && t.DType.Float() && zero(t) {
			continue // these stand for no bias, see convert
		}
		t.Name = name
		if shape := shapes[name]; shape != nil && slices.Equal(squeeze(t.Shape), squeeze(stored.Shape)) {
			t.Shape = shape // Mamba-2 files made before llama.cpp's pull request 9126 have this one already
		} else if len(t.Shape) == 2 && len(stored.Shape) == 2 && strings.HasSuffix(name, "conv1d.weight") {
			t.Shape = []int{t.Shape[0], 1, t.Shape[1]} // of other sizes than expected: reported in the usual terms
		} else if len(shape) == 1 && len(t.Shape) == 2 && t.Shape[1] == 1 {
			t.Shape = t.Shape[:1] // likewise
		}
		if stored.NegExp {
			logs[len(tensors)] = stored.Name
		}
		if stored.Heads > 0 && slices.Equal(t.Shape, stored.Shape) {
			turned[len(tensors)] = stored
		}
		tensors = append(tensors, t)
	}
	inOrder(tensors, turned)
	for _, i := range slices.Sorted(maps.Keys(scaled)) {
		if tensors[i], err = scheme.WithScale(tensors[i], scaled[i]); err != nil {
			return nil, err
		}
	}
	return tensors, takeLogs(tensors, logs)
}

// inOrder gives interleaved rows the order that they have in Hugging Face's files, in copies. They are whole blocks.
func inOrder(tensors []tensor.Tensor, turned map[int]names.GGUF) {
	pool := parallel.NewPool(0)
	defer pool.Close()
	order := slices.Sorted(maps.Keys(turned))
	pool.Run(len(order), 1, func(lo, hi int) {
		for _, i := range order[lo:hi] {
			t, stored := &tensors[i], turned[i]
			rows, from := make([]byte, len(t.Data)), t.Data
			size := len(rows) / stored.Shape[0]
			for row := range stored.Shape[0] {
				copy(rows[stored.Row(row)*size:][:size], from[row*size:])
			}
			t.Data = rows
		}
	})
}

// zero reports whether all elements are.
func zero(t tensor.Tensor) bool {
	return !slices.ContainsFunc(tensor.Float32s(t), func(v float32) bool { return v != 0 })
}

// squeeze drops the dimensions of 1, as llama.cpp's converter does to a convolution, one with a single tap included.
func squeeze(shape []int) []int {
	return slices.DeleteFunc(slices.Clone(shape), func(n int) bool { return n == 1 })
}

// takeLogs replaces A by A_log in the tensors of the given indices, on all cores. Errors have their stored names.
func takeLogs(tensors []tensor.Tensor, logs map[int]string) error {
	pool := parallel.NewPool(0)
	defer pool.Close()
	order := slices.Sorted(maps.Keys(logs))
	failed := make([]error, len(order))
	pool.Run(len(order), 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			t := &tensors[order[i]]
			values := make([]float32, t.Elems())
			if err := names.LogNeg(values, tensor.Float32s(*t)); err != nil {
				failed[i] = &badfile.FormatError{File: t.File, Where: badfile.Tensor(logs[order[i]]), Detail: err.Error()}
				return
			}
			t.DType, t.Data = tensor.F32, tensor.Bytes(values)
		}
	})
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}
