package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
)

// Decides says what a key of config.json affects once a model is loaded. Results are logits, hidden states and cache, computed
// in float32 as gomamba does.
type Decides uint8

const (
	// Nothing is a key that only initialises, or only matters to other programs.
	Nothing Decides = iota + 1
	// Tensors is a key that says which tensors there are or what shape they have: they show its value.
	Tensors
	// Results is a key that results depend on and that the shapes do not show, or not alone.
	Results
)

// deciding returns f with what it decides.
func (f field) deciding(d Decides) field {
	f.decides = d
	return f
}

// counting returns f for a key that decides results only where used says so: elsewhere all its values are one.
func (f field) counting(used bool) field {
	if !used {
		f.same = func() string { return "" }
	}
	return f
}

// canonical is Setting.Canonical.
func (f field) canonical() string {
	if f.same != nil {
		return f.same()
	}
	return f.found()
}

// Setting is one key of config.json as a configuration has it.
type Setting struct {
	Key  string
	Text string // as config.json states it, in JSON; empty: it leaves the key out
	// Canonical is one text for all values that compute the same, such as those of one float32. It is empty for a value
	// with which the key might as well not exist.
	Canonical string
	Decides   Decides
	Switch    bool // true or false
}

// Settings lists the keys of the configuration's family, in the order of its table.
func Settings(c Config) []Setting {
	fields := c.fields()
	list := make([]Setting, len(fields))
	for i, f := range fields {
		list[i] = Setting{Key: f.key, Text: f.text(), Canonical: f.canonical(), Decides: f.decides, Switch: f.on != nil}
	}
	return list
}

// Knob is a size or switch that determines which tensors there are or what shapes they have.
type Knob struct {
	Key    string
	Size   *int  // in the configuration; nil for a switch
	Switch *bool // in the configuration; nil for a size
}

// Knobs lists the sizes and switches that determine tensors, the family's own keys first. Changing one may make the
// configuration invalid.
func Knobs(c Config) []Knob {
	var shared []string
	for _, f := range c.Shared().fields() {
		shared = append(shared, f.key)
	}
	var own, common []Knob
	for _, f := range c.fields() {
		switch k := (Knob{f.key, f.size, f.on}); {
		case f.decides == Nothing, f.size == nil && f.on == nil:
		case slices.Contains(shared, f.key):
			common = append(common, k)
		default:
			own = append(own, k)
		}
	}
	return append(own, common...)
}

// departing returns the first field that decides something and has values in a and b, of one family, that compute
// something else.
func departing(a, b Config) (x, y field, found bool) {
	theirs := b.fields()
	for i, f := range a.fields() {
		if f.decides != Nothing && f.canonical() != theirs[i].canonical() {
			return f, theirs[i], true
		}
	}
	return field{}, field{}, false
}

// unsaid reports the first key that decides something, that the layout cannot spell, and whose value is not the
// one that the layout always means, which is that of usual.
func unsaid(layout, name string, c, usual Config) error {
	meant := usual.fields()
	for i, f := range c.fields() {
		if f.decides != Nothing && f.in(layout, c) == "" && f.canonical() != meant[i].canonical() {
			return unsupported(f.key, "found %s: %s does not have a key for it and always means %s", f.found(), name, meant[i].found())
		}
	}
	return nil
}

// Agree compares two configurations of the same checkpoint. It reports the first size that differs, or the first other key that
// changes results. Other keys may differ.
func Agree(fileA string, a Config, fileB string, b Config) error {
	if a.Family() != b.Family() {
		return &badfile.FormatError{File: fileB, Where: keyModelType, Detail: fmt.Sprintf("found %q, %s says %q", b.Family(), fileA, a.Family())}
	}
	if x, y, differ := departing(a, b); differ {
		return &badfile.FormatError{File: fileB, Where: x.key, Detail: fmt.Sprintf("found %s, %s says %s", y.found(), fileA, x.found())}
	}
	return nil
}

// Differing lists the keys of config.json whose values differ between two configurations of one family, in the order of a.
func Differing(a, b Config) []string {
	theirs := make(map[string]string)
	for _, e := range append(stated(b), b.Shared().Extra...) {
		theirs[e.Key] = e.Value
	}
	var keys []string
	ours := append(stated(a), a.Shared().Extra...)
	for _, e := range ours {
		if theirs[e.Key] != e.Value {
			keys = append(keys, e.Key)
		}
		delete(theirs, e.Key)
	}
	return append(keys, slices.Sorted(maps.Keys(theirs))...)
}

// Value returns the value of a key in the config.json of c, as JSON; empty if c does not state the key.
func Value(c Config, key string) string {
	for _, e := range append(stated(c), c.Shared().Extra...) {
		if e.Key == key {
			return e.Value
		}
	}
	return ""
}

// stated renders the fields of c that config.json shows.
func stated(c Config) []Extra {
	var keys []Extra
	for _, f := range c.fields() {
		if text := f.text(); text != "" {
			keys = append(keys, Extra{f.key, text})
		}
	}
	return keys
}
