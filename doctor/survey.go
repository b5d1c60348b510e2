package doctor

import (
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/layouts"
)

// Survey lists what the files of a checkpoint hold, whether or not it is a model that this library knows. It works for hybrids,
// other architectures and unknown quantized weights.
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
	held, err := l.List(src)
	if err != nil {
		return nil, err
	}
	s := &Survey{Path: src.Dir, Layout: l.Name, Model: held.Model, Config: held.Config}
	for _, t := range held.Tensors {
		s.Tensors = append(s.Tensors, Stored(t))
	}
	s.countBlocks()
	return s, nil
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
