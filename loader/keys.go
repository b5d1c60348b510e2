package loader

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/names"
)

// lookUp returns the tensor of that name of a model of cfg, of its name table or of files.
func (ck *Checkpoint) lookUp(cfg config.Config, name string) (names.Spec, bool) {
	if spec, ok := names.Find(cfg, name); ok {
		return spec, true
	}
	divisible, err := ck.layout.Divisible(cfg)
	w, ok := divisible[name]
	return w.Spec, ok && err == nil
}

// shapeReason names the keys behind the dimensions in which found differs from spec, with both numbers if a single
// key decides: "state_size is 16 there, 8 by the tensor". The sizes of a copy of the configuration are turned to see
// which dimensions move with them, so that the reason comes out of the name table itself.
func (ck *Checkpoint) shapeReason(spec names.Spec, found []int) string {
	if len(found) != len(spec.Shape) {
		return ""
	}
	turned := ck.cfg.Clone()
	knobs := config.Knobs(turned)
	var reasons []string
	for dim, want := range spec.Shape {
		if found[dim] == want {
			continue
		}
		var keys []string
		implied := -1
		for _, k := range knobs {
			if k.Size == nil {
				continue
			}
			*k.Size++
			moved, there := ck.lookUp(turned, spec.Name)
			*k.Size--
			if !there || len(moved.Shape) != len(spec.Shape) {
				continue // the layer is of another kind then
			}
			slope := moved.Shape[dim] - want
			if slope == 0 {
				continue
			}
			keys = append(keys, fmt.Sprintf("%s is %d", ck.spelled(k.Key), *k.Size))
			if diff := found[dim] - want; diff%slope == 0 {
				implied = *k.Size + diff/slope
			}
		}
		reason := strings.Join(keys, ", ")
		if len(keys) == 1 && implied > 0 {
			reason += fmt.Sprintf(" there, %d by the tensor", implied)
		}
		if reason != "" && !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	return strings.Join(reasons, "; ")
}

// presenceReason names the key that decides whether the tensor of that name exists: the number of blocks, or a switch.
// blocks is the number of blocks the files hold.
func (ck *Checkpoint) presenceReason(name string, blocks int) string {
	if layers := ck.cfg.Shared().NumHiddenLayers; blocks != layers {
		if i, ok := block(name); ok && i >= min(blocks, layers) {
			return fmt.Sprintf("%s is %d, the files hold %s", ck.spelled(config.KeyOfLayers(ck.cfg.Family())), layers, badfile.Count(blocks, "block"))
		}
	}
	turned := ck.cfg.Clone()
	now, there := ck.lookUp(ck.cfg, name)
	for _, k := range config.Knobs(turned) {
		if k.Switch == nil {
			continue
		}
		*k.Switch = !*k.Switch
		then, thereThen := ck.lookUp(turned, name)
		*k.Switch = !*k.Switch
		if there != thereThen || now.Optional != then.Optional {
			return fmt.Sprintf("%s is %t", ck.spelled(k.Key), *k.Switch)
		}
	}
	return ""
}

// blocks returns the number of blocks the files hold: one more than the highest index.
func (x *examination) blocks() int {
	n := 0
	for name := range x.ck.found {
		if i, ok := block(name); ok {
			n = max(n, i+1)
		}
	}
	for _, name := range x.leftOver {
		if i, ok := block(name); ok {
			n = max(n, i+1)
		}
	}
	return n
}

// block returns the index of the block a tensor belongs to.
func block(name string) (int, bool) {
	rest, ok := strings.CutPrefix(name, names.Blocks)
	if !ok {
		rest, ok = strings.CutPrefix(name, strings.TrimPrefix(names.Blocks, names.Backbone))
	}
	index, _, dotted := strings.Cut(rest, ".")
	i, err := strconv.Atoi(index)
	return i, ok && dotted && err == nil && i >= 0
}

// settings names, for a message, what the files say about the model.
func (ck *Checkpoint) settings() string {
	return cmp.Or(ck.layout.Settings, ck.weights.ConfigName, filenames.Config)
}

// spelled is a key of the Hugging Face configuration as this layout spells it.
func (ck *Checkpoint) spelled(key string) string {
	return config.Spelling(ck.layout.Name, ck.cfg.Family(), key)
}

// StoredName returns the name that the layout uses for the tensor with a canonical name.
func (ck *Checkpoint) StoredName(name string) string {
	if ck.layout.StoredName == nil {
		return name
	}
	return ck.layout.StoredName(ck.cfg, name)
}
