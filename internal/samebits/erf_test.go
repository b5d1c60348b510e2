package samebits

import (
	"hash/fnv"
	"math"
	"testing"
)

// TestErf compares with math.Erf, which is within one unit of the last place, and with a hash that every machine must reproduce.
func TestErf(t *testing.T) {
	h, worst := fnv.New64a(), 0.0
	for x := -6.5; x < 6.5; x += 1.0 / 1021 {
		got, want := Erf(x), math.Erf(x)
		worst = max(worst, math.Abs(got-want)/(math.Nextafter(math.Abs(want), 2)-math.Abs(want)))
		bits := math.Float64bits(got)
		for i := range 8 {
			h.Write([]byte{byte(bits >> (8 * i))})
		}
	}
	if t.Logf("%.2f units of the last place from math.Erf", worst); worst > 2 {
		t.Errorf("off by %.2f units of the last place", worst)
	}
	if got, want := h.Sum64(), uint64(0x4bffa3b142ea0805); got != want {
		t.Errorf("hash %#016x, want %#016x", got, want)
	}
	for x, want := range map[float64]float64{0: 0, 1e-300: math.Erf(1e-300), math.Inf(1): 1, math.Inf(-1): -1} {
		if got := Erf(x); math.Abs(got-want) > 2e-16*math.Abs(want) {
			t.Errorf("Erf(%v) = %v, expected %v", x, got, want)
		}
	}
	if v := Erf(math.NaN()); v == v {
		t.Errorf("Erf(NaN) = %v", v)
	}
}
