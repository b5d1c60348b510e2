package names

import (
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/config"
)

// useIndex stands for the number of a layer among those with shared blocks.
const useIndex = "{u}"

// inLayer lists the names that the tensors of a block's row have in a layer, within it: none of a block whose weights another
// layer has, and one for each use of a row that has one for each.
func (b *block) inLayer(shared map[int]config.Shared, layer int, name string) []string {
	if !b.shared {
		return []string{name}
	}
	s := shared[layer]
	if s.Layer != layer {
		return nil
	}
	if !strings.Contains(name, useIndex) {
		return []string{name}
	}
	list := make([]string, len(s.Uses))
	for i, use := range s.Uses {
		list[i] = strings.Replace(name, useIndex, strconv.Itoa(use), 1)
	}
	return list
}

// stored reports whether a row's tensor of a name is one that the layer has, of a block that is shared or not.
func (b *block) stored(shared map[int]config.Shared, layer int, r *row, name string) bool {
	for _, own := range b.inLayer(shared, layer, r.name) {
		if own == name || r.each != "" {
			return true
		}
	}
	return false
}

// stores reports whether a layer has the tensor of a row under a name, rather than another layer.
func (t *table) stores(cfg config.Config, shared map[int]config.Shared, layer int, r *row, name string) bool {
	for _, k := range t.of(cfg, layer) {
		for i := range k.rows {
			if &k.rows[i] == r {
				return k.stored(shared, layer, r, name)
			}
		}
	}
	return false
}

// Copies returns a function of canonical names: the name under which a model of cfg has a tensor that several layers share, for the
// name that it would have under another of these layers. ok is false for every other name.
func Copies(cfg config.Config) func(name string) (original string, ok bool) {
	t, shared := tableOf(cfg.Family()), config.SharedBlocks(cfg)
	return func(name string) (original string, ok bool) {
		if len(shared) == 0 {
			return "", false
		}
		layer, rest := indexed(name, blockPrefix)
		s, shares := shared[layer]
		if !shares || s.Layer == layer {
			return "", false
		}
		for _, k := range t.blocks {
			for i := range k.rows {
				r := &k.rows[i]
				if k.shared && r.is(rest) && (r.when == "" || config.On(cfg, r.when)) && k.stored(shared, s.Layer, r, rest) {
					return instance(blockPrefix, s.Layer, rest), true
				}
			}
		}
		return "", false
	}
}

// Users returns how many layers use the tensor of a canonical name: 1 unless they share a block.
func Users(cfg config.Config, name string) int {
	layer, rest := indexed(name, blockPrefix)
	n, shared := 0, config.SharedBlocks(cfg)
	for _, s := range shared {
		if s.Layer == layer {
			n++
		}
	}
	t := tableOf(cfg.Family())
	if n == 0 || t == nil {
		return 1
	}
	for _, k := range t.of(cfg, layer) {
		for i := range k.rows {
			if k.shared && k.rows[i].is(rest) {
				return n
			}
		}
	}
	return 1
}
