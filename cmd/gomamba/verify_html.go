package main

import (
	"cmp"
	_ "embed" // of the page
	"errors"
	"fmt"
	"html/template"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/model/parity"
)

//go:embed verify.html
var pageText string

// page is what the report of verify shows in a browser. It needs nothing from the network.
type page struct {
	Report   *parity.Report
	Model    string
	Facts    [][2]string
	Charts   []chart
	Worst    []parity.Tensor // nearest to what is allowed, or farthest beyond it
	Self     bool            // no reference: our own float32 is judged
	Headline string
}

// worstShown is how many tensors the page lists before the whole table.
const worstShown = 10

func newPage(ck *loader.Checkpoint, m *model.Model, args []string, r *parity.Report) *page {
	reference := "none: float32 against float64 on a built-in prompt"
	if len(args) > 1 {
		reference = args[1]
	}
	c := m.Config().Shared()
	p := &page{
		Report: r, Model: args[0], Self: len(args) < 2, Headline: string(r.Verdict),
		Facts: [][2]string{
			{"checkpoint", ck.Path()},
			{"layout, family", ck.Layout() + ", " + string(m.Config().Family())},
			{"shape", fmt.Sprintf("%d layers, hidden_size %d, vocab_size %d", c.NumHiddenLayers, c.HiddenSize, c.VocabSize)},
			{"reference", reference},
			{"distances from", r.Judge},
			{"gomamba", version()},
			{"built with", runtime.Version() + " for " + runtime.GOOS + "/" + runtime.GOARCH},
			{"kernels", fmt.Sprintf("%s, %d threads", kernel.ISA(), m.Threads())},
			{"made", time.Now().Format("2006-01-02 15:04 MST")},
		},
	}
	p.Charts = charts(r.Tensors)
	p.Worst = slices.Clone(r.Tensors)
	slices.SortStableFunc(p.Worst, func(a, b parity.Tensor) int { return cmp.Compare(strain(b), strain(a)) })
	p.Worst = p.Worst[:min(worstShown, len(p.Worst))]
	return p
}

// strain is the share of what is allowed that a tensor uses.
func strain(t parity.Tensor) float64 {
	if t.MaxAbs == 0 {
		return 0
	}
	return float64(t.MaxAbs) / float64(t.Allowed)
}

// chart plots the distances of one kind of tensor, layer by layer, on a logarithmic scale.
type chart struct {
	Title         string
	Width, Height int
	Grid          []tick
	Labels        []tick // of layers
	Points        []point
	Allowed       string // points of a line
}

type tick struct {
	At   float64
	Text string
}

type point struct {
	X, Y   float64 // of the reference, or of our float32 results where there is none
	OwnY   float64
	Own    bool // OwnY says something: a reference is judged, and not by our own results
	Passed bool
	Text   string
}

// The kinds of tensors, each with the part of its name that tells it.
var kinds = []struct{ part, title string }{
	{"hidden_states.", "hidden states, after each block and after the final norm"},
	{"cache.ssm_states.", "SSM states"},
	{"cache.conv_states.", "conv states"},
	{"logits", "logits"},
}

// Measures of a chart, in pixels.
const (
	chartHeight, chartMargin = 180, 46
	chartWidth               = 960
	lowestExponent           = -12 // of a relative distance; nearer ones are drawn here
)

func charts(tensors []parity.Tensor) []chart {
	var all []chart
	for _, kind := range kinds {
		var of []parity.Tensor
		for _, t := range tensors {
			if strings.HasPrefix(t.Name, kind.part) {
				of = append(of, t)
			}
		}
		if len(of) > 1 { // a single value is no plot; the table has it
			all = append(all, newChart(kind.title, of))
		}
	}
	return all
}

func newChart(title string, tensors []parity.Tensor) chart {
	c := chart{Title: title, Width: chartWidth, Height: chartHeight}
	low, high := 0.0, float64(lowestExponent)
	for _, t := range tensors {
		for _, v := range []float64{exponent(t, float64(t.MaxAbs)), exponent(t, float64(t.OwnMaxAbs)), exponent(t, float64(t.Allowed))} {
			low, high = min(low, math.Floor(v)), max(high, math.Ceil(v))
		}
	}
	high = max(high, low+1)
	y := func(e float64) float64 { return 10 + (high-e)/(high-low)*(chartHeight-34) }
	x := func(i int) float64 {
		return chartMargin + (float64(i)+0.5)*(chartWidth-chartMargin-10)/float64(len(tensors))
	}
	for e := low; e <= high; e++ {
		c.Grid = append(c.Grid, tick{y(e), fmt.Sprintf("1e%.0f", e)})
	}
	every := (len(tensors) + 15) / 16
	var line []string
	for i, t := range tensors {
		if i%every == 0 {
			c.Labels = append(c.Labels, tick{x(i), t.Name[strings.LastIndexByte(t.Name, '.')+1:]})
		}
		c.Points = append(c.Points, point{
			X: x(i), Y: y(exponent(t, float64(t.MaxAbs))), OwnY: y(exponent(t, float64(t.OwnMaxAbs))), Passed: t.Passed, Own: t.OwnMaxAbs > 0,
			Text: fmt.Sprintf("%s: %.2e of the largest value, allowed %.2e, ours %.2e",
				t.Name, relative(t, float64(t.MaxAbs)), relative(t, float64(t.Allowed)), relative(t, float64(t.OwnMaxAbs))),
		})
		line = append(line, fmt.Sprintf("%.1f,%.1f", x(i), y(exponent(t, float64(t.Allowed)))))
	}
	c.Allowed = strings.Join(line, " ")
	return c
}

// relative is a distance as a share of the tensor's largest magnitude.
func relative(t parity.Tensor, abs float64) float64 {
	if t.Scale == 0 {
		return abs
	}
	return abs / float64(t.Scale)
}

// exponent places a relative distance on the logarithmic axis, from lowestExponent to 1.
func exponent(t parity.Tensor, abs float64) float64 {
	v := relative(t, abs)
	if !(v > 0) {
		return lowestExponent
	}
	return min(max(math.Log10(v), lowestExponent), 1)
}

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"e":       func(v any) string { return fmt.Sprintf("%.2e", v) },
	"value":   func(v any) string { return fmt.Sprintf("%.9g", v) },
	"percent": func(t parity.Tensor) string { return share(strain(t)) },
	"add":     func(a, b float64) float64 { return a + b },
}).Parse(pageText))

// share spells a share as a percentage, or as a multiple where it is beyond the whole.
func share(v float64) string {
	if v > 1 {
		return fmt.Sprintf("%.3g ×", v)
	}
	return fmt.Sprintf("%.3g %%", 100*v)
}

// writeHTML writes the page, over an older one if there is one.
func writeHTML(path string, p *page) (err error) {
	f, err := atomicfile.CreateFile(path, atomicfile.Options{Force: true})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Abort())
		}
	}()
	if err := pageTemplate.Execute(f, p); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return f.Commit()
}
