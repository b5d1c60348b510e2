package parity

import (
	"slices"
	"testing"

	"github.com/gomamba/gomamba/model"
)

// TestPlaced moves the keys of two sequences, padded right and on both sides, to where their tokens are.
func TestPlaced(t *testing.T) {
	b := &model.Batch{Sequences: 2, Tokens: 4, Mask: []int64{1, 1, 0, 0, 0, 1, 0, 0}}
	shape, got := placed(b, []int{2, 1, 2, 1}, []float64{1, 2, 0, 3})
	if want := []float64{1, 2, 0, 0, 0, 3, 0, 0}; !slices.Equal(got, want) || !slices.Equal(shape, []int{2, 1, 4, 1}) {
		t.Errorf("%v %v, expected %v", shape, got, want)
	}
	long := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	if shape, got := placed(b, []int{2, 1, 5, 1}, long); shape[2] != 5 || !slices.Equal(got, long) {
		t.Errorf("of more tokens than the batch has: %v %v", shape, got)
	}
}
