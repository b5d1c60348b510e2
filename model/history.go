package model

import (
	"cmp"
	"iter"
	"maps"
	"slices"
)

// history is which tokens a sequence has seen, and when each came last: all that a repeat penalty asks for, whatever it
// looks back at, in memory that does not grow with the text.
type history struct {
	tokens int64           // seen
	last   map[int64]int64 // of each id the number of tokens up to and including its last one
}

// see adds the tokens that come next.
func (h *history) see(ids []int64) {
	if h.last == nil {
		h.last = make(map[int64]int64)
	}
	for _, id := range ids {
		h.tokens++
		h.last[id] = h.tokens
	}
}

// within reports whether an id is among the last n tokens.
func (h *history) within(id int64, n int) bool {
	last, ok := h.last[id]
	return ok && h.tokens-last < int64(n)
}

// recent yields each id among the last n tokens once, in no order.
func (h *history) recent(n int) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for id, last := range h.last {
			if h.tokens-last < int64(n) && !yield(id) {
				return
			}
		}
	}
}

func (h *history) clone() history { return history{h.tokens, maps.Clone(h.last)} }

// list returns the ids, the longest unseen first, and how many tokens came after each.
func (h *history) list() (ids, ages []int64) {
	ids = slices.SortedFunc(maps.Keys(h.last), func(a, b int64) int { return cmp.Compare(h.last[a], h.last[b]) })
	for _, id := range ids {
		ages = append(ages, h.tokens-h.last[id])
	}
	return ids, ages
}

// historyOf is the reverse of list.
func historyOf(ids, ages []int64) history {
	h := history{last: make(map[int64]int64, len(ids))}
	for _, age := range ages {
		h.tokens = max(h.tokens, age+1)
	}
	for i, id := range ids {
		h.last[id] = h.tokens - ages[i]
	}
	return h
}

// remember adds the tokens of a batch to the histories of its sequences.
func (c *Cache) remember(b *Batch) {
	if c.seen == nil {
		c.seen = make([]history, c.Sequences)
	}
	for seq := range b.Sequences {
		from, to := b.Real(seq)
		c.seen[seq].see(b.IDs[seq*b.Tokens:][from:to])
	}
}

// history returns what a sequence has seen, nil for nothing that is known.
func (c *Cache) history(seq int) *history {
	if c.seen == nil {
		return nil
	}
	return &c.seen[seq]
}
