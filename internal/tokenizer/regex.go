package tokenizer

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxPattern bounds a pattern: with the properties spelled out, programs grow to some hundreds of kilobytes.
const (
	maxPattern = 1 << 10
	maxRepeats = 128 // the product of all counts in braces and of the number of escapes
)

// pattern is a regular expression of a tokenizer.json, in Oniguruma's syntax, as far as it can be had without backtracking.
type pattern struct {
	re *regexp.Regexp
	// sparing says that the pattern ended in \s+(?!\S)|\s+. Its only group is then that white space.
	sparing bool
}

// notBeforeText is a lookahead that patterns after GPT-2's end with: white space leaves its last character to the next word.
const notBeforeText = `\s+(?!\S)`

// compile makes a pattern of an expression. What Go's engine does not know, such as other lookarounds, is an error.
func compile(expr string) (*pattern, error) {
	if len(expr) > maxPattern {
		return nil, fmt.Errorf("a regular expression of %d bytes; at most %d are taken", len(expr), maxPattern)
	}
	p := &pattern{}
	for _, end := range []string{"|" + notBeforeText + `|\s+`, "|" + notBeforeText + `|\s`} {
		if before, ok := strings.CutSuffix(expr, end); ok {
			expr, p.sparing = before, true
			break
		}
	}
	text, err := spellOut(expr)
	if err != nil {
		return nil, err
	}
	if p.sparing {
		white, _ := spellOut(`\s`)
		text += "|(" + white + "+)"
	}
	if p.re, err = regexp.Compile(text); err != nil {
		return nil, fmt.Errorf("a regular expression that is beyond Go's engine: %s", expr)
	}
	if p.re.MatchString("") {
		return nil, fmt.Errorf("a regular expression that matches the empty text: %s", expr)
	}
	return p, nil
}

// spellOut replaces general categories and \s by the characters in the tables.
func spellOut(expr string) (string, error) {
	var b strings.Builder
	inClass, repeats := false, 1
	quantified := false // the item before ends in ?, *, + or }
	for i := 0; i < len(expr); i++ {
		was := quantified
		quantified = !inClass && strings.IndexByte("?*+}", expr[i]) >= 0
		switch c := expr[i]; {
		case c == '[' && !inClass:
			inClass = true
			b.WriteByte(c)
			if strings.HasPrefix(expr[i+1:], "^") {
				i++
				b.WriteByte('^')
			}
		case c == ']' && inClass:
			inClass = false
			b.WriteByte(c)
		case c == '[' || c == '&' && strings.HasPrefix(expr[i:], "&&") && inClass:
			return "", fmt.Errorf("a regular expression with sets within sets: %s", expr)
		case c == '(' && !strings.HasPrefix(expr[i:], "(?") && !inClass:
			b.WriteString("(?:")
		case c == '+' && was:
			return "", fmt.Errorf("a regular expression with a possessive quantifier: %s", expr)
		case (c == '^' || c == '$') && !inClass:
			return "", fmt.Errorf("a regular expression with %c: %s", c, expr)
		case c == '{' && !inClass:
			var from, to int
			if n, _ := fmt.Sscanf(expr[i:], "{%d,%d}", &from, &to); n == 0 {
				return "", fmt.Errorf("a regular expression with a brace: %s", expr)
			}
			repeats *= max(min(from, maxRepeats+1), min(to, maxRepeats+1), 1)
			if repeats*(1+strings.Count(expr, `\`)) > maxRepeats {
				return "", fmt.Errorf("a regular expression with more than %d repetitions: %s", maxRepeats, expr)
			}
			b.WriteByte(c)
		case c == '\\' && i+1 < len(expr):
			n, err := property(&b, expr[i:], inClass)
			if err != nil {
				return "", err
			}
			i += n - 1
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// categories are the general categories that patterns name, such as \p{Lu}.
var categories = map[string][]span{
	"L": letters, "Lu": upper, "Ll": lower, "Lt": title, "Lm": modifiers, "Lo": caseless,
	"M": combining, "N": numbers, "P": marks,
}

// setOf returns the characters of the set that expr begins with, or with not all others, and how many bytes spell it. ok is
// false if expr begins with another escape.
func setOf(expr string) (spans []span, not bool, n int, ok bool) {
	switch {
	case strings.HasPrefix(expr, `\s`), strings.HasPrefix(expr, `\S`):
		return spaces, expr[1] == 'S', 2, true
	case strings.HasPrefix(expr, `\p{`), strings.HasPrefix(expr, `\P{`):
		name, _, closed := strings.Cut(expr[3:], "}")
		spans, ok = categories[name]
		return spans, expr[1] == 'P', 4 + len(name), ok && closed
	}
	return nil, false, 0, false
}

// property writes the escape that expr begins with, and returns its length.
func property(b *strings.Builder, expr string, inClass bool) (int, error) {
	if spans, not, n, ok := setOf(expr); ok {
		open, end := "[", "]"
		if not {
			open = "[^"
		}
		if inClass {
			if not {
				return 0, fmt.Errorf("a regular expression with %s inside a set", expr[:n])
			}
			open, end = "", ""
		}
		b.WriteString(open)
		for _, s := range spans {
			fmt.Fprintf(b, `\x{%x}-\x{%x}`, s.lo, s.hi)
		}
		b.WriteString(end)
		return n, nil
	}
	// Escapes of single characters mean the same here and there; sets such as \w and \p{Sc} do not.
	if c := expr[1]; c >= utf8.RuneSelf || strings.IndexByte("rntvf", c) < 0 && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') {
		name := expr[:2]
		if end := strings.IndexByte(expr, '}'); end > 0 && strings.HasPrefix(expr[2:], "{") {
			name = expr[:end+1]
		}
		return 0, fmt.Errorf("a regular expression with %s", name)
	}
	b.WriteString(expr[:2])
	return 2, nil
}

// next returns the first match in s from i on. ok is false where there is none.
func (p *pattern) next(s string, i int) (start, end int, ok bool) {
	loc := p.re.FindStringSubmatchIndex(s[i:])
	if loc == nil {
		return 0, 0, false
	}
	start, end = i+loc[0], i+loc[1]
	if p.sparing && loc[2] >= 0 && end < len(s) {
		if _, last := utf8.DecodeLastRuneInString(s[start:end]); start+last < end {
			end -= last
		}
	}
	return start, end, true
}
