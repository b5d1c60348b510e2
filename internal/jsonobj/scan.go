package jsonobj

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gomamba/gomamba/internal/badfile"
)

const bom = "\ufeff"

// escapeNames are the letters of the short escapes, escapedRunes the characters they stand for.
const (
	escapeNames  = `"\/bfnrt`
	escapedRunes = "\"\\/\b\f\n\r\t"
)

// notJSON names what people have in place of a JSON file; empty when data may be one.
func notJSON(data []byte) string {
	rest := bytes.TrimLeft(data, " \t\r\n")
	head := string(rest[:min(len(rest), 512)])
	switch {
	case head == "":
		return "empty file, expected a JSON object"
	case strings.HasPrefix(head, "version https://git-lfs.github.com/spec/"):
		return "git-lfs pointer, not the file itself: run git lfs pull, or download it again"
	case strings.HasPrefix(head, "<"):
		return "HTML or XML page, not JSON: download the raw file"
	case strings.HasPrefix(head, "\xff\xfe"), strings.HasPrefix(head, "\xfe\xff"):
		return "UTF-16 text: save it as UTF-8"
	}
	return ""
}

// scanner walks JSON text. The recursion of value, array and object is bounded by MaxDepth.
type scanner struct {
	s        string
	pos      int
	repeated []string // keys that the object read by members has more than once, sorted
}

func (s *scanner) validUTF8() error {
	if utf8.ValidString(s.s) {
		return nil
	}
	for i, r := range s.s {
		if _, n := utf8.DecodeRuneInString(s.s[i:]); r == utf8.RuneError && n == 1 {
			s.pos = i
			return s.errorf("byte 0x%02x is not valid UTF-8", s.s[i])
		}
	}
	return nil
}

// errorf makes an error that says where the scanner stands.
func (s *scanner) errorf(format string, args ...any) error {
	before := s.s[:min(s.pos, len(s.s))]
	line := 1 + strings.Count(before, "\n")
	col := 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return fmt.Errorf("line %d, column %d: %s", line, col, fmt.Sprintf(format, args...))
}

// found describes the character the scanner stands at.
func (s *scanner) found() string {
	if s.pos >= len(s.s) {
		return "the end of the file"
	}
	r, _ := utf8.DecodeRuneInString(s.s[s.pos:])
	return strconv.QuoteRune(r)
}

// peek returns the next byte, 0 at the end. A NUL byte in the text fits no rule of the grammar either.
func (s *scanner) peek() byte {
	if s.pos < len(s.s) {
		return s.s[s.pos]
	}
	return 0
}

func (s *scanner) space() {
	for s.pos < len(s.s) && strings.IndexByte(" \t\r\n", s.s[s.pos]) >= 0 {
		s.pos++
	}
}

// value skips one value that sits inside depth arrays and objects.
func (s *scanner) value(depth int) error {
	switch c := s.peek(); {
	case c == '{':
		return s.object(depth+1, nil)
	case c == '[':
		return s.array(depth+1, nil)
	case c == '"':
		_, err := s.str()
		return err
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	}
	for _, word := range []string{"null", "true", "false", "NaN", "Infinity"} {
		if strings.HasPrefix(s.s[s.pos:], word) {
			s.pos += len(word)
			return nil
		}
	}
	return s.errorf("found %s, expected a value", s.found())
}

// members reads the object at s.pos, which is the depth-th level. Of a key that it has twice the last value counts, in
// the place of the first.
func (s *scanner) members(depth int) (members Members, err error) {
	at := make(map[string]int)
	err = s.object(depth, func(key, text string) {
		i, twice := at[key]
		if !twice {
			at[key] = len(members)
			members = append(members, Member{key, Value{text}})
			return
		}
		members[i].Value = Value{text}
		s.repeated = append(s.repeated, key)
	})
	slices.Sort(s.repeated)
	s.repeated = slices.Compact(s.repeated)
	return members, err
}

