package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gomamba/gomamba/internal/lazy"
)

// kind is what a token is.
type kind int

const (
	endOfSource kind = iota
	data             // text outside of tags
	outputBegin      // {{
	outputEnd        // }}
	blockBegin       // {%
	blockEnd         // %}
	name
	text // a string literal, its escapes resolved
	integer
	float
	operator
)

type token struct {
	kind kind
	text string
	line int
}

// lexer cuts a template into tokens. Its rules for white space are those of jinja2/lexer.py.
type lexer struct {
	src      string
	pos      int
	line     int
	atLine   bool   // the last tag ended with the newline that it takes along
	open     []byte // brackets that are open in the tag
	tokens   []token
	lineAsOf int // the position whose line is known
}

var (
	rawBegin = lazy.Regexp(`^\s*raw\s*(?:-%\}\s*|%\})`)
	rawEnd   = lazy.Regexp(`\{%([-+]?)\s*endraw\s*(?:\+%\}|-%\}\s*|%\}\n?)`)
)

func lex(src string) []token {
	src = strings.ReplaceAll(strings.ReplaceAll(src, "\r\n", "\n"), "\r", "\n")
	l := &lexer{src: strings.TrimSuffix(src, "\n"), line: 1, atLine: true}
	for l.pos < len(l.src) {
		l.outside()
	}
	l.add(endOfSource, "")
	return l.tokens
}

func (l *lexer) fail(format string, args ...any) { fail(l.here(), format, args...) }

// here is the line of the position.
func (l *lexer) here() int {
	l.line += strings.Count(l.src[l.lineAsOf:l.pos], "\n")
	l.lineAsOf = l.pos
	return l.line
}

func (l *lexer) add(k kind, text string) { l.tokens = append(l.tokens, token{k, text, l.here()}) }

// outside takes the text up to the next tag, and the tag.
func (l *lexer) outside() {
	at := l.pos
	for ; at < len(l.src)-1; at++ {
		if l.src[at] == '{' && strings.IndexByte("{%#", l.src[at+1]) >= 0 {
			break
		}
	}
	if at >= len(l.src)-1 {
		l.add(data, l.src[l.pos:])
		l.pos = len(l.src)
		return
	}
	tag, sign := l.src[at+1], byte(0)
	if at+2 < len(l.src) && (l.src[at+2] == '-' || l.src[at+2] == '+') {
		sign = l.src[at+2]
	}
	l.text(l.src[l.pos:at], tag, sign)
	l.pos = at + 2
	if sign != 0 {
		l.pos++
	}
	switch tag {
	case '#':
		l.comment()
	case '{':
		l.add(outputBegin, "{{")
		l.inside(outputEnd, "}}")
	default:
		if m := rawBegin().FindString(l.src[l.pos:]); m != "" {
			l.pos += len(m)
			l.raw()
			return
		}
		l.add(blockBegin, "{%")
		l.inside(blockEnd, "%}")
	}
}

// text adds what stands before a tag, without the white space that the tag takes away.
func (l *lexer) text(s string, tag, sign byte) {
	switch {
	case sign == '-':
		s = strings.TrimRightFunc(s, unicode.IsSpace)
	case sign != '+' && tag != '{': // lstrip_blocks
		line := strings.LastIndexByte(s, '\n') + 1
		if (line > 0 || l.atLine) && strings.TrimFunc(s[line:], unicode.IsSpace) == "" {
			s = s[:line]
		}
	}
	if s != "" {
		l.add(data, s)
	}
}

// end moves to the end of a tag whose last characters are at i, and over the white space that it takes along.
func (l *lexer) end(i int, mark string, trim bool) {
	begun := i
	if l.src[i] == '-' {
		i += 1 + len(mark)
		i += len(l.src[i:]) - len(strings.TrimLeftFunc(l.src[i:], unicode.IsSpace))
	} else if l.src[i] == '+' {
		i += 1 + len(mark)
	} else {
		i += len(mark)
		if trim && i < len(l.src) && l.src[i] == '\n' { // trim_blocks
			i++
		}
	}
	l.atLine = strings.HasSuffix(l.src[begun:i], "\n")
	l.pos = i
}

