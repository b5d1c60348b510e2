package main

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/plot"
	"github.com/gomamba/gomamba/model/parity"
)

// chart is a plot of the page of verify.
type chart struct {
	Title string
	SVG   template.HTML
}

// The plots over the layers, each with what the names of its tensors begin with.
var kinds = []struct {
	title string
	parts []string
}{
	{"Hidden states after each block, and logits", []string{"hidden_states.", "logits"}},
	{"SSM states", []string{"cache.ssm_states."}},
	{"Conv states", []string{"cache.conv_states."}},
}

// Measures of a plot: small enough to be read on a telephone, where one takes the whole width.
const chartWidth, chartHeight = 520, 270

func newFrame(below float64) plot.Frame {
	return plot.Frame{Left: 46, Top: 26, Width: chartWidth - 56, Height: chartHeight - 26 - below}
}

// charts plots the distances of all tensors.
func (p *page) charts(layers int) []chart {
	var all []chart
	for _, kind := range kinds {
		var of []parity.Tensor
		for _, t := range p.Report.Tensors {
			for _, part := range kind.parts {
				if strings.HasPrefix(t.Name, part) {
					of = append(of, t)
				}
			}
		}
		if len(of) > 0 {
			all = append(all, chart{kind.title, p.overLayers(kind.title, of, layers)})
		}
	}
	if p.Oracle {
		all = append(all, chart{"Both distances of every tensor", p.sideBySide()})
	}
	return all
}

// overLayers plots tensors in the order the network computes them: the reference's distances, or ours if there is no
// reference, what is allowed, and ours beside a reference.
func (p *page) overLayers(title string, tensors []parity.Tensor, layers int) template.HTML {
	c := plot.Layers{Frame: newFrame(22)}
	judged, own, allowed := plot.Series{Class: "theirs"}, plot.Series{Class: "ours", Ring: true}, plot.Series{Class: "limit"}
	if p.Self {
		judged.Class = "ours"
	}
	for i, t := range tensors {
		c.Names = append(c.Names, place(t.Name, layers))
		mark := plot.Mark{Value: relative(t, float64(t.MaxAbs)), Title: p.describe(t)}
		if !t.Passed {
			mark.Class = "bad"
		}
		judged.Marks = append(judged.Marks, mark)
		own.Marks = append(own.Marks, plot.Mark{Value: relative(t, float64(t.OwnMaxAbs)), Title: p.describe(t)})
		allowed.Marks = append(allowed.Marks, plot.Mark{Value: relative(t, float64(t.Allowed))})
		if d := p.Report.FirstDivergence; d != nil && d.Tensor == t.Name {
			c.Flag, c.FlagText = i, "first to depart"
		}
	}
	c.Series = append(c.Series, allowed, judged)
	if p.Oracle {
		c.Series = append(c.Series, own)
	}
	return draw(title, c)
}

// sideBySide plots the reference's distance of every tensor against ours.
func (p *page) sideBySide() template.HTML {
	c := plot.Pairs{Frame: newFrame(40), XName: "distance of the reference", YName: "distance of gomamba",
		Below: "gomamba nearer", Above: "reference nearer"}
	for _, t := range p.Report.Tensors {
		class := "ours"
		switch {
		case !t.Passed:
			class = "bad"
		case t.MaxAbs < t.OwnMaxAbs:
			class = "theirs"
		}
		c.Points = append(c.Points, plot.Pair{X: relative(t, float64(t.MaxAbs)), Y: relative(t, float64(t.OwnMaxAbs)), Class: class, Title: p.describe(t)})
	}
	return draw("Distance of gomamba over distance of the reference, for every tensor", c)
}

func draw(label string, c interface{ Draw(*plot.Picture) }) template.HTML {
	picture := plot.New(chartWidth, chartHeight)
	c.Draw(picture)
	return template.HTML(picture.Inline(label)) // plot escapes all text
}

// describe is what a mark says of its tensor.
func (p *page) describe(t parity.Tensor) string {
	text := fmt.Sprintf("%s: %.2e of the largest value, allowed %.2e", t.Name, float64(t.MaxRel), relative(t, float64(t.Allowed)))
	if p.Oracle {
		text += fmt.Sprintf(", gomamba %.2e", relative(t, float64(t.OwnMaxAbs)))
	}
	return text
}

// place names the place of a tensor on the axis of layers.
func place(name string, layers int) string {
	at := name[strings.LastIndexByte(name, '.')+1:]
	if at == strconv.Itoa(layers) {
		return "norm"
	}
	return at
}

// relative is a distance as a share of the tensor's largest magnitude.
func relative(t parity.Tensor, abs float64) float64 {
	if t.Scale == 0 {
		return abs
	}
	return abs / float64(t.Scale)
}
