package parity

import (
	"strings"

	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/model"
)

// isKeys reports the names of states with a position for every token.
func isKeys(name string) bool {
	for _, state := range []string{dump.KeyStates, dump.ValueStates} {
		if strings.HasPrefix(name, strings.TrimSuffix(dump.State(state, 0), "0")) {
			return true
		}
	}
	return false
}

// placed moves keys or values [B, heads, n, width], in which sequences end together, to the positions of a batch that their tokens
// have, as transformers keeps them. Others, of more tokens than the batch has, it returns as they are.
func placed(b *model.Batch, shape []int, values []float64) ([]int, []float64) {
	heads, n, width := shape[1], shape[2], shape[3]
	if b.Mask == nil || n > b.Tokens {
		return shape, values
	}
	all := make([]float64, b.Sequences*heads*b.Tokens*width)
	for seq := range b.Sequences {
		from, to := b.Real(seq)
		if to-from > n {
			return shape, values
		}
		for head := range heads {
			at := seq*heads + head
			copy(all[(at*b.Tokens+from)*width:(at*b.Tokens+to)*width], values[(at*n+n-to+from)*width:])
		}
	}
	return []int{shape[0], heads, b.Tokens, width}, all
}
