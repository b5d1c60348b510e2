package jinja

import (
	"fmt"
	"slices"
)

// Template is a template that has been understood. It may be rendered from many goroutines.
type Template struct {
	body []stmt
	size int
}

// Error says what is wrong with a template, or why it cannot be rendered.
type Error struct {
	Line   int
	Detail string
}

func (e *Error) Error() string { return fmt.Sprintf("chat template, line %d: %s", e.Line, e.Detail) }

// RaisedError is what a template itself says is wrong, with raise_exception.
type RaisedError struct{ Message string }

func (e *RaisedError) Error() string { return "the chat template refuses: " + e.Message }

// fail ends parsing or rendering; Parse and Render return the error.
func fail(line int, format string, args ...any) {
	panic(&Error{line, fmt.Sprintf(format, args...)})
}

// caught turns what fail threw into an error.
func caught(err *error) {
	switch e := recover().(type) {
	case nil:
	case *Error:
		*err = e
	case *RaisedError:
		*err = e
	default:
		panic(e)
	}
}

// Parse reads a template. Errors: *Error.
func Parse(source string) (t *Template, err error) {
	defer caught(&err)
	if len(source) > maxSource {
		fail(1, "%d bytes: expected at most %d", len(source), maxSource)
	}
	p := &parser{tokens: lex(source)}
	body := p.block()
	if p.now().kind != endOfSource {
		p.fail("%s ends nothing", p.now().text)
	}
	return &Template{body, len(source)}, nil
}

// parser reads tokens by recursive descent, in the order of jinja2/parser.py.
type parser struct {
	tokens []token
	pos    int
	depth  int
}

func (p *parser) now() token  { return p.tokens[p.pos] }
func (p *parser) line() int   { return p.now().line }
func (p *parser) next() token { t := p.now(); p.pos = min(p.pos+1, len(p.tokens)-1); return t }

func (p *parser) fail(format string, args ...any) { fail(p.line(), format, args...) }

// deeper guards the stack.
func (p *parser) deeper() func() {
	if p.depth++; p.depth > maxDepth {
		p.fail("nested too deeply")
	}
	return func() { p.depth-- }
}

// is reports whether the next token is this operator or name.
func (p *parser) is(k kind, texts ...string) bool {
	return p.now().kind == k && slices.Contains(texts, p.now().text)
}

// take takes the next token if it is this one.
func (p *parser) take(k kind, text string) bool {
	if p.is(k, text) {
		p.next()
		return true
	}
	return false
}

func (p *parser) expect(k kind, text string) {
	if !p.take(k, text) {
		p.fail("found %q, expected %q", p.now().text, text)
	}
}

func (p *parser) name() string {
	if p.now().kind != name {
		p.fail("found %q, expected a name", p.now().text)
	}
	return p.next().text
}

// block reads statements up to a tag that none of them begins with, or that is one of ends.
func (p *parser) block(ends ...string) []stmt {
	defer p.deeper()()
	var all []stmt
	for {
		switch t := p.now(); t.kind {
		case data:
			p.next()
			all = append(all, &textStmt{t.text})
		case outputBegin:
			p.next()
			all = append(all, &outputStmt{t.line, p.tuple(true)})
			p.expect(outputEnd, "}}")
		case blockBegin:
			if p.tokens[p.pos+1].kind == name && slices.Contains(ends, p.tokens[p.pos+1].text) {
				return all
			}
			p.next()
			all = append(all, p.statement())
		default:
			if len(ends) > 0 {
				p.fail("the template ends, expected %s", ends[len(ends)-1])
			}
			return all
		}
	}
}

// closed reads a block and the tag that ends it.
func (p *parser) closed(end string) []stmt {
	p.expect(blockEnd, "%}")
	body := p.block(end)
	p.next()
	p.next()
	if end == "endmacro" || end == "endcall" {
		if p.now().kind == name {
			p.next() // its name may be repeated
		}
	}
	p.expect(blockEnd, "%}")
	return body
}

