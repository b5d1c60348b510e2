package jinja

import (
	"strconv"
	"strings"
)

// literal takes a string, and resolves its escapes as Python does; unknown ones stay as they are.
func (l *lexer) literal(rest string) {
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; c {
		case rest[0]:
			l.add(text, b.String())
			l.pos += i + 1
			return
		case '\\':
			if i+1 == len(rest) {
				l.fail("a string has no end")
			}
			i += l.escape(&b, rest[i+1:])
		default:
			b.WriteByte(c)
		}
	}
	l.fail("a string has no end")
}

// simpleEscapes are those of one character.
var simpleEscapes = map[byte]string{
	'\n': "", '\\': "\\", '\'': "'", '"': "\"", 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

// escape writes what the characters after a backslash stand for, and returns how many they are.
func (l *lexer) escape(b *strings.Builder, rest string) int {
	if s, ok := simpleEscapes[rest[0]]; ok {
		b.WriteString(s)
		return 1
	}
	base, from, n := 16, 1, 0
	switch c := rest[0]; {
	case c == 'x':
		n = 2
	case c == 'u':
		n = 4
	case c == 'U':
		n = 8
	case '0' <= c && c <= '7':
		base, from = 8, 0
		for n < 3 && n < len(rest) && '0' <= rest[n] && rest[n] <= '7' {
			n++
		}
	default:
		b.WriteByte('\\')
		return 0
	}
	if len(rest) < from+n {
		l.fail("a string has no end")
	}
	v, err := strconv.ParseUint(rest[from:from+n], base, 32)
	if err != nil || v > 0x10ffff {
		l.fail("\\%s is not a character", rest[:from+n])
	}
	b.WriteRune(rune(v))
	return from + n
}
