package names

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/config"
)

// dims is a shape in the symbols of package config, outermost dimension first: a sum of sizes, each of them perhaps with
// a factor before it, or a quotient of two. A dimension that begins with = shows its size: it is where a size is read that
// the configuration does not state.
type dims []string

// of returns the shape of a configuration with these sizes.
func (d dims) of(s config.Sizes) []int {
	shape := make([]int, len(d))
	for i, text := range d {
		for term := range strings.SplitSeq(strings.TrimPrefix(text, "="), "+") {
			over, under, divided := strings.Cut(term, "/")
			n := value(over, s)
			if divided {
				n /= value(under, s)
			}
			shape[i] += n
		}
	}
	return shape
}

// value is that of a size, a number, or a number times a size.
func value(term string, s config.Sizes) int {
	symbol := strings.TrimLeft(term, "0123456789")
	factor := 1
	if digits := term[:len(term)-len(symbol)]; digits != "" {
		factor, _ = strconv.Atoi(digits)
	}
	if symbol == "" {
		return factor
	}
	n, ok := s[symbol]
	if !ok {
		panic(fmt.Sprintf("names: no size %q", term))
	}
	return factor * n
}

// show adds the sizes that a tensor of this shape shows and that are not yet among shown.
func (d dims) show(shape []int, shown config.Sizes) {
	if len(shape) != len(d) {
		return
	}
	for i, text := range d {
		if symbol, shows := strings.CutPrefix(text, "="); shows {
			if _, already := shown[symbol]; !already {
				shown[symbol] = shape[i]
			}
		}
	}
}
