package jinja

import "strconv"

// tuple reads expressions separated by commas; one without a comma is itself. With conds, each may be x if y else z.
func (p *parser) tuple(conds bool) expr {
	read := p.expr
	if !conds {
		read = p.or
	}
	first := read()
	if !p.is(operator, ",") {
		return first
	}
	items := []expr{first}
	for p.take(operator, ",") {
		if p.ends() {
			break
		}
		items = append(items, read())
	}
	return &listOf{items, true}
}

// ends reports whether a tuple cannot go on here.
func (p *parser) ends() bool {
	k := p.now().kind
	return k == outputEnd || k == blockEnd || p.is(operator, ")") || p.is(name, "in")
}

// expr reads an expression with its conditions: x if y else z.
func (p *parser) expr() expr {
	defer p.deeper()()
	e := p.or()
	for p.take(name, "if") {
		c := &conditional{then: e, cond: p.or()}
		if p.take(name, "else") {
			c.otherwise = p.expr()
		}
		e = c
	}
	return e
}

func (p *parser) or() expr {
	e := p.and()
	for p.take(name, "or") {
		e = &logic{false, e, p.and()}
	}
	return e
}

func (p *parser) and() expr {
	e := p.not()
	for p.take(name, "and") {
		e = &logic{true, e, p.not()}
	}
	return e
}

func (p *parser) not() expr {
	if p.take(name, "not") {
		defer p.deeper()()
		return &unary{"not", p.not()}
	}
	return p.comparison()
}

func (p *parser) comparison() expr {
	c := &comparison{first: p.sum()}
	for {
		switch {
		case p.is(operator, "==", "!=", "<", "<=", ">", ">="), p.is(name, "in"):
			c.ops = append(c.ops, p.next().text)
		case p.is(name, "not") && p.tokens[p.pos+1].kind == name && p.tokens[p.pos+1].text == "in":
			p.next()
			p.next()
			c.ops = append(c.ops, "not in")
		case len(c.ops) == 0:
			return c.first
		default:
			return c
		}
		c.rest = append(c.rest, p.sum())
	}
}

// levels are the binary operators, from the loosest.
var levels = [][]string{{"+", "-"}, {"~"}, {"*", "/", "//", "%"}, {"**"}}

func (p *parser) sum() expr { return p.level(0) }

func (p *parser) level(n int) expr {
	if n == len(levels) {
		return p.unary(true)
	}
	e := p.level(n + 1)
	for p.is(operator, levels[n]...) {
		op := p.next().text
		e = &binary{op, e, p.level(n + 1)}
	}
	return e
}

// unary reads -x, +x or a value, with what follows it.
func (p *parser) unary(withFilters bool) expr {
	defer p.deeper()()
	var e expr
	if p.is(operator, "-", "+") {
		op := p.next().text
		e = &unary{op, p.unary(false)}
	} else {
		e = p.primary()
	}
	e = p.postfix(e)
	if !withFilters {
		return e
	}
	for {
		switch {
		case p.take(operator, "|"):
			e = &filterExpr{e, p.filter()}
		case p.take(name, "is"):
			e = p.test(e)
		case p.is(operator, "("):
			e = &callExpr{e, p.args()}
		default:
			return e
		}
	}
}

func (p *parser) primary() expr {
	switch t := p.next(); t.kind {
	case name:
		switch t.text {
		case "true", "True":
			return &constant{true}
		case "false", "False":
			return &constant{false}
		case "none", "None":
			return &constant{nil}
		}
		return &variable{t.text}
	case text:
		s := t.text
		for p.now().kind == text {
			s += p.next().text
		}
		return &constant{s}
	case integer:
		n, err := strconv.ParseInt(t.text, 10, 64)
		if err != nil {
			fail(t.line, "%s is too large", t.text)
		}
		return &constant{n}
	case float:
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			fail(t.line, "%s is too large", t.text)
		}
		return &constant{f}
	case operator:
		switch t.text {
		case "(":
			if p.take(operator, ")") {
				return &listOf{nil, true}
			}
			e := p.tuple(true)
			p.expect(operator, ")")
			return e
		case "[":
			return &listOf{items: p.list("]")}
		case "{":
			return p.dict()
		}
		fail(t.line, "unexpected %q", t.text)
	default:
		fail(t.line, "unexpected end of the tag: expected a value")
	}
	return nil
}

// list reads expressions up to a bracket.
func (p *parser) list(end string) (items []expr) {
	for !p.take(operator, end) {
		if len(items) > 0 {
			p.expect(operator, ",")
			if p.take(operator, end) {
				break
			}
		}
		items = append(items, p.expr())
	}
	return items
}

func (p *parser) dict() expr {
	d := &dictOf{}
	for !p.take(operator, "}") {
		if len(d.keys) > 0 {
			p.expect(operator, ",")
			if p.take(operator, "}") {
				break
			}
		}
		d.keys = append(d.keys, p.expr())
		p.expect(operator, ":")
		d.values = append(d.values, p.expr())
	}
	return d
}

// postfix reads .name, [index], [from:to:step] and (arguments).
func (p *parser) postfix(e expr) expr {
	for {
		switch {
		case p.take(operator, "."):
			if t := p.now(); t.kind == integer {
				n, _ := strconv.ParseInt(p.next().text, 10, 64)
				e = &item{e, &constant{n}}
				continue
			}
			e = &attribute{e, p.name()}
		case p.take(operator, "["):
			e = p.subscript(e)
		case p.is(operator, "("):
			e = &callExpr{e, p.args()}
		default:
			return e
		}
	}
}

func (p *parser) subscript(of expr) expr {
	var parts [3]expr
	colons := 0
	for !p.take(operator, "]") {
		if p.take(operator, ":") {
			if colons++; colons > 2 {
				p.fail("a slice has at most two colons")
			}
			continue
		}
		if parts[colons] != nil {
			p.fail("found %q, expected ]", p.now().text)
		}
		parts[colons] = p.expr()
	}
	if colons > 0 {
		return &slice{of, parts[0], parts[1], parts[2]}
	}
	if parts[0] == nil {
		p.fail("expected an index")
	}
	return &item{of, parts[0]}
}

func (p *parser) args() (a argExprs) {
	p.expect(operator, "(")
	for n := 0; !p.take(operator, ")"); n++ {
		if n > 0 {
			p.expect(operator, ",")
			if p.take(operator, ")") {
				break
			}
		}
		next := p.tokens[min(p.pos+1, len(p.tokens)-1)]
		switch {
		case p.now().kind == name && next.kind == operator && next.text == "=":
			a.names = append(a.names, p.name())
			p.next()
			a.named = append(a.named, p.expr())
		case p.is(operator, "*", "**"):
			p.fail("unpacked arguments are not supported")
		case len(a.named) > 0:
			p.fail("an argument without name follows one with")
		default:
			a.pos = append(a.pos, p.expr())
		}
	}
	return a
}

// filter reads a filter's name and arguments.
func (p *parser) filter() filterCall {
	f := filterCall{name: p.name()}
	if p.is(operator, "(") {
		f.args = p.args()
	}
	return f
}

// test reads what follows "is"; one argument may stand without brackets.
func (p *parser) test(of expr) expr {
	t := &testExpr{of: of, negate: p.take(name, "not"), name: p.name()}
	switch k := p.now().kind; {
	case p.is(operator, "("):
		t.args = p.args()
	case k == name && !p.is(name, "else", "or", "and", "is", "if", "in", "not"), k == text, k == integer, k == float, p.is(operator, "[", "{"):
		t.args.pos = []expr{p.postfix(p.primary())}
	}
	return t
}
