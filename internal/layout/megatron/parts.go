package megatron

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/sharded"
	"github.com/gomamba/gomamba/internal/torchbin"
	"github.com/gomamba/gomamba/tensor"
)

// part is the file of one part of the model.
type part struct {
	*torchbin.Tree
	model torchbin.Object
}

// openParts joins the parts in which the model lies, as tools/checkpoint/hybrid_conversion.py of Megatron does.
func openParts(dir string, w *layout.Weights) (*state, error) {
	s := &state{dir: dir, byName: map[string]int{}}
	paths, err := s.paths()
	if err != nil {
		return nil, err
	}
	parts := make([]part, len(paths))
	for i, path := range paths {
		t, err := torchbin.OpenTree(path)
		if err != nil {
			return nil, err
		}
		w.Files = append(w.Files, t)
		parts[i] = part{t, t.Root().Get("model")}
	}
	if err := s.check(parts); err != nil {
		return nil, err
	}
	j := joiner{s, make([]map[string]torchbin.Object, len(parts)), parts}
	for i, p := range parts {
		j.byName[i] = p.model.ByName()
	}
	if err := j.distinct(); err != nil {
		return nil, err
	}
	parts[0].model.Each(func(key, val torchbin.Object) bool {
		if name, ok := key.Text(); ok && !ofOthers(name) && val.IsTensor() {
			err = j.join(name)
		}
		return err == nil
	})
	return s, err
}

