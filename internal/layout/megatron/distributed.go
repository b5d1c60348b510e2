package megatron

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/sharded"
	"github.com/gomamba/gomamba/internal/torchbin"
)

// sections are the kinds of rows that lie apart in this form, by the name of the tensor within its layer (_split_tensor_factory in
// megatron/core/ssm).
var sections = map[string][]string{
	"mixer.in_proj.weight": {"z", "x", "B", "C", "dt"}, "mixer.conv1d.weight": {"x", "B", "C"}, "mixer.conv1d.bias": {"x", "B", "C"},
}

// openDistributed reads what Megatron saves by torch.distributed ("torch_dist").
func openDistributed(dir string, w *layout.Weights) (*state, error) {
	s := &state{dir: dir, byName: map[string]int{}}
	f, err := sharded.Open(dir)
	if err != nil {
		return nil, err
	}
	w.Files = append(w.Files, f)
	if err := s.commonArguments(f, w); err != nil {
		return nil, err
	}
	for _, t := range f.Tensors() {
		if ofOthers(t.Name) {
			continue
		}
		boxes, ok := t.Boxes()
		if !ok || len(t.Shape) == 0 {
			return nil, s.bad(t.Name, "is %s %s, expected a vector or a matrix", t.DType, badfile.Shape(t.Shape))
		}
		if err := s.add(whole{name: strings.TrimPrefix(t.Name, "model."), file: t.File, dtype: t.DType, shape: t.Shape, boxes: boxes}); err != nil {
			return nil, err
		}
	}
	return s, s.stackSections()
}

// commonArguments reads the arguments from common.pt, or from where torch.distributed has what is not a tensor.
func (s *state) commonArguments(f *sharded.File, w *layout.Weights) error {
	path := filepath.Join(s.dir, fileCommon)
	if layout.Exists(path) {
		t, err := torchbin.OpenTree(path)
		if err != nil {
			return err
		}
		w.Files = append(w.Files, t)
		return s.takeArguments(path, t.Root().Get("args"))
	}
	o, err := f.Object("args")
	if err != nil {
		return err
	}
	return s.takeArguments(s.dir, o)
}

// stackSections puts the kinds of rows together that lie apart.
func (s *state) stackSections() error {
	all := s.stored
	s.stored, s.byName = nil, make(map[string]int, len(all))
	apart := make(map[string][]*whole)
	var order []string
	for i := range all {
		at := strings.LastIndexByte(all[i].name, '.')
		base, kind := all[i].name[:max(at, 0)], all[i].name[at+1:]
		_, rest := layerOf(base)
		k := slices.Index(sections[rest], kind)
		if k < 0 {
			if err := s.add(all[i]); err != nil {
				return err
			}
			continue
		}
		if apart[base] == nil {
			apart[base], order = make([]*whole, len(sections[rest])), append(order, base)
		}
		apart[base][k] = &all[i]
	}
	for _, base := range order {
		_, rest := layerOf(base)
		if k := slices.Index(apart[base], nil); k >= 0 {
			return s.bad(base+"."+sections[rest][k], "is missing beside %s", badfile.Quote(base+"."+sections[rest][(k+1)%len(sections[rest])]))
		}
		t, err := stack(base, 0, apart[base]...)
		if err != nil {
			return s.bad(base, "%v", err)
		}
		if err := s.add(*t); err != nil {
			return err
		}
	}
	return nil
}
