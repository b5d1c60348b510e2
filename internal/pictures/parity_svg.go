package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/plot"
)

// width is that of all pictures: a README's column.
const width = 830

// layered are the dumps whose layers are shown one by one.
var layered = []struct{ dump, title string }{
	{"box/model/ref-layers.safetensors", "Mamba, the trained model in the box (bf16)"},
	{"mamba1/sharded/ref.safetensors", "Mamba, 20 layers"},
	{"falcon/sharded/ref.safetensors", "FalconMamba"},
	{"mamba2/sharded/ref.safetensors", "Mamba-2"},
}

// picture shows layer by layer how far both are from float64, and then all tensors.
func (p *parityFile) picture() []byte {
	const height = 860
	pic := newPicture(height,
		fmt.Sprintf("Nearer to float64 than transformers on %d of %d tensors", p.Nearer, p.Tensors),
		fmt.Sprintf("Largest error of any element, relative to its tensor's largest value: float32 against float64, transformers %s", p.Transformers))
	legend(pic, 24, 84, "ours", "gomamba", "theirs", "transformers")

	pic.Text(width-24, 84, "dim end", "after each block, after the final norm, and of the logits")

	var everything []float64
	for _, shown := range layered {
		for _, t := range p.dump(shown.dump).overLayers() {
			everything = append(everything, t.Gomamba, t.Transformers)
		}
	}
	for i, shown := range layered {
		frame := plot.Frame{Left: 70 + float64(405*(i%2)), Top: 140 + float64(215*(i/2)), Width: 325, Height: 145}
		pic.Text(frame.Left-46, frame.Top-18, "text subject", shown.title)
		p.dump(shown.dump).chart(frame, everything).Draw(pic)
	}

	below := plot.Frame{Left: 70, Top: 590, Width: 335, Height: 215}
	pic.Text(below.Left-46, below.Top-32, "text subject", fmt.Sprintf("All %d tensors of %d reference dumps", p.Tensors, len(p.Dumps)))
	p.pairs(below).Draw(pic)
	p.table(pic, 429, below.Top-32)
	return pic.File(fmt.Sprintf("gomamba is nearer to float64 than transformers on %d of %d tensors", p.Nearer, p.Tensors),
		fmt.Sprintf("Errors of the hidden states and logits of four models, layer by layer, for gomamba and transformers %s, and of all %d tensors. "+
			"transformers is nearer on %d.", p.Transformers, p.Tensors, p.Farther))
}

func (p *parityFile) badge() []byte {
	return badge("nearer to float64 than transformers", fmt.Sprintf("%d of %d tensors", p.Nearer, p.Tensors),
		fmt.Sprintf("transformers %s, float32, over %d reference dumps; transformers is nearer on %d.", p.Transformers, len(p.Dumps), p.Farther))
}

func (p *parityFile) dump(name string) parityDump {
	i := slices.IndexFunc(p.Dumps, func(d parityDump) bool { return d.Dump == name })
	if i < 0 {
		panic("no dump " + name) // the fixtures' own test would have failed
	}
	return p.Dumps[i]
}

// overLayers returns the hidden states and the logits.
func (d parityDump) overLayers() []parityTensor {
	return slices.DeleteFunc(slices.Clone(d.Tensors), func(t parityTensor) bool { return strings.HasPrefix(t.Name, "cache.") })
}

func (d parityDump) chart(frame plot.Frame, everything []float64) plot.Layers {
	c := plot.Layers{Frame: frame, Range: everything}
	ours, theirs := plot.Series{Class: "ours"}, plot.Series{Class: "theirs"}
	for _, t := range d.overLayers() {
		name := t.Name[strings.LastIndexByte(t.Name, '.')+1:]
		if name == strconv.Itoa(d.Layers) {
			name = "norm"
		}
		c.Names = append(c.Names, name)
		title := fmt.Sprintf("%s: gomamba %.1e, transformers %.1e", t.Name, t.Gomamba, t.Transformers)
		ours.Marks = append(ours.Marks, plot.Mark{Value: t.Gomamba, Title: title})
		theirs.Marks = append(theirs.Marks, plot.Mark{Value: t.Transformers, Title: title})
	}
	c.Series = []plot.Series{theirs, ours}
	return c
}

func (p *parityFile) pairs(frame plot.Frame) plot.Pairs {
	c := plot.Pairs{Frame: frame, XName: "error of transformers", YName: "error of gomamba", Below: "gomamba nearer", Above: "transformers nearer"}
	for _, d := range p.Dumps {
		for _, t := range d.Tensors {
			class := "ours"
			if t.Gomamba > t.Transformers {
				class = "theirs"
			}
			c.Points = append(c.Points, plot.Pair{X: t.Transformers, Y: t.Gomamba, Class: class, Title: d.Dump + ", " + t.Name})
		}
	}
	return c
}

// table lists the kinds of tensors, with how often gomamba is nearer and the median of the ratio of errors.
func (p *parityFile) table(pic *plot.Picture, left, top float64) {
	columns := [3]float64{left, left + 235, left + 377}
	pic.Text(left, top, "text subject", "By kind of tensor")
	pic.Text(columns[1], top+30, "dim small end", "gomamba nearer")
	pic.Text(columns[2], top+30, "dim small end", "median error ratio")
	for i, kind := range [][2]string{{"logits", "logits"}, {"hidden_states.", "hidden states"}, {"cache.ssm_states.", "SSM states"}, {"cache.conv_states.", "conv states"}, {"", "all"}} {
		var ratios []float64
		nearer := 0
		for _, d := range p.Dumps {
			for _, t := range d.Tensors {
				if !strings.HasPrefix(t.Name, kind[0]) {
					continue
				}
				if t.Gomamba < t.Transformers {
					nearer++
				}
				ratios = append(ratios, t.Gomamba/t.Transformers)
			}
		}
		y := top + 40 + float64(34*i)
		pic.Line("grid", [2]float64{left, y}, [2]float64{columns[2], y})
		pic.Text(left, y+22, "text", kind[1])
		pic.Text(columns[1], y+22, "text end", fmt.Sprintf("%d of %d", nearer, len(ratios)))
		pic.Text(columns[2], y+22, "text strong end", fmt.Sprintf("%.2f", median(ratios)))
	}
}

// median returns the middle of v, which it sorts.
func median(v []float64) float64 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
