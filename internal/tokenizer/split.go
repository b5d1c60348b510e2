package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// step is a stage of the pre-tokenizer: it cuts or changes a piece of text and hands on what comes of it.
type step interface {
	run(e *encoder, next int, s string, at place)
}

// place is where a piece begins, which decides whether a space is put in front.
type place int

const (
	inside place = iota // after another piece of the text
	start               // where the text begins
	joined              // where a text goes on that was encoded before: nothing is put in front
)

// of returns the place of a part that begins at byte i of a piece.
func (p place) of(i int) place {
	if i == 0 {
		return p
	}
	return inside
}

// behavior says what becomes of the matches that a piece is split at.
type behavior string

// The behaviors, by their names in tokenizer.json.
const (
	isolated           behavior = "Isolated"           // pieces of their own
	contiguous         behavior = "Contiguous"         // neighbouring ones are one piece
	removed            behavior = "Removed"            // left out
	mergedWithPrevious behavior = "MergedWithPrevious" // end the piece before
	mergedWithNext     behavior = "MergedWithNext"     // begin the piece after
)

var behaviors = []behavior{isolated, contiguous, removed, mergedWithPrevious, mergedWithNext}

// match is a piece of a text and whether it matches.
type match struct {
	start, end int
	is         bool
}

// apply turns matches that cover a text without gaps into pieces, in place. Of pieces, is says that it is left out.
func (b behavior) apply(m []match) []match {
	out := m[:0]
	switch b {
	case isolated:
		for _, x := range m {
			out = append(out, match{x.start, x.end, false})
		}
	case removed:
		return m
	case contiguous, mergedWithPrevious:
		was := false
		for i, x := range m {
			join := x.is && !was
			if b == contiguous {
				join = x.is == was && i > 0
			}
			if join && len(out) > 0 {
				out[len(out)-1].end = x.end
			} else {
				out = append(out, match{x.start, x.end, false})
			}
			was = x.is
		}
	case mergedWithNext:
		was := false
		for i := len(m) - 1; i >= 0; i-- {
			x := m[i]
			if x.is && !was && i < len(m)-1 {
				m[i+1].start = x.start
				m[i].end = x.start // nothing is left of it
			}
			was = x.is
		}
		for _, x := range m {
			if x.start < x.end {
				out = append(out, match{x.start, x.end, false})
			}
		}
	}
	return out
}

// hand gives the pieces of s to the next step.
func (e *encoder) hand(next int, s string, at place, pieces []match) {
	for _, p := range pieces {
		if !p.is && p.start < p.end {
			e.run(next, s[p.start:p.end], at.of(p.start))
		}
	}
}

// scratch returns an empty list of matches for the use of one step.
func (e *encoder) scratch(next int) []match {
	for len(e.matches) <= next {
		e.matches = append(e.matches, nil)
	}
	m := e.matches[next]
	e.matches[next] = nil
	return m[:0]
}

// splitGPT2 cuts by gpt2Pattern.
type splitGPT2 struct{}

func (splitGPT2) run(e *encoder, next int, s string, at place) {
	flat := e.flat
	for i := 0; i < len(s); {
		end := gpt2Word(flat, s, i)
		e.run(next, s[i:end], at.of(i))
		i = end
	}
}

// mapBytes writes bytes as the characters of a byte-level vocabulary.
type mapBytes struct{}

func (mapBytes) run(e *encoder, next int, s string, at place) { e.run(next, byteMapped(s), at) }

// prefixSpace puts a space in front.
type prefixSpace struct{}

func (prefixSpace) run(e *encoder, next int, s string, at place) {
	if at != joined && s[0] != ' ' {
		s = " " + s
	}
	e.run(next, s, at)
}

// splitClass splits at characters of some property.
type splitClass struct {
	class    class
	behavior behavior
}

