package jsonobj

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// value reads a value that sits inside depth arrays and objects, and appends it to out. It reports whether the value is
// whole.
func (s *salvager) value(depth int) bool {
	if depth >= MaxDepth {
		s.note("nested more than %d levels deep", MaxDepth)
		s.pos, s.lost = len(s.s), true
		return false
	}
	if _, _, quoted := s.quotes(); quoted {
		if s.peek() != '"' {
			s.note("found %s, expected a string in double quotes", s.found())
		}
		text, ok := s.text()
		s.out = AppendString(s.out, text)
		return ok
	}
	switch s.peek() {
	case '{':
		s.pos++
		s.out = append(s.out, '{')
		s.members(depth + 1)
		s.out = append(s.out, '}')
		return true // what it may have lost, the whole has lost
	case '[', '(':
		if s.peek() == '(' {
			s.note("found '(', expected [")
		}
		s.pos++
		return s.array(depth + 1)
	}
	return s.bare()
}

// array reads elements up to the bracket behind them. One that lacks it ends before the next key, or where the object
// ends that it is in.
func (s *salvager) array(depth int) bool {
	s.out = append(s.out, '[')
	whole, comma, first := true, false, true
	for {
		s.space()
		switch c := s.peek(); {
		case s.pos >= len(s.s):
			return false // cut
		case c == ']' || c == ')':
			if comma {
				s.note("found a comma before the %c", c)
			}
			s.pos++
			s.out = append(s.out, ']')
			return whole
		case c == '}' || s.atKey():
			s.note("found %s, expected ]", s.found())
			s.out = append(s.out, ']')
			return whole
		case c == ',':
			if comma || first {
				s.note("found ',', expected a value")
				whole = false // a value may be missing
			}
			s.pos++
			comma = true
			continue
		}
		if !first && !comma {
			s.note("found %s, expected , or ]", s.found())
		}
		if !first {
			s.out = append(s.out, ',')
		}
		first, comma = false, false
		if at := s.pos; !s.value(depth) {
			if whole = false; s.pos == at {
				return false
			}
		}
	}
}

// atKey reports whether a key and a colon come next.
func (s *salvager) atKey() bool {
	at, mute := s.pos, s.mute
	s.mute = true
	_, ok := s.key()
	ok = ok && s.colon()
	s.pos, s.mute = at, mute
	return ok
}

// atQuotedKey reports whether a key in quotes and a colon come next: outside of an object, words without quotes may be
// anything.
func (s *salvager) atQuotedKey() bool {
	_, _, quoted := s.quotes()
	return quoted && s.atKey()
}

// literals are words that stand for a value, in lower case.
var literals = map[string]string{
	"true": "true", "false": "false", "null": "null", "none": "null", "nil": "null", "nan": "NaN",
	"infinity": "Infinity", "inf": "Infinity", "+infinity": "Infinity", "+inf": "Infinity", "-infinity": "-Infinity", "-inf": "-Infinity",
}

// bare reads a number, a literal, or a string without quotes. What reaches the end of the text may have been cut.
func (s *salvager) bare() bool {
	at := s.pos
	word := s.word()
	if word == "" {
		s.note("found %s, expected a value", s.found())
		return false
	}
	text, known := literals[strings.ToLower(word)]
	switch {
	case !known && s.pos == len(s.s):
		s.note("the file ends inside a value")
		return false
	case !known:
		text, known = number(word)
	}
	if text != word {
		end := s.pos
		s.pos = at
		s.note("found %s, expected a value", s.found())
		s.pos = end
	}
	if !known {
		text = string(AppendString(nil, word))
		known = strings.ContainsFunc(word[:1], func(r rune) bool { return r == '_' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' })
	}
	s.out = append(s.out, text...)
	return known
}

// word reads up to what ends one.
func (s *salvager) word() string {
	rest := s.s[s.pos:]
	n := strings.IndexAny(rest, " \t\r\n,;:=#\"'[]{}()")
	if n < 0 {
		n = len(rest)
	}
	for _, comment := range []string{"//", "/*"} {
		if i := strings.Index(rest[:n], comment); i >= 0 {
			n = i
		}
	}
	s.pos += n
	return rest[:n]
}

// number spells a number as JSON does.
func number(word string) (string, bool) {
	strict := scanner{s: word}
	if err := strict.number(); err == nil && strict.pos == len(word) {
		return word, true
	}
	if strings.Trim(word, "0123456789.eE+-_") != "" || !strings.ContainsAny(word, "0123456789") {
		return "", false
	}
	plain := strings.ReplaceAll(strings.TrimPrefix(word, "+"), "_", "")
	if n, err := strconv.ParseInt(plain, 10, 64); err == nil {
		return strconv.FormatInt(n, 10), true
	}
	f, err := strconv.ParseFloat(plain, 64)
	if err != nil {
		return "", false
	}
	return strconv.FormatFloat(f, 'e', -1, 64), true
}

// quotes returns what opens the string that starts here, and what closes it.
func (s *salvager) quotes() (opening, closing string, ok bool) {
	for _, pair := range [][2]string{{`"`, `"`}, {"'", "'"}, {"“", "”"}, {"‘", "’"}} {
		if strings.HasPrefix(s.s[s.pos:], pair[0]) {
			return pair[0], pair[1], true
		}
	}
	return "", "", false
}

// maxIndent is how far behind the end of a line the next one is looked for.
const maxIndent = 1 << 10

// text reads the string that starts here. One that lacks its closing quote ends with its line, if a string begins the
// next; one that the text ends in is not whole.
func (s *salvager) text() (content string, whole bool) {
	opening, closing, _ := s.quotes()
	s.pos += len(opening)
	var b []byte
	for s.pos < len(s.s) {
		rest := s.s[s.pos:]
		switch c := rest[0]; {
		case strings.HasPrefix(rest, closing):
			s.pos += len(closing)
			return string(b), true
		case c == '\\':
			b = s.unescape(b)
			continue
		case c == '\n':
			next := strings.TrimLeft(rest[:min(len(rest), maxIndent)], " \t\r\n")
			if strings.HasPrefix(next, opening) || strings.HasPrefix(next, "}") {
				s.note("the string that ends here lacks its closing quote")
				return strings.TrimRight(string(b), ", \t\r"), true
			}
			s.note("control character 0x0a inside a string")
		case c < 0x20:
			s.note("control character 0x%02x inside a string", c)
		}
		b = append(b, rest[0])
		s.pos++
	}
	s.note("the file ends inside a string")
	return string(b), false
}

// unescape reads an escape and appends what it stands for. One that means nothing stands for itself.
func (s *salvager) unescape(b []byte) []byte {
	at := s.pos
	if r, err := s.escape(); err == nil {
		return utf8.AppendRune(b, r)
	}
	s.pos = at
	s.note("invalid escape in a string")
	rest := s.s[at+1:]
	switch {
	case strings.HasPrefix(rest, "'"):
		s.pos += 2
		return append(b, '\'')
	case len(rest) >= 3 && rest[0] == 'x':
		if n, err := strconv.ParseUint(rest[1:3], 16, 8); err == nil {
			s.pos += 4
			return utf8.AppendRune(b, rune(n))
		}
	case len(rest) >= 5 && rest[0] == 'u':
		if _, err := hex4(s.s[at:]); err == nil { // half of a pair
			s.pos += 6
			return utf8.AppendRune(b, utf8.RuneError)
		}
	}
	s.pos++
	return append(b, '\\')
}
