package jsonobj

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gomamba/gomamba/internal/badfile"
)

// Salvaged is what can be read of a text that is meant to be one JSON object.
type Salvaged struct {
	Members Members
	Damage  []string // what is wrong with the text, each with line and column
	Unread  []string // keys whose values cannot be read, sorted
	Partial []string // keys of objects that may have had more keys than their values have
	Lost    bool     // the text may have had more keys
}

// Salvage reads as much of a text as can be read without guessing. It takes what people and programs write in place of
// JSON: comments, missing, trailing and doubled commas, single quotes or none, Python's literals and tuples, UTF-16 and
// Latin-1; and what is left of a text that was cut or that has other text around it. A value that may have been cut is
// not read. Of a text without damage it returns what Parse returns.
func Salvage(data []byte) Salvaged {
	text, encoding := decodeText(data)
	s := newSalvager(text, 0)
	if encoding != "" {
		s.damage = append(s.damage, encoding)
	}
	if what := notJSON([]byte(text)); what != "" {
		s.damage, s.lost = append(s.damage, what), true
	} else if s.start() {
		s.members(1)
		s.rest()
	}
	found := Salvaged{Damage: s.damage, Partial: s.partial, Lost: s.lost}
	for _, key := range s.order {
		if v, ok := s.values[key]; ok && v != "" {
			found.Members = append(found.Members, Member{key, Value{v}})
		} else {
			found.Unread = append(found.Unread, key)
		}
	}
	slices.Sort(found.Unread)
	return found
}

// maxDamage is how much damage is described.
const maxDamage = 10

// salvager walks a damaged text and writes the values that it understands to out, as JSON.
type salvager struct {
	scanner
	out    []byte
	order  []string          // keys of the object, in the order of their first values
	values map[string]string // of these keys; empty: cannot be read
	nested bool              // the object holds another one, which may have taken in its keys
	damage []string
	mute   bool
	lost   bool

	partial []string
}

func newSalvager(text string, pos int) *salvager {
	return &salvager{scanner: scanner{s: text, pos: pos}, values: make(map[string]string)}
}

// note describes damage at the place where the salvager stands.
func (s *salvager) note(format string, args ...any) {
	if len(s.damage) < maxDamage && !s.mute {
		s.damage = append(s.damage, s.errorf(format, args...).Error())
	}
}

// keep stores a member of the outermost object. Of two the last counts, even one that cannot be read.
func (s *salvager) keep(key, value string) {
	if _, known := s.values[key]; known {
		s.note("the key %s is given twice; the last one counts", badfile.Quote(key))
	} else {
		s.order = append(s.order, key)
	}
	s.values[key] = value
	s.nested = s.nested || strings.HasPrefix(value, "{")
}

// start goes to the first key of the object.
func (s *salvager) start() bool {
	s.space()
	switch at := s.pos; {
	case s.peek() == '{':
		s.pos++
		return true
	case s.atQuotedKey():
		s.note("the { at the start is missing")
		return true
	case strings.IndexByte(s.s[at:], '{') >= 0:
		s.note("found %s before the object", s.found())
		s.pos += strings.IndexByte(s.s[at:], '{') + 1
		return true
	}
	s.note("found %s, expected an object starting with {", s.found())
	s.lost = true
	return false
}

// rest looks at what follows the object: more of its members where it ended too early, or a second object, which has to
// agree with it.
func (s *salvager) rest() {
	for s.space(); s.pos < len(s.s); s.space() {
		s.note("found %s after the end of the object", s.found())
		for s.pos < len(s.s) && strings.IndexByte("}]),", s.s[s.pos]) >= 0 {
			s.pos++
			s.space()
		}
		if !s.atQuotedKey() {
			break
		}
		s.members(1)
	}
	if s.peek() == '{' {
		other := newSalvager(s.s, s.pos+1)
		other.members(1)
		for _, key := range other.order {
			if s.values[key] != other.values[key] {
				s.keep(key, "")
			}
		}
		s.pos = other.pos
	}
	s.lost = s.lost || strings.Contains(s.s[s.pos:], ":")
}

// members reads members up to the brace behind them, or to the end of the text. Those of the outermost object, which is
// at depth 1, it keeps, others it writes to out.
func (s *salvager) members(depth int) {
	comma, first := false, true
	for {
		end := s.pos
		s.space()
		switch c := s.peek(); {
		case s.pos >= len(s.s):
			s.note("the file ends inside an object")
			// A line that ends without a comma is the last one of its object.
			whole := depth == 1 && !first && !comma && !s.nested && strings.Contains(s.s[end:], "\n")
			s.lost = s.lost || !whole
			return
		case c == '}':
			if comma {
				s.note("found a comma before the }")
			}
			s.pos++
			return
		case c == ',' || c == ';':
			if comma || first || c == ';' {
				s.note("found %s, expected a key", s.found())
			}
			s.pos++
			comma = true
			continue
		}
		if !first && !comma {
			s.note("found %s, expected , or }", s.found())
		}
		first, comma = false, false
		s.member(depth)
	}
}

