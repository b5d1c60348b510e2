package convert

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// units are the suffixes of a size, longest first. GB is decimal as Hugging Face counts it; K, M and G alone are
// decimal as llama.cpp's --split-max-size counts them.
var units = []struct {
	suffix string
	bytes  float64
}{
	{"KIB", 1 << 10}, {"MIB", 1 << 20}, {"GIB", 1 << 30}, {"TIB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
	{"K", 1e3}, {"M", 1e6}, {"G", 1e9}, {"B", 1}, {"", 1},
}

// ParseSize reads a number of bytes such as "5GB", "200MB", "2GiB" or "4096".
func ParseSize(text string) (int64, error) {
	upper := strings.ToUpper(strings.TrimSpace(text))
	for _, u := range units {
		number, ok := strings.CutSuffix(upper, u.suffix)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(v*u.bytes >= 1) || v*u.bytes > math.MaxInt64/2 {
			break
		}
		return int64(v * u.bytes), nil
	}
	return 0, fmt.Errorf("%q is not a size: expected a number with a unit, such as 5GB or 200MB", text)
}
