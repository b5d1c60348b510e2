package jsonobj

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// maxIndented is how many levels AppendIndent spreads over lines. Deeper values stay on one line, so that
// indenting a hostile file cannot multiply its size.
const maxIndented = 4

// Compact returns the text of v without white space between tokens. Numbers and strings keep their spelling.
func (v Value) Compact() string {
	if v.Kind() == Null {
		return "null"
	}
	var b strings.Builder
	b.Grow(len(v.text))
	for rest := v.text; rest != ""; {
		n := token(rest)
		if strings.IndexByte(" \t\r\n", rest[0]) < 0 {
			b.WriteString(rest[:n])
		}
		rest = rest[n:]
	}
	return b.String()
}

// AppendIndent appends v as Python's json.dumps(indent=2) lays it out inside level enclosing objects.
// Members keep their order and spelling; levels beyond the fourth are written on one line.
func AppendIndent(dst []byte, v Value, level int) []byte {
	text := v.Compact()
	dst = slices.Grow(dst, len(text))
	for text != "" {
		n := token(text)
		tok := text[:n]
		text = text[n:]
		switch tok {
		case "{", "[":
			level++
			dst = append(dst, tok...)
			if level <= maxIndented && text[0] != '}' && text[0] != ']' {
				dst = AppendNewline(dst, level)
			}
		case "}", "]":
			level--
			if last := dst[len(dst)-1]; level < maxIndented && last != '{' && last != '[' {
				dst = AppendNewline(dst, level)
			}
			dst = append(dst, tok...)
		case ",":
			dst = append(dst, ',')
			if level <= maxIndented {
				dst = AppendNewline(dst, level)
			} else {
				dst = append(dst, ' ')
			}
		case ":":
			dst = append(dst, ": "...)
		default:
			dst = append(dst, tok...)
		}
	}
	return dst
}

// token returns the length of the first token of well-formed text: a string, one other character of the grammar or of
// white space, or a number or word.
func token(text string) int {
	switch c := text[0]; {
	case c == '"':
		s := scanner{s: text}
		_, _ = s.str() // well-formed text has no error here
		return s.pos
	case strings.IndexByte("{}[],: \t\r\n", c) >= 0:
		return 1
	}
	if n := strings.IndexAny(text, ",]} \t\r\n"); n > 0 {
		return n
	}
	return len(text)
}

// AppendNewline appends a line break and the indentation of level.
func AppendNewline(dst []byte, level int) []byte {
	dst = append(dst, '\n')
	for range level {
		dst = append(dst, "  "...)
	}
	return dst
}

// AppendString appends s as a JSON string in ASCII, escaped as Python's json.dumps does.
// Bytes that are not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch i := strings.IndexRune(escapedRunes, r); {
		case i >= 0 && r != '/':
			dst = append(dst, '\\', escapeNames[i])
		case 0x20 <= r && r < 0x7f:
			dst = append(dst, byte(r))
		default:
			for _, u := range utf16.Encode([]rune{r}) {
				dst = fmt.Appendf(dst, `\u%04x`, u)
			}
		}
	}
	return append(dst, '"')
}

// Standard returns text, which is well-formed here, as JSON that any reader takes: the bare tokens NaN, Infinity and
// -Infinity become {"__float__":"NaN"} and so on, as transformers 5 writes them.
func Standard(text string) []byte {
	out := make([]byte, 0, len(text))
	for text != "" {
		n := token(text)
		switch tok := text[:n]; tok {
		case "NaN", "Infinity", "-Infinity":
			out = append(out, `{"__float__":"`+tok+`"}`...)
		default:
			out = append(out, tok...)
		}
		text = text[n:]
	}
	return out
}
