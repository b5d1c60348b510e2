package plot

import (
	"fmt"
	"math"
	"strings"

	"github.com/gomamba/gomamba/internal/samebits"
)

// Log is a logarithmic axis. Values that are not positive have a place of their own below all others.
type Log struct {
	low, high float64 // exponents of ten
	from, to  float64 // pixels of low and high
	zero      bool
}

// NewLog returns the axis for values on the pixels from and to, with room to the next half power of ten.
func NewLog(values []float64, from, to float64) Log {
	a := Log{low: math.Inf(1), high: math.Inf(-1), from: from, to: to}
	for _, v := range values {
		switch e := samebits.Log(v) / math.Ln10; {
		case v <= 0:
			a.zero = true
		case !math.IsNaN(e) && !math.IsInf(e, 0):
			a.low, a.high = min(a.low, e), max(a.high, e)
		}
	}
	if a.low > a.high {
		a.low, a.high = -1, 0
	}
	a.low, a.high = float64(math.Floor(2*a.low+1e-9)/2), float64(math.Ceil(2*a.high-1e-9)/2)
	if a.high == a.low {
		a.high += 0.5
	}
	if a.zero {
		a.low -= 0.5
	}
	return a
}

// At returns the pixel of a value.
func (a Log) At(v float64) float64 {
	e := a.low
	if v > 0 {
		e = min(max(samebits.Log(v)/math.Ln10, a.low), a.high)
	}
	return a.from + float64((e-a.low)/(a.high-a.low)*(a.to-a.from))
}

// Tick is a place on an axis and its label.
type Tick struct {
	At   float64
	Text string
}

// Decades returns the powers of ten on the axis, as many as do not crowd one another.
func (a Log) Decades() []Tick {
	var ticks []Tick
	first := math.Ceil(a.low)
	if a.zero {
		first = math.Ceil(a.low + 0.5)
		ticks = append(ticks, Tick{a.from, "0"})
	}
	every := max(1, math.Ceil(16*(a.high-a.low)/math.Abs(a.to-a.from)))
	for e := first; e <= a.high; e++ {
		if math.Mod(e, every) == 0 {
			ticks = append(ticks, Tick{a.from + float64((e-a.low)/(a.high-a.low)*(a.to-a.from)), power(int(e))})
		}
	}
	return ticks
}

// power spells a power of ten.
func power(e int) string {
	return "10" + strings.NewReplacer("-", "⁻", "0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴", "5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸",
		"9", "⁹").Replace(fmt.Sprint(e))
}