// object skips the object at s.pos, which is the depth-th level, and gives each member to visit.
func (s *scanner) object(depth int, visit func(key, text string)) error {
	if depth > MaxDepth {
		return s.errorf("nested more than %d levels deep", MaxDepth)
	}
	keys := 0
	return s.list('}', func() error {
		if keys++; keys > MaxKeys {
			return s.errorf("more than %d keys in one object", MaxKeys)
		}
		if s.peek() != '"' {
			return s.errorf("found %s, expected a key in double quotes", s.found())
		}
		key, err := s.str()
		if err != nil {
			return err
		}
		s.space()
		if s.peek() != ':' {
			return s.errorf("found %s, expected : after the key %s", s.found(), badfile.Quote(key))
		}
		s.pos++
		s.space()
		start := s.pos
		if err := s.value(depth); err != nil {
			return err
		}
		if visit != nil {
			visit(key, s.s[start:s.pos])
		}
		return nil
	})
}

// array skips the array at s.pos, which is the depth-th level, and gives each element to visit.
func (s *scanner) array(depth int, visit func(text string)) error {
	if depth > MaxDepth {
		return s.errorf("nested more than %d levels deep", MaxDepth)
	}
	return s.list(']', func() error {
		start := s.pos
		if err := s.value(depth); err != nil {
			return err
		}
		if visit != nil {
			visit(s.s[start:s.pos])
		}
		return nil
	})
}

// list skips a bracketed, comma-separated list whose items item skips.
func (s *scanner) list(end byte, item func() error) error {
	s.pos++
	s.space()
	if s.peek() == end {
		s.pos++
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
			s.space()
		case end:
			s.pos++
			return nil
		default:
			return s.errorf("found %s, expected , or %c", s.found(), end)
		}
	}
}

// number skips -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? or -Infinity.
func (s *scanner) number() error {
	if s.peek() == '-' {
		s.pos++
		if strings.HasPrefix(s.s[s.pos:], "Infinity") {
			s.pos += len("Infinity")
			return nil
		}
	}
	if s.peek() == '0' {
		s.pos++
	} else if err := s.digits(); err != nil {
		return err
	}
	if s.peek() == '.' {
		s.pos++
		if err := s.digits(); err != nil {
			return err
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		return s.digits()
	}
	return nil
}

func (s *scanner) digits() error {
	start := s.pos
	for '0' <= s.peek() && s.peek() <= '9' {
		s.pos++
	}
	if s.pos == start {
		return s.errorf("found %s, expected a digit", s.found())
	}
	return nil
}

// str skips the string at s.pos and returns its content.
func (s *scanner) str() (string, error) {
	s.pos++
	start := s.pos
	var b []byte // content so far, once an escape made it differ from the text
	for {
		switch c := s.peek(); {
		case c == '"':
			text := s.s[start:s.pos]
			s.pos++
			if b != nil {
				return string(append(b, text...)), nil
			}
			return text, nil
		case c == '\\':
			b = append(b, s.s[start:s.pos]...)
			r, err := s.escape()
			if err != nil {
				return "", err
			}
			b = utf8.AppendRune(b, r)
			start = s.pos
		case s.pos >= len(s.s):
			return "", s.errorf("the file ends inside a string")
		case c < 0x20:
			return "", s.errorf("control character 0x%02x inside a string", c)
		default:
			s.pos++
		}
	}
}

// escape reads the escape at s.pos, a surrogate pair as one.
func (s *scanner) escape() (rune, error) {
	if s.pos+1 < len(s.s) {
		c := s.s[s.pos+1]
		if i := strings.IndexByte(escapeNames, c); i >= 0 {
			s.pos += 2
			return rune(escapedRunes[i]), nil
		}
		if c == 'u' {
			return s.unicode()
		}
	}
	return 0, s.errorf("invalid escape in a string")
}

func (s *scanner) unicode() (rune, error) {
	r, err := hex4(s.s[s.pos:])
	if err != nil {
		return 0, s.errorf("invalid \\u escape in a string")
	}
	if !utf16.IsSurrogate(r) {
		s.pos += 6
		return r, nil
	}
	low, err := hex4(s.s[s.pos+6:])
	pair := utf16.DecodeRune(r, low)
	if err != nil || pair == utf8.RuneError {
		return 0, s.errorf("unpaired surrogate in a \\u escape")
	}
	s.pos += 12
	return pair, nil
}

// hex4 reads a \uXXXX escape at the start of text.
func hex4(text string) (rune, error) {
	if len(text) < 6 || text[:2] != `\u` || strings.ContainsAny(text[2:6], "_+-") {
		return 0, errors.New("no escape")
	}
	n, err := strconv.ParseUint(text[2:6], 16, 16)
	return rune(n), err
}
