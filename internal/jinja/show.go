package jinja

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// str is str(v).
func (r *run) str(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case undefined:
		return ""
	}
	var b strings.Builder
	r.repr(&b, v)
	return b.String()
}

// repr writes repr(v).
func (r *run) repr(b *strings.Builder, v any) {
	defer r.deeper()()
	r.made(16)
	switch v := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		b.WriteString(map[bool]string{true: "True", false: "False"}[v])
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(floatText(v))
	case string:
		r.quoted(b, v)
	case undefined:
		b.WriteString("Undefined")
	case *list:
		if v.lazy {
			r.fail("a generator has no text: use |list")
		}
		open, end := "[", "]"
		if v.tuple {
			open, end = "(", ")"
			if len(v.items) == 1 {
				end = ",)"
			}
		}
		r.series(b, open, end, len(v.items), func(i int) { r.repr(b, v.items[i]) })
	case *dict:
		r.series(b, "{", "}", len(v.keys), func(i int) {
			r.repr(b, v.keys[i])
			b.WriteString(": ")
			r.repr(b, v.values[i])
		})
	default:
		r.fail("a %s has no text", typeName(v))
	}
}

// series writes items with commas between them.
func (r *run) series(b *strings.Builder, open, end string, n int, item func(i int)) {
	b.WriteString(open)
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		item(i)
	}
	b.WriteString(end)
}

// floatText is repr of a float.
func floatText(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "inf"
	case math.IsInf(v, -1):
		return "-inf"
	case math.IsNaN(v):
		return "nan"
	}
	if a := math.Abs(v); v != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(v, 'e', -1, 64)
	}
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// quoted writes repr of a string.
func (r *run) quoted(b *strings.Builder, s string) {
	r.made(len(s) + 2)
	quote := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	b.WriteRune(quote)
	for _, c := range s {
		switch {
		case c == quote || c == '\\':
			b.WriteRune('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == ' ' || unicode.IsPrint(c):
			b.WriteRune(c)
		case c < 0x100:
			fmt.Fprintf(b, `\x%02x`, c)
		case c < 0x10000:
			fmt.Fprintf(b, `\u%04x`, c)
		default:
			fmt.Fprintf(b, `\U%08x`, c)
		}
	}
	b.WriteRune(quote)
}

// format is s % v: %s, %r, %d, %i, %f, %x, %% with flags, width and precision.
func (r *run) format(s string, v any) string {
	values := []any{v}
	if l, ok := v.(*list); ok && l.tuple {
		values = l.items
	}
	var b strings.Builder
	r.made(len(s))
	for {
		before, rest, found := strings.Cut(s, "%")
		b.WriteString(before)
		if !found {
			break
		}
		n := len(rest) - len(strings.TrimLeft(rest, "-+ 0#123456789."))
		if n == len(rest) {
			r.fail("incomplete format")
		}
		flags, verb := rest[:n], rest[n]
		s = rest[n+1:]
		if verb == '%' {
			b.WriteByte('%')
			continue
		}
		if len(values) == 0 {
			r.fail("not enough arguments for format string")
		}
		b.WriteString(r.formatted(flags, verb, values[0]))
		values = values[1:]
	}
	if _, isDict := v.(*dict); len(values) > 0 && !isDict {
		r.fail("not all arguments converted during string formatting")
	}
	return b.String()
}

// formatted is one value, by the letter and the flags before it.
func (r *run) formatted(flags string, verb byte, v any) string {
	for part := range strings.SplitSeq(strings.TrimLeft(flags, "-+ 0#"), ".") {
		if len(part) > 4 {
			r.fail("%%%s%c is too wide", flags, verb)
		}
	}
	r.made(10_000)
	n, f, isFloat, ok := number(v)
	switch verb {
	case 's':
		s := r.str(v)
		r.made(len(s))
		return fmt.Sprintf("%"+flags+"s", s)
	case 'r':
		var b strings.Builder
		r.repr(&b, v)
		return fmt.Sprintf("%"+flags+"s", b.String())
	case 'd', 'i', 'x', 'X', 'o':
		if ok && isFloat && (verb == 'd' || verb == 'i') && math.Abs(f) < 1<<62 {
			n = int64(f)
		} else if !ok || isFloat {
			r.fail("%%%c: expected a number, found %s", verb, typeName(v))
		}
		if verb == 'i' {
			verb = 'd'
		}
		return fmt.Sprintf("%"+flags+string(verb), n)
	case 'f', 'e', 'g':
		if !ok {
			r.fail("%%%c: expected a number, found %s", verb, typeName(v))
		}
		return fmt.Sprintf("%"+flags+string(verb), f)
	}
	r.fail("unsupported format character '%c'", verb)
	return ""
}

// filledIn is s.format(...): {}, {0}, {name}, {{ and }}. Attributes, items, conversions and formats are refused.
func (r *run) filledIn(s string, a args) string {
	var b strings.Builder
	r.made(len(s))
	next := 0
	for {
		i := strings.IndexAny(s, "{}")
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		if strings.HasPrefix(s[i+1:], s[i:i+1]) {
			b.WriteByte(s[i])
			s = s[i+2:]
			continue
		}
		field, rest, found := strings.Cut(s[i+1:], "}")
		if s[i] == '}' || !found {
			r.fail("format: a single %c", s[i])
		}
		if field == "" {
			field = strconv.Itoa(next)
			next++
		}
		v, ok := a.named[field]
		if n, err := strconv.Atoi(field); err == nil && 0 <= n && n < len(a.pos) {
			v, ok = a.pos[n], true
		}
		if !ok {
			r.fail("format: nothing for {%s}", field)
		}
		text := r.str(v)
		r.made(len(text))
		b.WriteString(text)
		s = rest
	}
}