func (p *parser) statement() stmt {
	line := p.line()
	switch t := p.name(); t {
	case "if":
		return p.ifStmt(line)
	case "for":
		return p.forStmt(line)
	case "set":
		return p.setStmt(line)
	case "macro":
		m := macroStmt{line: line, name: p.name()}
		return p.macro(m, "endmacro")
	case "call":
		return p.callStmt(line)
	case "with":
		return p.withStmt(line)
	case "filter":
		s := &scopeStmt{line: line, filters: p.chain()}
		s.body = p.closed("endfilter")
		return s
	case "generation":
		return &scopeStmt{line: line, body: p.closed("endgeneration")}
	case "break", "continue":
		p.expect(blockEnd, "%}")
		return &jumpStmt{map[string]flow{"break": breakLoop, "continue": continueLoop}[t]}
	case "include", "import", "from", "extends", "block":
		fail(line, "%s is not for chat templates: they are complete in themselves", t)
	default:
		fail(line, "unknown tag %q", t)
	}
	return nil
}

func (p *parser) ifStmt(line int) stmt {
	s := &ifStmt{line: line}
	for {
		s.conds = append(s.conds, p.tuple(false))
		p.expect(blockEnd, "%}")
		s.blocks = append(s.blocks, p.block("elif", "else", "endif"))
		p.next()
		switch p.next().text {
		case "elif":
			continue
		case "else":
			s.otherwise = p.closed("endif")
		default:
			p.expect(blockEnd, "%}")
		}
		return s
	}
}

func (p *parser) forStmt(line int) stmt {
	s := &forStmt{line: line, targets: p.targets()}
	p.expect(name, "in")
	s.over = p.tuple(false)
	if p.take(name, "if") {
		s.cond = p.expr()
	}
	if p.is(name, "recursive") {
		p.fail("recursive loops are not supported")
	}
	p.expect(blockEnd, "%}")
	s.body = p.block("else", "endfor")
	p.next()
	if p.next().text == "else" {
		s.none = p.closed("endfor")
		return s
	}
	p.expect(blockEnd, "%}")
	return s
}

// targets reads names to assign to: a, b or (a, b).
func (p *parser) targets() []string {
	paren := p.take(operator, "(")
	names := []string{p.name()}
	for p.take(operator, ",") {
		if p.now().kind == name && !p.is(name, "in") {
			names = append(names, p.name())
		}
	}
	if paren {
		p.expect(operator, ")")
	}
	return names
}

func (p *parser) setStmt(line int) stmt {
	s := &setStmt{line: line, targets: p.targets()}
	if p.take(operator, ".") {
		s.of, s.targets = s.targets[0], []string{p.name()}
	}
	if p.take(operator, "=") {
		s.value = p.tuple(true)
		p.expect(blockEnd, "%}")
		return s
	}
	if p.take(operator, "|") {
		s.filters = p.chain()
	}
	s.body = p.closed("endset")
	return s
}

// chain reads filters, the first of which does not have a bar before it.
func (p *parser) chain() []filterCall {
	all := []filterCall{p.filter()}
	for p.take(operator, "|") {
		all = append(all, p.filter())
	}
	return all
}

func (p *parser) macro(m macroStmt, end string) stmt {
	m.params, m.defaults = p.params()
	m.body = p.closed(end)
	return &m
}

// params reads (a, b=1).
func (p *parser) params() (names []string, defaults []expr) {
	p.expect(operator, "(")
	for !p.take(operator, ")") {
		if len(names) > 0 {
			p.expect(operator, ",")
		}
		names = append(names, p.name())
		if p.take(operator, "=") {
			defaults = append(defaults, p.expr())
		} else if len(defaults) > 0 {
			p.fail("parameter %s has no default and follows one that has", names[len(names)-1])
		}
	}
	return names, defaults
}

func (p *parser) callStmt(line int) stmt {
	s := &callStmt{line: line, with: macroStmt{line: line, name: "caller"}}
	if p.is(operator, "(") {
		s.with.params, s.with.defaults = p.params()
	}
	call, ok := p.expr().(*callExpr)
	if !ok {
		p.fail("expected a call")
	}
	s.call = call
	s.with.body = p.closed("endcall")
	return s
}

func (p *parser) withStmt(line int) stmt {
	s := &scopeStmt{line: line}
	for !p.is(blockEnd, "%}") {
		if len(s.names) > 0 {
			p.expect(operator, ",")
		}
		s.names = append(s.names, p.name())
		p.expect(operator, "=")
		s.values = append(s.values, p.expr())
	}
	s.body = p.closed("endwith")
	return s
}
