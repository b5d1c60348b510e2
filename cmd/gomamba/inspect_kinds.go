package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/lazy"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// tensorKind is what inspect reports of the tensors that are the same in every layer; its JSON form is a contract.
type tensorKind struct {
	Kind     string         `json:"kind"` // such as in_proj
	Elements int            `json:"elements"`
	Bytes    int            `json:"bytes"`
	Bits     float64        `json:"bits_per_weight"`
	DTypes   map[string]int `json:"dtypes"` // tensors of each dtype
}

// inLayer is the part of a tensor's name that numbers its layer, and ofExpert that which numbers an expert.
var (
	inLayer  = lazy.Regexp(`^.*?\.\d+\.`)
	ofExpert = lazy.Regexp(`\bexperts\.\d+\.`)
)

// kindOf returns what kind of tensor a name is that of, whatever the layer: "in_proj" for
// "backbone.layers.3.mixer.in_proj.weight". The embedding and the head are kinds of their own.
func kindOf(name string) string {
	switch name {
	case names.Embedding:
		return "embedding"
	case names.Head:
		return "lm_head"
	}
	name = ofExpert().ReplaceAllString(inLayer().ReplaceAllString(name, ""), "experts.")
	kind := strings.TrimSuffix(strings.TrimPrefix(name, names.Backbone), ".weight")
	if within, ok := strings.CutPrefix(kind, "mixer."); ok && within != "norm" { // which the layer has too
		return within
	}
	return kind
}

// bitsPer returns how many bits a weight takes.
func bitsPer(bytes, elements int) float64 { return 8 * float64(bytes) / max(1, float64(elements)) }

// addKind counts a tensor among those of a kind.
func (l *listing) addKind(t tensorInfo, kind string) {
	i := slices.IndexFunc(l.Kinds, func(k tensorKind) bool { return k.Kind == kind })
	if i < 0 {
		i = len(l.Kinds)
		l.Kinds = append(l.Kinds, tensorKind{Kind: kind, DTypes: map[string]int{}})
	}
	k := &l.Kinds[i]
	n, _ := tensor.Count(t.Shape) // of a file that was read
	k.Elements, k.Bytes = k.Elements+n, k.Bytes+t.Bytes
	k.Bits = bitsPer(k.Bytes, k.Elements)
	k.DTypes[t.DType]++
	l.elements += n
	l.BitsPerWeight = bitsPer(l.Bytes, l.elements)
}

// kindLines says how many bits a weight takes, and where there are several dtypes which kinds of tensors are of which.
func (l *listing) kindLines() [][2]string {
	lines := [][2]string{{"bits", fmt.Sprintf("%.4g per weight", l.BitsPerWeight)}}
	if len(l.DTypes) < 2 {
		return lines
	}
	var order []string
	of := map[string][]string{}
	for _, k := range l.Kinds {
		text := strings.Join(slices.Sorted(maps.Keys(k.DTypes)), ", ") + fmt.Sprintf(" (%.4g bits)", k.Bits)
		if of[text] == nil {
			order = append(order, text)
		}
		of[text] = append(of[text], shortName(k.Kind))
	}
	title := "types"
	for _, text := range order {
		lines = append(lines, [2]string{title, text + ": " + strings.Join(of[text], ", ")})
		title = ""
	}
	return lines
}

// schemeLines says by which schemes weights are quantized, and what is beside them that is not used.
func (info *inspection) schemeLines() (lines [][2]string) {
	var schemes []string
	for _, s := range info.Schemes {
		schemes = append(schemes, fmt.Sprintf("%s: %s", s.Scheme, badfile.Count(s.Weights, "weight")))
	}
	if schemes != nil {
		lines = append(lines, [2]string{"quantized", strings.Join(schemes, ", ")})
	}
	if n := len(info.Activations); n > 0 {
		lines = append(lines, [2]string{"not used", badfile.Count(n, "scale") + " of activations, such as " + badfile.Quote(info.Activations[0])})
	}
	return lines
}