func (l *lexer) comment() {
	i := strings.Index(l.src[l.pos:], "#}")
	if i < 0 {
		l.fail("a comment has no end: expected #}")
	}
	i += l.pos
	if i > l.pos && (l.src[i-1] == '-' || l.src[i-1] == '+') {
		i--
	}
	l.end(i, "#}", true)
}

func (l *lexer) raw() {
	m := rawEnd().FindStringSubmatchIndex(l.src[l.pos:])
	if m == nil {
		l.fail("raw has no endraw")
	}
	sign := byte(0)
	if m[2] < m[3] {
		sign = l.src[l.pos+m[2]]
	}
	l.atLine = false
	l.text(l.src[l.pos:l.pos+m[0]], '%', sign)
	l.atLine = l.src[l.pos+m[1]-1] == '\n'
	l.pos += m[1]
}

// operators, the longer ones first.
var operators = []string{"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";"}

// inside takes the tokens of a tag up to its end.
func (l *lexer) inside(k kind, mark string) {
	l.open = l.open[:0]
	for {
		rest := strings.TrimLeftFunc(l.src[l.pos:], unicode.IsSpace)
		l.pos = len(l.src) - len(rest)
		if rest == "" {
			l.fail("a tag has no end: expected %s", mark)
		}
		if len(l.open) == 0 {
			after := rest
			if rest[0] == '-' || rest[0] == '+' && k == blockEnd {
				after = rest[1:]
			}
			if strings.HasPrefix(after, mark) {
				l.add(k, mark)
				l.end(l.pos, mark, k == blockEnd)
				return
			}
		}
		l.token(rest)
	}
}

// token takes the token that rest begins with.
func (l *lexer) token(rest string) {
	r, _ := utf8.DecodeRuneInString(rest)
	switch {
	case r == '"' || r == '\'':
		l.literal(rest)
	case '0' <= r && r <= '9':
		l.number(rest)
	case r == '_' || unicode.IsLetter(r):
		n := strings.IndexFunc(rest, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsNumber(r) })
		if n < 0 {
			n = len(rest)
		}
		l.add(name, rest[:n])
		l.pos += n
	default:
		for _, op := range operators {
			if strings.HasPrefix(rest, op) {
				l.bracket(op)
				l.add(operator, op)
				l.pos += len(op)
				return
			}
		}
		l.fail("unexpected %q", r)
	}
}

// bracket keeps account of brackets: within them, the mark of a tag's end is none.
func (l *lexer) bracket(op string) {
	switch op {
	case "(", "[", "{":
		l.open = append(l.open, op[0])
	case ")", "]", "}":
		want := map[string]byte{")": '(', "]": '[', "}": '{'}[op]
		if len(l.open) == 0 || l.open[len(l.open)-1] != want {
			l.fail("%s closes nothing", op)
		}
		l.open = l.open[:len(l.open)-1]
	}
}

// number takes an integer or a float; digits may be grouped by underscores.
func (l *lexer) number(rest string) {
	digits := func(i int) int {
		for i < len(rest) && ('0' <= rest[i] && rest[i] <= '9' || rest[i] == '_' && i+1 < len(rest) && '0' <= rest[i+1] && rest[i+1] <= '9') {
			i++
		}
		return i
	}
	isDigit := func(i int) bool { return i < len(rest) && '0' <= rest[i] && rest[i] <= '9' }
	k, n := integer, digits(0)
	if l.pos == 0 || l.src[l.pos-1] != '.' {
		if n < len(rest) && rest[n] == '.' && isDigit(n+1) {
			k, n = float, digits(n+1)
		}
		if n < len(rest) && (rest[n] == 'e' || rest[n] == 'E') {
			exp := n + 1
			if exp < len(rest) && (rest[exp] == '+' || rest[exp] == '-') {
				exp++
			}
			if isDigit(exp) {
				k, n = float, digits(exp)
			}
		}
	}
	l.add(k, strings.ReplaceAll(rest[:n], "_", ""))
	l.pos += n
}
