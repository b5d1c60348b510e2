package config

import "fmt"

// Shared says where the weights of a block that several layers share are stored, for one of these layers.
type Shared struct {
	Layer int   // under whose name the weights are stored
	Use   int   // which of the layers with such blocks this is
	Uses  []int // all that the stored block has narrow products for, among them Use
}

// sharer is a configuration with blocks that several layers share.
type sharer interface{ shared() map[int]Shared }

// SharedBlocks returns, by layer, the blocks that several layers share. It is nil if the family does not have any.
func SharedBlocks(c Config) map[int]Shared {
	if s, ok := c.(sharer); ok {
		return s.shared()
	}
	return nil
}

// sharedIn returns the shared blocks of a model. Its layers with one take the blocks in turns. If they are not tied, each layer has
// weights of its own.
func sharedIn(c Config, blocks int, tied bool) map[int]Shared {
	list := make(map[int]Shared)
	at := layersWith(c, BlockSharedAttention)
	uses := make([][]int, min(blocks, len(at)))
	for use := range at {
		uses[use%blocks] = append(uses[use%blocks], use)
	}
	for use, l := range at {
		s := Shared{Layer: l, Use: use, Uses: uses[use%blocks]}
		if tied {
			s.Layer = at[use%blocks]
		}
		list[l] = s
	}
	return list
}

// checkUses refuses more narrow products than make sense, if layers that are not tied have all those of their block.
func checkUses(c Config, blocks int, tied bool) error {
	if n := len(layersWith(c, BlockSharedAttention)); !tied && n*n/blocks > maxExperts {
		return formatError("num_mem_blocks", "found %d for %d layers that tie_word_embeddings false leaves untied, expected at most %d adapters in all", blocks, n, maxExperts)
	}
	return nil
}

// sharedWords says how many blocks how many layers share.
func sharedWords(c sharer) string {
	shared, own := c.shared(), make(map[int]bool)
	for _, s := range shared {
		own[s.Layer] = true
	}
	return fmt.Sprintf("%d shared by %d layers", len(own), len(shared))
}

// notInGGUF refuses a family that llama.cpp does not have.
func notInGGUF(c Config) error {
	return unsupported(keyModelType, "found %q: llama.cpp does not have such models", c.Family())
}
