package names

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/config"
)

// maxShown bounds the layers whose blocks are looked for.
const maxShown = 1 << 12

// LayersShown lists the blocks of each layer of a model of a family that are there, judged by the names that its tensors have in files,
// under whatever prefix. A layer of which there is nothing ends the list.
func LayersShown(f config.Family, list []string) [][]config.Block {
	t := tableOf(f)
	if t == nil {
		return nil
	}
	layers := map[int]map[string]bool{}
	for _, name := range list {
		_, after, _ := strings.Cut("."+name, ".layers.")
		index, rest, inside := strings.Cut(after, ".")
		i, err := strconv.Atoi(index)
		if !inside || err != nil || i < 0 || i >= maxShown {
			continue
		}
		if layers[i] == nil {
			layers[i] = map[string]bool{}
		}
		layers[i][rest] = true
	}
	var shown [][]config.Block
	for i := 0; layers[i] != nil; i++ {
		shown = append(shown, t.shown(layers[i]))
	}
	return shown
}

// shown lists the kinds of blocks whose tensors are all there. Of two of which one has all tensors of the other, it is the one.
func (t *table) shown(there map[string]bool) []config.Block {
	var kinds []kind
	for _, k := range t.blocks {
		if !k.shared && k.within(there) {
			kinds = append(kinds, k)
		}
	}
	var list []config.Block
	for _, k := range kinds {
		part := false
		for _, other := range kinds {
			own := map[string]bool{}
			for _, r := range other.rows {
				own[r.name] = true
			}
			part = part || other.block != k.block && len(other.rows) > len(k.rows) && k.within(own)
		}
		if !part {
			list = append(list, k.Block)
		}
	}
	return list
}

// within reports whether every tensor that such a block always has is among some names. Of experts it asks for the first, or for all in
// one.
func (b *block) within(there map[string]bool) bool {
	for _, r := range b.rows {
		switch {
		case r.when != "" || r.optional != "" || r.uses:
		case there[r.name] || there[cmp.Or(r.file, r.name)] || r.inside != "" && there[r.inside] || r.each != "" && there[r.of(0)]:
		default:
			return false
		}
	}
	return len(b.rows) > 0
}
