package tokenizer

import (
	"slices"
	"sync"
	"unicode/utf8"
)

// span is a range of code points, both ends included.
type span struct{ lo, hi rune }

// class is a set of properties of a code point.
type class uint8

// The properties, by the tables of the same names.
const (
	letter class = 1 << iota
	number
	space
	digit // of the Digits pre-tokenizer
	punct // of the Punctuation pre-tokenizer
	wordy // part of a word, beside an added token
)

// tableOf lists the tables of the properties.
var tableOf = []struct {
	class class
	spans []span
}{{letter, letters}, {number, numbers}, {space, spaces}, {digit, numeric}, {punct, punctuation}, {wordy, wordly}}

// tabled is the number of code points whose classes are kept in a flat table: the planes that text is written in.
const tabled = 0x20000

var classes = sync.OnceValue(func() *[tabled]class {
	var flat [tabled]class
	for _, t := range tableOf {
		for _, s := range t.spans {
			for r := s.lo; r <= min(s.hi, tabled-1); r++ {
				flat[r] |= t.class
			}
		}
	}
	return &flat
})

// classOf returns the properties of r. What is not UTF-8 decodes as U+FFFD, which has none.
func classOf(flat *[tabled]class, r rune) class {
	if r < tabled {
		return flat[r]
	}
	var c class
	for _, t := range tableOf {
		if contains(t.spans, r) {
			c |= t.class
		}
	}
	return c
}

func contains(spans []span, r rune) bool {
	_, found := slices.BinarySearchFunc(spans, r, func(s span, r rune) int {
		switch {
		case s.hi < r:
			return -1
		case s.lo > r:
			return 1
		}
		return 0
	})
	return found
}

// runOf returns the end of the longest run from s[i:] of characters that have, or have not, one of the properties.
func runOf(flat *[tabled]class, s string, i int, of class, has bool) int {
	for i < len(s) {
		r, n := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(s[i:])
		}
		if (classOf(flat, r)&of != 0) != has {
			return i
		}
		i += n
	}
	return i
}
