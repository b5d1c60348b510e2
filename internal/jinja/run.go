package jinja

import (
	"maps"
	"strings"
	"time"
)

// run is one rendering.
type run struct {
	out   *strings.Builder
	scope *scope
	now   time.Time
	line  int // of the statement at work
	depth int
	steps int // left
	bytes int // left
	most  int // bytes of the text
}

// scope holds the variables of a block, and knows the block around it.
type scope struct {
	vars  map[string]any
	outer *scope
}

func (s *scope) get(name string) (any, bool) {
	for ; s != nil; s = s.outer {
		if v, ok := s.vars[name]; ok {
			return v, true
		}
	}
	return nil, false
}

func (s *scope) set(name string, v any) {
	if s.vars == nil {
		s.vars = map[string]any{}
	}
	s.vars[name] = v
}

// Render renders the template with these variables. Errors: *RaisedError where the template refuses them, *Error.
func (t *Template) Render(vars Dict) (string, error) { return t.renderAt(vars, time.Now()) }

func (t *Template) renderAt(vars Dict, now time.Time) (s string, err error) {
	defer caught(&err)
	globals := &scope{vars: maps.Clone(globals)}
	size := 0
	for _, v := range vars {
		globals.set(v.Key, imported(v.Value, &size))
	}
	size = min(size, maxCounted)
	r := &run{out: &strings.Builder{}, scope: &scope{outer: globals}, now: now, line: 1,
		steps: maxSteps + perByte*size, bytes: maxBytes + perByte*size, most: maxText + textEach*size}
	r.exec(t.body)
	return r.out.String(), nil
}

func (r *run) fail(format string, args ...any) { fail(r.line, format, args...) }

// step counts work that makes nothing.
func (r *run) step(n int) {
	if r.steps -= n; n < 0 || r.steps < 0 {
		r.fail("it runs too long")
	}
}

// made counts bytes that are about to be made.
func (r *run) made(n int) {
	if r.bytes -= n; n < 0 || r.bytes < 0 {
		r.fail("it needs too much memory")
	}
}

// deeper guards the stack.
func (r *run) deeper() func() {
	r.step(1)
	if r.depth++; r.depth > maxDepth {
		r.fail("nested too deeply")
	}
	return r.shallower
}

func (r *run) shallower() { r.depth-- }

// exec runs statements until one of them leaves the loop.
func (r *run) exec(body []stmt) flow {
	defer r.deeper()()
	for _, s := range body {
		if f := s.exec(r); f != goOn {
			return f
		}
	}
	return goOn
}

// inner runs statements with variables of their own.
func (r *run) inner(vars map[string]any, body []stmt) flow {
	outer := r.scope
	r.scope = &scope{vars, outer}
	f := r.exec(body)
	r.scope = outer
	return f
}

// captured returns what statements write.
func (r *run) captured(do func()) string {
	out := r.out
	r.out = &strings.Builder{}
	do()
	s := r.out.String()
	r.out = out
	return s
}

func (r *run) write(s string) {
	r.step(1)
	r.made(len(s))
	if len(s) > r.most-r.out.Len() {
		r.fail("it writes more than %d bytes, which makes no prompt", r.most)
	}
	r.out.WriteString(s)
}

func (s *textStmt) exec(r *run) flow {
	r.write(s.text)
	return goOn
}

func (s *outputStmt) exec(r *run) flow {
	r.line = s.line
	r.write(r.str(s.of.eval(r)))
	return goOn
}

func (s *ifStmt) exec(r *run) flow {
	r.line = s.line
	for i, cond := range s.conds {
		if truth(cond.eval(r)) {
			return r.exec(s.blocks[i])
		}
	}
	return r.exec(s.otherwise)
}

func (s *forStmt) exec(r *run) flow {
	r.line = s.line
	items := r.items(s.over.eval(r))
	if s.cond != nil {
		items = s.filtered(r, items)
	}
	if len(items) == 0 {
		return r.exec(s.none)
	}
	l := &loop{items: items, changed: undefined{"nothing"}}
	for l.at = range items {
		vars := map[string]any{"loop": l}
		r.assign(vars, s.targets, items[l.at])
		if r.inner(vars, s.body) == breakLoop {
			break
		}
	}
	return goOn
}

// filtered returns the items for which the loop's condition holds.
func (s *forStmt) filtered(r *run, items []any) (kept []any) {
	outer := r.scope
	for _, v := range items {
		r.made(16)
		vars := map[string]any{}
		r.assign(vars, s.targets, v)
		r.scope = &scope{vars, outer}
		if truth(s.cond.eval(r)) {
			kept = append(kept, v)
		}
	}
	r.scope = outer
	return kept
}

// assign sets one variable, or several from the items of a value.
func (r *run) assign(vars map[string]any, names []string, v any) {
	r.made(64)
	if len(names) == 1 {
		vars[names[0]] = v
		return
	}
	items := r.items(v)
	if len(items) != len(names) {
		r.fail("%d values for %d names", len(items), len(names))
	}
	for i, name := range names {
		vars[name] = items[i]
	}
}

func (s *setStmt) exec(r *run) flow {
	r.line = s.line
	var v any
	if s.value != nil {
		v = s.value.eval(r)
	} else {
		v = r.filtered(s.filters, r.captured(func() { r.inner(nil, s.body) }))
	}
	if s.of != "" {
		of, _ := r.scope.get(s.of)
		ns, ok := of.(*namespace)
		if !ok {
			r.fail("cannot assign attribute on non-namespace object %s", s.of)
		}
		r.made(64)
		ns.vars[s.targets[0]] = v
		return goOn
	}
	if r.scope.vars == nil {
		r.scope.vars = map[string]any{}
	}
	r.assign(r.scope.vars, s.targets, v)
	return goOn
}

func (s *macroStmt) exec(r *run) flow {
	r.line = s.line
	r.scope.set(s.name, s.bind(r))
	return goOn
}

// bind makes a function of a macro: it sees the variables around it as they are when it is called.
func (s *macroStmt) bind(r *run) *function {
	r.made(64)
	around := r.scope
	return &function{s.name, func(r *run, a args) any {
		defer r.deeper()()
		outer, line := r.scope, r.line
		vars := map[string]any{}
		caller, called := a.named["caller"]
		if called {
			vars["caller"] = caller
			delete(a.named, "caller")
		}
		r.scope = &scope{vars, around}
		got := a.bind(r, s.name, s.params...)
		for i, p := range s.params {
			if _, missing := got[i].(undefined); missing {
				if d := i - (len(s.params) - len(s.defaults)); d >= 0 {
					got[i] = s.defaults[d].eval(r)
				}
			}
			vars[p] = got[i]
		}
		text := r.captured(func() { r.exec(s.body) })
		r.scope, r.line = outer, line
		return text
	}}
}

func (s *callStmt) exec(r *run) flow {
	r.line = s.line
	fn := r.function(s.call.fn)
	a := s.call.args.eval(r)
	a.named["caller"] = s.with.bind(r)
	r.write(r.str(fn.call(r, a)))
	return goOn
}

func (s *scopeStmt) exec(r *run) flow {
	r.line = s.line
	vars := map[string]any{}
	for i, name := range s.names {
		vars[name] = s.values[i].eval(r)
	}
	if s.filters == nil {
		return r.inner(vars, s.body)
	}
	text := r.captured(func() { r.inner(vars, s.body) })
	r.write(r.str(r.filtered(s.filters, text)))
	return goOn
}

func (s *jumpStmt) exec(*run) flow { return s.to }
