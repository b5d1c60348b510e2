package model

import "math"

// ranker orders tokens by their logits in time linear in the vocabulary: a radix sort, for which a logit and its id are
// one integer. Its memory is reused for the next token.
type ranker struct {
	keys, spare []uint64
	ids         []int32
}

const (
	digitBits = 11 // of a pass of the sort: three cover a float32
	digits    = 1 << digitBits
	idBits    = 32 // the id is the low half of a key, the logit the high one
)

// rank returns the ids that allows lets through, likeliest first, the lowest id first among equals; with k > 0 only the
// first k. The result is good until the next call.
func (r *ranker) rank(logits []float32, allows func(id int) bool, k int) []int32 {
	r.keys = r.keys[:0]
	for id, v := range logits {
		if allows(id) {
			r.keys = append(r.keys, uint64(descending(v))<<idBits|uint64(id))
		}
	}
	if 0 < k && k < len(r.keys) {
		r.keep(k)
	}
	r.sort()
	r.ids = r.ids[:0]
	for _, key := range r.keys {
		r.ids = append(r.ids, int32(key))
	}
	if k > 0 {
		return r.ids[:min(k, len(r.ids))]
	}
	return r.ids
}

// descending maps logits to integers in the reverse order. The two zeros are one number.
func descending(v float32) uint32 {
	if v == 0 {
		v = 0
	}
	bits := math.Float32bits(v)
	if bits>>31 == 1 {
		return bits
	}
	return bits ^ math.MaxInt32
}

// digit is the part of a key that pass n of the sort looks at.
func digit(key uint64, n int) uint64 { return key >> (idBits + n*digitBits) & (digits - 1) }

// keep drops keys that are not among the k smallest by their leading digit, so that there are fewer to sort.
func (r *ranker) keep(k int) {
	const leading = 2
	var count [digits]int
	for _, key := range r.keys {
		count[digit(key, leading)]++
	}
	last, n := uint64(0), count[0]
	for n < k {
		last++
		n += count[last]
	}
	kept := r.keys[:0]
	for _, key := range r.keys {
		if digit(key, leading) <= last {
			kept = append(kept, key)
		}
	}
	r.keys = kept
}

// sort sorts the keys by their logits. The order of equal ones, that of their ids, stays.
func (r *ranker) sort() {
	if cap(r.spare) < len(r.keys) {
		r.spare = make([]uint64, cap(r.keys))
	}
	r.spare = r.spare[:len(r.keys)]
	for n := range 3 {
		var at [digits]int
		for _, key := range r.keys {
			at[digit(key, n)]++
		}
		next := 0
		for i, count := range at {
			at[i], next = next, next+count
		}
		for _, key := range r.keys {
			i := digit(key, n)
			r.spare[at[i]] = key
			at[i]++
		}
		r.keys, r.spare = r.spare, r.keys
	}
}