// member reads one key and its value, or passes over what is none.
func (s *salvager) member(depth int) {
	at := s.pos
	key, ok := s.key()
	if !ok {
		s.lost = true
		if s.pos < len(s.s) {
			s.pos = at
			s.note("found %s, expected a key", s.found())
			_, n := utf8.DecodeRuneInString(s.s[s.pos:])
			s.pos += n
		}
		return
	}
	before := len(s.out)
	if depth > 1 {
		if s.out[before-1] != '{' {
			s.out = append(s.out, ',')
		}
		s.out = append(AppendString(s.out, key), ':')
	}
	from, lost := len(s.out), s.lost
	s.lost = false
	ok = s.colonOrValue(key) && s.value(depth)
	if s.lost && ok && depth == 1 {
		s.partial = append(s.partial, key)
	}
	s.lost = s.lost || lost
	switch {
	case depth > 1 && !ok:
		s.out, s.lost = s.out[:before], true
	case depth > 1:
	case ok:
		s.keep(key, string(s.out[from:]))
		s.out = s.out[:from]
	default:
		s.keep(key, "")
		s.out = s.out[:from]
	}
}

// colonOrValue goes to the value of a key, and reports whether there is one.
func (s *salvager) colonOrValue(key string) bool {
	if s.colon() {
		return true
	}
	s.note("found %s, expected : after the key %s", s.found(), badfile.Quote(key))
	if s.pos < len(s.s) && strings.IndexByte(",;}])", s.peek()) < 0 {
		return true
	}
	s.lost = true
	return false
}

// key reads a key in quotes of any kind, or without.
func (s *salvager) key() (string, bool) {
	if _, _, quoted := s.quotes(); quoted {
		if s.peek() != '"' {
			s.note("found %s, expected a key in double quotes", s.found())
		}
		return s.text()
	}
	word := s.word()
	if word == "" || strings.ContainsFunc(word, func(r rune) bool {
		return r != '_' && r != '$' && r != '-' && r != '.' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		return "", false
	}
	s.pos -= len(word)
	s.note("found %s, expected a key in double quotes", s.found())
	s.pos += len(word)
	return word, true
}

// colon passes over what stands between a key and its value.
func (s *salvager) colon() bool {
	s.space()
	if c := s.peek(); c != ':' && c != '=' {
		return false
	}
	if s.peek() == '=' {
		s.note("found '=', expected :")
	}
	s.pos++
	s.space()
	return true
}

// space passes over white space and comments.
func (s *salvager) space() {
	for s.pos < len(s.s) {
		rest := s.s[s.pos:]
		r, n := utf8.DecodeRuneInString(rest)
		end := ""
		switch {
		case unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff':
			if n > 1 || r == '\v' || r == '\f' {
				s.note("found %s", s.found())
			}
			s.pos += n
			continue
		case r == '#' || strings.HasPrefix(rest, "//"):
			end = "\n"
		case strings.HasPrefix(rest, "/*"):
			end = "*/"
		default:
			return
		}
		s.note("found a comment")
		if i := strings.Index(rest, end); i >= 0 {
			s.pos += i + len(end)
		} else {
			s.pos = len(s.s)
		}
	}
}

// decodeText makes a text of bytes in whatever encoding. what says which it is, if not UTF-8.
func decodeText(data []byte) (text, what string) {
	if order := utf16Order(data); order != nil {
		units := make([]uint16, len(data)/2)
		for i := range units {
			units[i] = order.Uint16(data[2*i:])
		}
		return strings.TrimPrefix(string(utf16.Decode(units)), bom), "UTF-16 text, expected UTF-8"
	}
	text, marked := strings.CutPrefix(string(data), bom)
	if marked {
		what = "starts with a byte order mark"
	}
	if utf8.ValidString(text) {
		return text, what
	}
	var b strings.Builder
	first := -1
	for i, r := range text {
		if _, n := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && n == 1 {
			if first < 0 {
				first = i
			}
			r = rune(text[i]) // Latin-1
		}
		b.WriteRune(r)
	}
	return b.String(), fmt.Sprintf("byte 0x%02x is not valid UTF-8; read as Latin-1", text[first])
}

// utf16Order recognises UTF-16 by its mark, or by the zero beside a first character that is one of ASCII.
func utf16Order(data []byte) binary.ByteOrder {
	switch {
	case len(data) < 2:
	case data[0] == 0xff && data[1] == 0xfe, data[0] != 0 && data[1] == 0:
		return binary.LittleEndian
	case data[0] == 0xfe && data[1] == 0xff, data[0] == 0 && data[1] != 0:
		return binary.BigEndian
	}
	return nil
}
