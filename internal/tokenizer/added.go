package tokenizer

import (
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// addedToken is a token that is found in the text itself, before the model sees it.
type addedToken struct {
	content        string // what is looked for: normalized if the text is
	id             int32
	singleWord     bool // not inside of a word
	lstrip, rstrip bool // takes the white space beside it along
}

// finder finds added tokens: the longest of those that begin first.
type finder struct {
	tokens []addedToken // by content
	first  [256]bool    // bytes that a token begins with
}

func newFinder(tokens []addedToken) *finder {
	f := &finder{tokens: slices.Clone(tokens)}
	slices.SortStableFunc(f.tokens, func(a, b addedToken) int { return strings.Compare(a.content, b.content) })
	f.tokens = slices.CompactFunc(f.tokens, func(a, b addedToken) bool { return a.content == b.content })
	f.tokens = slices.DeleteFunc(f.tokens, func(t addedToken) bool { return t.content == "" })
	for _, t := range f.tokens {
		f.first[t.content[0]] = true
	}
	return f
}

// at returns the longest token that s begins with, or nil.
func (f *finder) at(s string) (found *addedToken) {
	some := f.tokens
	for n := 0; ; n++ {
		if len(some) > 0 && len(some[0].content) == n {
			found = &some[0]
			some = some[1:]
		}
		if len(some) == 0 || n == len(s) {
			return found
		}
		// Those left share n bytes with s and are longer: narrow them by the next.
		c := s[n]
		if some[0].content[n] != c {
			some = some[sort.Search(len(some), func(i int) bool { return some[i].content[n] >= c }):]
		}
		if len(some) > 0 && some[len(some)-1].content[n] != c {
			some = some[:sort.Search(len(some), func(i int) bool { return some[i].content[n] > c })]
		}
	}
}

// cut calls text for what is between the tokens, with its place in s, and token for each of them, in order.
func (f *finder) cut(s string, text func(part string, at int), token func(id int32)) {
	done := 0
	for i := 0; len(f.tokens) > 0 && i < len(s); {
		if !f.first[s[i]] {
			i++
			continue
		}
		t := f.at(s[i:])
		if t == nil {
			i++
			continue
		}
		start, stop := i, i+len(t.content)
		i = stop
		if t.singleWord && (wordEnds(s[:start]) || wordBegins(s[stop:])) {
			continue
		}
		if t.lstrip {
			start = max(len(trimRight(s[:start])), done)
		}
		if t.rstrip {
			stop = runOf(classes(), s, stop, space, true)
		}
		if done < start {
			text(s[done:start], done)
		}
		token(t.id)
		done = stop
	}
	if done < len(s) {
		text(s[done:], done)
	}
}

func wordBegins(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	return n > 0 && classOf(classes(), r)&wordy != 0
}

func wordEnds(s string) bool {
	r, n := utf8.DecodeLastRuneInString(s)
	return n > 0 && classOf(classes(), r)&wordy != 0
}

func trimRight(s string) string {
	return strings.TrimRightFunc(s, func(r rune) bool { return classOf(classes(), r)&space != 0 })
}