// paths lists the files of the parts. Pipelines and experts have a folder more for each of their stages.
func (s *state) paths() (paths []string, err error) {
	if layout.Exists(filepath.Join(s.dir, fileModel)) {
		return []string{filepath.Join(s.dir, fileModel)}, nil
	}
	for _, name := range files.NamesIn(s.dir, maxNames) {
		if !partName().MatchString(name) {
			continue
		}
		digits, further, staged := strings.Cut(strings.TrimPrefix(name, "mp_rank_"), "_")
		if staged {
			return nil, s.unsupported("", "found %s: the model is divided into the stages of a pipeline or by experts (%s); write it with a pipeline and experts "+
				"of size 1 by Megatron's own tools", badfile.Quote(name), further)
		}
		if n, _ := strconv.Atoi(digits); n != len(paths) {
			return nil, s.bad("", "found %s after %s; copy the folders of all parts", badfile.Quote(name), badfile.Count(len(paths), "part"))
		}
		path := filepath.Join(s.dir, name, fileModel)
		if !layout.Exists(path) {
			return nil, s.bad("", "found %s without %s; copy the folders of all parts", badfile.Quote(name), fileModel)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// check holds the parts to each other, and takes the arguments from the first.
func (s *state) check(parts []part) error {
	iteration, _ := parts[0].Root().Get("iteration").Int()
	for _, p := range parts {
		file := p.Paths()[0]
		switch n, _ := p.Root().Get("iteration").Int(); {
		case !p.model.IsDict() && p.Root().Get("model0").Found():
			return &badfile.UnsupportedError{File: file, Where: `"model0"`, Detail: "the model is divided into virtual stages of a pipeline; write it without them by Megatron's own tools"}
		case !p.model.IsDict():
			return &badfile.FormatError{File: file, Detail: fmt.Sprintf("holds %s under model, expected a dict of tensors", p.model)}
		case n != iteration:
			return &badfile.FormatError{File: file, Where: "iteration", Detail: fmt.Sprintf("found %d, and %d in the first part; the parts are of different checkpoints", n, iteration)}
		}
	}
	if err := s.takeArguments(parts[0].Paths()[0], parts[0].Root().Get("args")); err != nil {
		return err
	}
	for _, name := range []string{"pipeline_model_parallel_size", "expert_model_parallel_size"} {
		if n, ok := s.args.Int(name); ok && n > 1 {
			return s.unsupported("", "args say %s %d, expected 1; write it so by Megatron's own tools", name, n)
		}
	}
	if n, ok := s.args.Int("tensor_model_parallel_size"); ok && n != len(parts) {
		return s.bad("", "args say tensor_model_parallel_size %d, found %s; copy the folders of all parts", n, badfile.Count(len(parts), "part"))
	}
	return nil
}

// takeArguments reads the arguments of the run.
func (s *state) takeArguments(file string, o torchbin.Object) error {
	var ok bool
	if s.args, ok = argumentsOf(o); !ok {
		return &badfile.FormatError{File: file, Where: "args", Detail: fmt.Sprintf("found %s, expected the argparse.Namespace of Megatron, which says the model's sizes", o)}
	}
	return nil
}

// joiner joins the tensors of all parts.
type joiner struct {
	*state
	byName []map[string]torchbin.Object // by part
	parts  []part
}

// distinct refuses parts of which two have the same in all tensors that are divided: one was copied in the place of another.
func (j *joiner) distinct() error {
	for i, p := range j.parts {
		for k := range i {
			if j.same(i, k) {
				return sharded.Copied(p.Paths()[0], j.parts[k].Paths()[0])
			}
		}
	}
	return nil
}

// same reports whether two parts have the same in all divided tensors. It reads no further than the first difference.
func (j *joiner) same(i, k int) bool {
	same := false
	for name, o := range j.byName[i] {
		if replicated(name) || ofOthers(name) || !o.IsTensor() {
			continue
		}
		list, err := j.of(name)
		if err != nil || !bytes.Equal(list[i].boxes[0].Data, list[k].boxes[0].Data) {
			return false // join reports the error
		}
		same = true
	}
	return same
}

// of returns a tensor of each part.
func (j *joiner) of(name string) ([]*whole, error) {
	list := make([]*whole, len(j.parts))
	for i, have := range j.byName {
		t, err := have[name].Tensor(name)
		if err != nil && !have[name].Found() {
			return nil, j.bad(name, "is missing in part %d, and part 0 has it", i)
		}
		if err != nil {
			return nil, err
		}
		if !t.DType.Plain() || len(t.Shape) == 0 {
			return nil, &badfile.FormatError{File: t.File, Where: badfile.Tensor(name), Detail: fmt.Sprintf("is %s %s, expected a vector or a matrix", t.DType, badfile.Shape(t.Shape))}
		}
		list[i] = &whole{name: name, file: t.File, dtype: t.DType, shape: t.Shape, boxes: []tensor.Box{{Offset: make([]int, len(t.Shape)), Shape: t.Shape, Data: t.Data}}}
	}
	return list, nil
}

// join adds a tensor of all parts.
func (j *joiner) join(name string) error {
	list, err := j.of(name)
	if err != nil {
		return err
	}
	if len(list) == 1 || replicated(name) {
		return j.add(*list[0])
	}
	layer, rest := layerOf(name)
	var t *whole
	switch {
	case rest == "mixer.in_proj.weight", strings.HasPrefix(rest, "mixer.conv1d"):
		t, err = j.sections(name, layer, list)
	case rest == "mixer.out_proj.weight", rest == "self_attention.linear_proj.weight", rest == "mlp.linear_fc2.weight":
		t, err = stack(name, 1, list...)
	default:
		t, err = stack(name, 0, list...)
	}
	if err != nil {
		return j.bad(name, "%v", err)
	}
	return j.add(*t)
}

// replicated reports whether every part has the whole tensor: the norms before blocks, and the last.
func replicated(name string) bool {
	return strings.HasSuffix(name, "layer_norm_weight") || strings.HasSuffix(name, "norm.weight") && !strings.HasSuffix(name, "mixer.norm.weight")
}

// sections joins a tensor of a mixer whose rows are of z, x, B, C and dt, or of x, B and C: those of each are divided among the parts.
func (j *joiner) sections(name string, layer int, list []*whole) (*whole, error) {
	in := "decoder.layers." + strconv.Itoa(layer) + ".mixer."
	out, err := j.of(in + "out_proj.weight")
	if err != nil {
		return nil, err
	}
	logs, err := j.of(in + "A_log")
	if err != nil {
		return nil, err
	}
	sorted := make([][]*whole, 5)
	for i, t := range list {
		if len(out[i].shape) != 2 || len(logs[i].shape) != 1 {
			return nil, fmt.Errorf("its layer has out_proj %s and A_log %s, expected a matrix and a vector", badfile.Shape(out[i].shape), badfile.Shape(logs[i].shape))
		}
		inner, heads := out[i].shape[1], logs[i].shape[0]
		sizes := []int{inner, inner, 0, 0, heads} // z, x, B, C, dt
		if strings.Contains(name, "conv1d") {
			sizes[0], sizes[4] = 0, 0
		}
		rest := t.shape[0] - sizes[0] - sizes[1] - sizes[4]
		if rest < 0 || rest%2 != 0 {
			return nil, fmt.Errorf("has %d rows in part %d, which %d channels and %d heads do not divide", t.shape[0], i, inner, heads)
		}
		sizes[2], sizes[3] = rest/2, rest/2
		at := 0
		for k, n := range sizes {
			sorted[k] = append(sorted[k], t.rows(at, at+n))
			at += n
		}
	}
	var all []*whole
	for _, of := range sorted {
		all = append(all, of...)
	}
	return stack(name, 0, all...)
}