func (t splitClass) run(e *encoder, next int, s string, at place) {
	m := e.scratch(next)
	for i := 0; i < len(s); {
		e.merger.tick()
		end := runOf(e.flat, s, i, t.class, false)
		if end > i {
			m = append(m, match{i, end, false})
		} else if t.behavior == contiguous {
			end = runOf(e.flat, s, i, t.class, true)
			m = append(m, match{i, end, true})
		} else {
			_, n := utf8.DecodeRuneInString(s[i:])
			end = i + n
			m = append(m, match{i, end, true})
		}
		i = end
	}
	m = t.behavior.apply(m)
	e.hand(next, s, at, m)
	e.matches[next] = m
}

// splitPattern splits at matches of a pattern, or of what is between them.
type splitPattern struct {
	literal  string // used where pattern is nil
	pattern  *pattern
	digits   int // the pattern is that many times [0-9]; 0: it is not
	invert   bool
	behavior behavior
}

func (t *splitPattern) run(e *encoder, next int, s string, at place) {
	m := e.scratch(next)
	done := 0
	for done < len(s) {
		e.merger.tick()
		start, end, ok := t.find(s, done)
		if !ok {
			break
		}
		if done < start {
			m = append(m, match{done, start, t.invert})
		}
		m = append(m, match{start, end, !t.invert})
		done = end
	}
	if done < len(s) {
		m = append(m, match{done, len(s), t.invert})
	}
	m = t.behavior.apply(m)
	e.hand(next, s, at, m)
	e.matches[next] = m
}

// find returns the first match from s[i:] on.
func (t *splitPattern) find(s string, i int) (start, end int, ok bool) {
	switch {
	case t.digits > 0:
		for run := 0; i < len(s); i++ {
			if run++; s[i] < '0' || s[i] > '9' {
				run = 0
			}
			if run == t.digits {
				return i + 1 - run, i + 1, true
			}
		}
		return 0, 0, false
	case t.pattern == nil:
		at := strings.Index(s[i:], t.literal)
		return i + at, i + at + len(t.literal), at >= 0
	}
	return t.pattern.next(s, i)
}

// newSplit makes the step of a regular expression.
func newSplit(expr string, invert bool, b behavior) (step, error) {
	if expr == gpt2Pattern && (b == isolated && !invert || b == removed && invert) {
		return splitGPT2{}, nil
	}
	t := &splitPattern{invert: invert, behavior: b}
	if n := strings.Count(expr, "[0-9]"); n > 0 && expr == strings.Repeat("[0-9]", n) {
		t.digits = n
		return t, nil
	}
	var err error
	t.pattern, err = compile(expr)
	return t, err
}

// scheme says where a Metaspace step puts a mark in front.
type scheme string

// The schemes, by their names in tokenizer.json.
const (
	always    scheme = "always"
	onlyFirst scheme = "first" // where the text begins
	never     scheme = "never"
)

var schemes = []scheme{always, onlyFirst, never}

// metaspace writes spaces as a mark, usually "▁", puts one in front, and cuts before each.
type metaspace struct {
	mark   string
	scheme scheme
	split  bool
}

func (t metaspace) run(e *encoder, next int, s string, at place) {
	s = strings.ReplaceAll(s, " ", t.mark)
	if (t.scheme == always && at != joined || t.scheme == onlyFirst && at == start) && !strings.HasPrefix(s, t.mark) {
		s = t.mark + s
	}
	if !t.split {
		e.run(next, s, at)
		return
	}
	splitBefore{t.mark, false}.run(e, next, s, at)
}

// splitBefore cuts before each mark. With runs, it keeps neighbouring marks together.
type splitBefore struct {
	mark string
	runs bool
}

// words are runs of spaces with what follows them.
var words = splitBefore{spaceMark, true}

func (t splitBefore) run(e *encoder, next int, s string, at place) {
	for i := 0; i < len(s); {
		end := i
		if !t.runs && strings.HasPrefix(s[i:], t.mark) {
			end += len(t.mark)
		}
		for t.runs && strings.HasPrefix(s[end:], t.mark) {
			end += len(t.mark)
		}
		if n := strings.Index(s[end:], t.mark); n >= 0 {
			end += n
		} else {
			end = len(s)
		}
		e.run(next, s[i:end], at.of(i))
		i = end
	}
}
