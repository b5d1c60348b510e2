package parity

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/tensor"
)

// Verdict is the outcome of a comparison.
type Verdict string

// The four verdicts.
const (
	Identical     Verdict = "identical"      // the same bits
	RoundingOnly  Verdict = "rounding only"  // no farther apart than rounding explains, or than the given tolerance
	Different     Verdict = "different"      // a tensor fails
	NotComparable Verdict = "not comparable" // not the same prompt, model shape or kind of result, or a misspelt name
)

// Report is the result. Its JSON form is a contract of the verify command.
type Report struct {
	Passed          bool        `json:"passed"`
	Verdict         Verdict     `json:"verdict"`
	Reason          string      `json:"reason,omitempty"` // why it is not comparable
	FirstDivergence *Divergence `json:"first_divergence"` // nil when everything passed
	Tensors         []Tensor    `json:"tensors"`          // in the order the network computes them
	Judge           string      `json:"judge"`            // what distances are measured from

	NotCompared []Foreign `json:"not_compared,omitempty"` // tensors of the reference that a dump gives no meaning to
	Arithmetic  string    `json:"arithmetic,omitempty"`   // "BF16" or "F16" if the reference was judged as computed in that
	Hint        string    `json:"hint,omitempty"`         // what explains a difference
	Routes      []Route   `json:"routes,omitempty"`       // other choices of routers that explain one

	NonFinite string `json:"non_finite,omitempty"` // the first of our own values that is not finite
}

// Foreign is a tensor of the reference that was not compared.
type Foreign struct {
	Name  string `json:"name"`
	Meant string `json:"meant,omitempty"` // a name that it nearly is and that the reference lacks
}

// Divergence is the first element that fails, in the first tensor that fails.
type Divergence struct {
	Tensor string        `json:"tensor"`
	Layer  int           `json:"layer"` // index of the block; -1 where no block is to blame
	Index  []int         `json:"index"` // one number for each dimension
	Got    tensor.Number `json:"got"`   // ours
	Want   tensor.Number `json:"want"`  // the reference's
}

// Where says where in the network the tensor is computed, such as "in layer 3".
func (d *Divergence) Where() string {
	switch {
	case d.Layer >= 0:
		return fmt.Sprintf("in layer %d", d.Layer)
	case d.Tensor == dump.HiddenState(0):
		return "before the first layer" // a hybrid's embedding
	}
	return "after the last layer"
}

// Tensor is the comparison of one tensor.
type Tensor struct {
	Name      string        `json:"name"`
	MaxAbs    tensor.Number `json:"max_abs"`     // largest distance from the judge
	MaxRel    tensor.Number `json:"max_rel"`     // MaxAbs relative to the tensor's largest magnitude
	Allowed   tensor.Number `json:"allowed"`     // what MaxAbs may be
	OwnMaxAbs tensor.Number `json:"own_max_abs"` // the same distance of our float32 results
	Scale     tensor.Number `json:"scale"`       // largest magnitude of the judge's values
	Identical bool          `json:"identical"`
	Passed    bool          `json:"passed"`
	Worst     *Element      `json:"worst,omitempty"` // the element that MaxAbs is the distance of; nil where all are the same
}

// Element is one element of a tensor with the value that it is compared with.
type Element struct {
	Index []int         `json:"index"` // one number for each dimension
	Value tensor.Number `json:"value"`
	Judge tensor.Number `json:"judge"` // what it was measured from
}

// layerOf returns the index of the block that a tensor of a dump belongs to, or -1. Of L+1 hidden states the last one,
// after the final norm, belongs to none.
func layerOf(name string, layers int) int {
	at := strings.LastIndexByte(name, '.')
	if l, err := strconv.Atoi(name[at+1:]); err == nil && l < layers {
		return l
	}
	return -1
}

// coordinates splits the index of an element into one number for each dimension.
func coordinates(i int, shape []int) []int {
	at := make([]int, len(shape))
	for d := len(shape) - 1; d >= 0; d-- {
		at[d] = i % shape[d]
		i /= shape[d]
	}
	return at
}

// conclude fills in verdict and first divergence.
func (r *Report) conclude() {
	r.Passed, r.Verdict = true, Identical
	for _, t := range r.Tensors {
		if !t.Identical && r.Verdict == Identical {
			r.Verdict = RoundingOnly
		}
		if !t.Passed {
			r.Passed, r.Verdict = false, Different
		}
	}
}

// doubt withdraws a verdict that passes although values of ours are not finite: a NaN agrees with every other, and says nothing
// about how it came about.
func (r *Report) doubt() {
	if r.Passed && r.NonFinite != "" {
		r.Reason = fmt.Sprintf("the model computes non-finite values: %s; what follows from them cannot be judged", r.NonFinite)
		r.Passed, r.Verdict = false, NotComparable
	}
}
