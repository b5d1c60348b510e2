package hf

import (
	"slices"
	"testing"

	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/tensor"
)

// The example in the documentation of huggingface_hub's splitter, and a tensor larger than a shard, which goes before
// the shard that is being filled.
func TestSplit(t *testing.T) {
	for _, test := range []struct {
		sizes []int
		want  [][]int
	}{
		{[]int{6, 6, 2, 6, 2, 2}, [][]int{{6}, {6, 2}, {6, 2, 2}}},
		{[]int{4, 11, 6, 1}, [][]int{{11}, {4, 6}, {1}}},
		{[]int{10}, [][]int{{10}}},
		{[]int{11}, [][]int{{11}}},
	} {
		var sources []write.Source
		for _, n := range test.sizes {
			sources = append(sources, write.Source{DType: tensor.F32, Shape: []int{n}})
		}
		var got [][]int
		for _, s := range Split(sources, 4*10, func(string) string { return "" }) {
			var sizes []int
			for _, src := range s.Sources {
				sizes = append(sizes, src.Shape[0])
			}
			got = append(got, sizes)
		}
		if !slices.EqualFunc(got, test.want, slices.Equal) {
			t.Errorf("%v: got %v, want %v", test.sizes, got, test.want)
		}
	}
}
