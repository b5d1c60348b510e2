package blocks

import (
	"fmt"
	"iter"
	"slices"

	"github.com/gomamba/gomamba/internal/kernel"
)

// State is what a block keeps of every sequence under one name.
type State[F any] struct {
	Spec
	all  []F // [B, Shape...], unless it grows
	size int // of one sequence

	grown []grown[F] // of each sequence, if it grows
}

// grown are the rows of one sequence.
type grown[F any] struct {
	tokens int
	pages  [][]F
}

// Of returns the values of a sequence, in the order of Shape. The state does not grow.
func (s *State[F]) Of(seq int) []F { return s.all[seq*s.size:][:s.size:s.size] }

// Set is what the layers of a network keep of some sequences: [L][] states, by layer.
type Set[F any] [][]State[F]

// New returns the states of sequences that have not begun: zeros.
func New[F any](specs [][]Spec, sequences int) Set[F] {
	set := make(Set[F], len(specs))
	for l, layer := range specs {
		for _, spec := range layer {
			s := State[F]{Spec: spec, size: spec.Size()}
			if s.Grows {
				s.grown = make([]grown[F], sequences)
			} else {
				s.all = make([]F, sequences*s.size)
			}
			set[l] = append(set[l], s)
		}
	}
	return set
}

// Tokens returns how many tokens of a sequence a state that grows holds.
func (s *State[F]) Tokens(seq int) int { return s.grown[seq].tokens }

// Pages returns the pages of a sequence, laid out as Spec says.
func (s *State[F]) Pages(seq int) [][]F { return s.grown[seq].pages }

// Parts yields the values of all sequences as they lie in memory: those of a state that grows page by page, with zeros in place of
// tokens to come.
func (s *State[F]) Parts() iter.Seq[[]F] {
	return func(yield func([]F) bool) {
		if !s.Grows {
			yield(s.all)
			return
		}
		for _, g := range s.grown {
			for _, page := range g.pages {
				if !yield(page) {
					return
				}
			}
		}
	}
}

// Grow adds rows of zeros for n more tokens of a sequence.
func (s *State[F]) Grow(seq, n int) {
	g := &s.grown[seq]
	g.tokens += n
	for len(g.pages)*kernel.PageTokens < g.tokens {
		g.pages = append(g.pages, make([]F, kernel.PageTokens*s.size))
	}
}

// place returns where the values of a head of token t begin in its page, and how far they are apart.
func (s *State[F]) place(head, t int) (at, stride int) {
	width, in := s.Shape[1], t%kernel.PageTokens
	if s.Columns {
		return head*width*kernel.PageTokens + in, kernel.PageTokens
	}
	return (head*kernel.PageTokens + in) * width, 1
}

// Put sets the row of a head and token.
func (s *State[F]) Put(seq, head, t int, row []F) {
	page := s.grown[seq].pages[t/kernel.PageTokens]
	at, stride := s.place(head, t)
	for i, v := range row {
		page[at+i*stride] = v
	}
}

// Row sets row to what Put has put.
func (s *State[F]) Row(seq, head, t int, row []F) {
	page := s.grown[seq].pages[t/kernel.PageTokens]
	at, stride := s.place(head, t)
	for i := range row {
		row[i] = page[at+i*stride]
	}
}

// Longest returns the T of states that grow: the most tokens of a sequence, and 1 at least, as no tensor of a file is empty.
func (set Set[F]) Longest() int { return slices.Max(append(set.Lengths(), 1)) }

// Lengths returns how many tokens of each sequence the states that grow hold; nil if none grows.
func (set Set[F]) Lengths() (tokens []int) {
	for _, layer := range set {
		for i := range layer {
			if layer[i].Grows {
				for _, g := range layer[i].grown {
					tokens = append(tokens, g.tokens)
				}
				return tokens
			}
		}
	}
	return nil
}

// Held returns how many tokens of all sequences together the states that grow hold.
func (set Set[F]) Held() (tokens int) {
	for _, layer := range set {
		for i := range layer {
			if layer[i].Grows {
				for _, g := range layer[i].grown {
					tokens += g.tokens
				}
				return tokens
			}
		}
	}
	return 0
}

// All returns the values of all sequences [B, Shape...]. Of a state that grows it is a copy [B, heads, T, width], in which
// sequences end together, with zeros before the shorter ones.
func (s *State[F]) All() []F {
	if !s.Grows {
		return s.all
	}
	longest := 1
	for _, g := range s.grown {
		longest = max(longest, g.tokens)
	}
	heads, width := s.Shape[0], s.Shape[1]
	all := make([]F, len(s.grown)*heads*longest*width)
	for seq, g := range s.grown {
		for head := range heads {
			rows := all[((seq*heads+head)*longest+longest-g.tokens)*width:]
			for t := range g.tokens {
				s.Row(seq, head, t, rows[t*width:][:width])
			}
		}
	}
	return all
}

// fill is the reverse of All, for sequences of some tokens each.
func (s *State[F]) fill(all []F, tokens []int) {
	if !s.Grows {
		s.all = all
		return
	}
	heads, width := s.Shape[0], s.Shape[1]
	longest := len(all) / (len(tokens) * heads * width)
	for seq, n := range tokens {
		s.Grow(seq, n)
		for head := range heads {
			rows := all[((seq*heads+head)*longest+longest-n)*width:]
			for t := range n {
				s.Put(seq, head, t, rows[t*width:][:width])
			}
		}
	}
}

// Repeat returns copies of the states of n times the sequences.
func (set Set[F]) Repeat(n int) Set[F] {
	all := make(Set[F], len(set))
	for l, layer := range set {
		all[l] = slices.Clone(layer)
		for i := range layer {
			s := &all[l][i]
			s.all, s.grown = slices.Repeat(s.all, n), slices.Repeat(s.grown, n)
			for seq, g := range s.grown {
				s.grown[seq].pages = slices.Clone(g.pages)
				for page, values := range g.pages {
					s.grown[seq].pages[page] = slices.Clone(values)
				}
			}
		}
	}
	return all
}

// Check reports states that are not those described, of a number of sequences.
func (set Set[F]) Check(specs [][]Spec, sequences int) error {
	if len(set) != len(specs) {
		return fmt.Errorf("the cache holds %d layers, the model %d", len(set), len(specs))
	}
	for l, layer := range specs {
		if len(set[l]) != len(layer) {
			return fmt.Errorf("layer %d of the cache holds %d states, the model has %d", l, len(set[l]), len(layer))
		}
		for i := range layer {
			have, want := &set[l][i], &layer[i]
			if have.Name != want.Name || !slices.Equal(have.Shape, want.Shape) {
				return fmt.Errorf("layer %d of the cache holds %s %v, the model has %s %v", l, have.Name, have.Shape, want.Name, want.Shape)
			}
			if n := len(have.grown); have.Grows && n != sequences || !have.Grows && len(have.all) != sequences*have.size {
				return fmt.Errorf("layer %d of the cache does not hold %s of %d sequences", l, have.Name, sequences)
			}
		}
	}
	return nil
}
