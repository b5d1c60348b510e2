package doctor

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/layout"
	gguflayout "github.com/gomamba/gomamba/internal/layout/gguf"
	"github.com/gomamba/gomamba/internal/layout/mistral"
	"github.com/gomamba/gomamba/internal/layouts"
)

// Survey is what the files of a checkpoint hold, without a judgement whether it is a model that this library knows: what
// is left to say of a hybrid, of another architecture, of quantized weights.
type Survey struct {
	Path, Layout string
	Model        string // what the configuration calls the architecture; empty if it does not say
	Config       string // as it is stored, as JSON; empty for GGUF, whose keys are not JSON
	Tensors      []Stored
	// Blocks is the number of blocks, and SSM lists those that have a state space model, by the name of its A.
	Blocks int
	SSM    []int
}

// Stored is a tensor as it is stored. DType is the format's own name for the type of the elements, usable or not.
type Stored struct {
	Name, DType string
	Shape       []int // as PyTorch gives it, outermost first
	Bytes       int
	File        string
}

// NewSurvey reads the headers of the files at path, which is as in Open. Errors: those of Open for files that cannot be
// read as what they claim to be.
func NewSurvey(path string) (*Survey, error) {
	src, l, err := layouts.Detect(path)
	if err != nil {
		return nil, err
	}
	s := &Survey{Path: src.Dir, Layout: l.Name}
	switch l.Name {
	case gguflayout.Name:
		err = s.takeGGUF()
	case mistral.Name:
		params, weights := mistral.Folder(src)
		if err = s.takeConfig(params); err == nil {
			err = s.take(weights)
		}
	default:
		if err = s.takeConfig(filepath.Join(src.Dir, filenames.Config)); err == nil {
			err = s.takeFolder(src)
		}
	}
	if err != nil {
		return nil, err
	}
	s.countBlocks()
	return s, nil
}

// takeConfig reads what a config says of the architecture.
func (s *Survey) takeConfig(path string) error {
	data, err := jsonobj.ReadFile(path, config.MaxFile)
	if err != nil {
		return layout.NotLinked(path, err)
	}
	keys, err := jsonobj.Parse(data)
	if err != nil {
		return nil // Open has said so; the tensors can be listed all the same
	}
	s.Config = string(data)
	text := func(keys jsonobj.Members, key string) string {
		v, _ := keys.Get(key)
		t, _ := v.Text()
		return t
	}
	if s.Model = text(keys, "model_type"); s.Model != "" {
		return nil
	}
	if v, ok := keys.Get("ssm_cfg"); ok {
		members, _ := v.Members()
		s.Model = text(members, "layer")
	}
	return nil
}

// takeFolder lists the file that holds the weights, or the shards.
func (s *Survey) takeFolder(src layout.Source) error {
	path, err := layout.WeightsOf(src)
	if err != nil {
		return err
	}
	if !filenames.IsIndex(filepath.Base(path)) {
		return s.take(path)
	}
	shards, err := layout.Shards(path)
	if err != nil {
		return err
	}
	for _, shard := range shards {
		if err := s.take(shard); err != nil {
			return err
		}
	}
	return nil
}

// take lists the tensors of a file, of which nothing stays mapped.
func (s *Survey) take(path string) error {
	f, err := layout.OpenFile(path)
	if err != nil {
		return layout.NotLinked(path, err)
	}
	for _, t := range f.Tensors() {
		s.Tensors = append(s.Tensors, Stored{strings.Clone(t.Name), t.DType.String(), slices.Clone(t.Shape), len(t.Data), path})
	}
	return f.Close()
}

// takeGGUF lists the tensors of a GGUF file, of any type that ggml knows.
func (s *Survey) takeGGUF() error {
	path := s.Path
	if info, err := files.Stat(path); err == nil && info.IsDir() {
		path, _ = filenames.GGUF(path) // it matched
	}
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	arch, _ := f.Str("general.architecture")
	s.Model = strings.Clone(arch) // the file is closed before it is used
	for _, t := range f.Tensors() {
		s.Tensors = append(s.Tensors, Stored{strings.Clone(t.Name), t.Type.String(), slices.Clone(t.Shape), len(t.Data), t.File})
	}
	return f.Close()
}

// countBlocks counts by names such as "model.layers.4.mamba.A_log" and "blk.4.ssm_a".
func (s *Survey) countBlocks() {
	for _, t := range s.Tensors {
		parts := strings.Split(t.Name, ".")
		for i, part := range parts[:len(parts)-1] {
			n, err := strconv.Atoi(part)
			if err != nil || n < 0 || i == 0 || !slices.Contains([]string{"layers", "blk", "h", "blocks"}, parts[i-1]) {
				continue
			}
			s.Blocks = max(s.Blocks, min(n, maxBlocks)+1)
			if last := parts[len(parts)-1]; last == "A_log" || last == "ssm_a" {
				s.SSM = append(s.SSM, n)
			}
			break
		}
	}
	slices.Sort(s.SSM)
	s.SSM = slices.Compact(s.SSM)
}

// maxBlocks bounds what is believed of a name.
const maxBlocks = 1 << 20
