package tokenizer

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Cut returns the last place at which a long text can be cut, so that the ids of the part before and of the part after,
// which Continue encodes, are those of the whole. It is 0 if there is none.
func (t *Tokenizer) Cut(text string) int {
	if !t.cuts {
		return 0
	}
	if len(t.steps) == 0 { // of bytes
		return len(text)
	}
	for i := len(text) - 1; i > 0; i-- {
		if text[i] == ' ' && !spaceEnds(text[:i]) && !strings.HasSuffix(text[:i], spaceMark) {
			return i
		}
	}
	return 0
}

func spaceEnds(s string) bool {
	r, n := utf8.DecodeLastRuneInString(s)
	return n > 0 && classOf(classes(), r)&space != 0
}

// mayCut reports whether a text can be cut before every space that follows something else: whether words end there, and
// no added token reaches across or looks there.
func (t *Tokenizer) mayCut() bool {
	for _, n := range t.normalize {
		if !n.local {
			return false
		}
	}
	for _, f := range []*finder{t.raw, t.control, t.cooked} {
		if f == nil {
			continue
		}
		for _, a := range f.tokens {
			if a.rstrip || a.singleWord || spaceWithin(a.content) {
				return false
			}
		}
	}
	if len(t.steps) == 0 {
		return len(t.model.vocab) == 0 && t.decoding.byteLevel && len(t.raw.tokens)+len(t.cooked.tokens) == 0
	}
	marked := slices.ContainsFunc(t.normalize, func(n normalizer) bool { return n.marks })
	for _, s := range t.steps {
		switch s := s.(type) {
		case splitGPT2:
			return true
		case splitClass:
			if s.class != punct {
				return false
			}
		case metaspace:
			if s.mark != spaceMark {
				return false
			}
			if marked = true; s.split {
				return true
			}
		case splitBefore:
			return marked && s == words
		case prefixSpace:
		default:
			return false
		}
	}
	return false
}

// spaceWithin reports whether a space follows something else in s.
func spaceWithin(s string) bool {
	s = strings.ReplaceAll(s, spaceMark, " ")
	for i := range len(s) {
		if i > 0 && s[i] == ' ' && !spaceEnds(s[:i]) {
			return true
		}
	}
	return false
}

// Begin returns the ids that the post-processor puts before a text, such as that of <s>.
func (t *Tokenizer) Begin() []int64 { return t.before }

// End returns the ids that the post-processor puts behind a text.
func (t *Tokenizer) End() []int64 { return t.after }
