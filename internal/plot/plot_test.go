package plot

import (
	"bytes"
	"encoding/xml"
	"io"
	"math"
	"regexp"
	"strconv"
	"testing"
)

// TestExtremes draws values that a logarithmic axis cannot hold, and text that is not XML: the picture stays
// well-formed, and every mark lies inside its frame.
func TestExtremes(t *testing.T) {
	frame := Frame{Left: 50, Top: 20, Width: 400, Height: 200}
	for _, values := range [][]float64{
		{0, 0, 0}, {math.Inf(1), 1, 0}, {1e-300, 1e300, math.NaN()}, {1, 1, 1}, {math.Inf(1), math.Inf(1), math.NaN()},
	} {
		var marks []Mark
		var points []Pair
		for _, v := range values {
			marks = append(marks, Mark{Value: v, Title: `<"&'>`})
			points = append(points, Pair{X: v, Y: v, Class: "ours", Title: `<"&'>`})
		}
		p := New(500, 260)
		Layers{Frame: frame, Names: []string{"0", "1", "<logits>"}, Series: []Series{{Class: "ours", Marks: marks}}, FlagText: "&"}.Draw(p)
		Pairs{Frame: frame, Points: points, XName: "<", YName: ">"}.Draw(p)
		file := p.File("<&>", `"&"`)
		d := xml.NewDecoder(bytes.NewReader(file))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%v: %v", values, err)
			}
		}
		marked := regexp.MustCompile(`<circle cx="([^"]*)" cy="([^"]*)"`).FindAllSubmatch(file, -1)
		if len(marked) < len(values) {
			t.Errorf("%v: %d marks", values, len(marked))
		}
		for _, at := range marked {
			x, errX := strconv.ParseFloat(string(at[1]), 64)
			y, errY := strconv.ParseFloat(string(at[2]), 64)
			if errX != nil || errY != nil || !(50 <= x && x <= 450 && 20 <= y && y <= 220) {
				t.Errorf("%v: a mark at %s, %s", values, at[1], at[2])
			}
		}
	}
}
