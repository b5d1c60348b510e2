package jinja

import "slices"

// args are the arguments of a call.
type args struct {
	pos   []any
	named map[string]any
	order []string // of the names
}

func (a *argExprs) eval(r *run) args {
	got := args{make([]any, len(a.pos)), map[string]any{}, a.names}
	r.made(64 + 16*(len(a.pos)+4*len(a.named)))
	for i, e := range a.pos {
		got.pos[i] = e.eval(r)
	}
	for i, e := range a.named {
		got.named[a.names[i]] = e.eval(r)
	}
	return got
}

// bind returns the arguments in the order of these parameters; those not given are undefined.
func (a args) bind(r *run, fn string, params ...string) []any {
	if len(a.pos) > len(params) {
		r.fail("%s takes at most %d arguments, found %d", fn, len(params), len(a.pos))
	}
	got := slices.Clone(a.pos)
	for _, p := range params[len(a.pos):] {
		v, ok := a.named[p]
		if !ok {
			v = undefined{p}
		}
		got = append(got, v)
	}
	for name := range a.named {
		if i := slices.Index(params, name); i < len(a.pos) {
			r.fail("%s has no use for argument %s", fn, name)
		}
	}
	return got
}

// given reports whether an optional argument is there.
func given(v any) bool {
	_, missing := v.(undefined)
	return !missing
}

// function returns what an expression calls.
func (r *run) function(e expr) *function {
	v := e.eval(r)
	switch fn := v.(type) {
	case *function:
		return fn
	case undefined:
		r.fail("'%s' is undefined, so it cannot be called", fn.name)
	case *loop:
		r.fail("recursive loops are not supported")
	}
	r.fail("'%s' object is not callable", typeName(v))
	return nil
}

func (e *callExpr) eval(r *run) any {
	defer r.deeper()()
	fn := r.function(e.fn)
	return fn.call(r, e.args.eval(r))
}

func (e *filterExpr) eval(r *run) any {
	defer r.deeper()()
	return e.call.apply(r, e.of.eval(r))
}

func (f *filterCall) apply(r *run, v any) any { return r.filter(f.name)(r, v, f.args.eval(r)) }

// filter returns a filter by name. A missing one matters only when it is used, as in Jinja.
func (r *run) filter(name string) func(r *run, v any, a args) any {
	fn, ok := filters[name]
	if !ok {
		r.fail("there is no filter %q here", name)
	}
	return fn
}

// test returns a test by name.
func (r *run) test(name string) func(r *run, v any, a []any) bool {
	fn, ok := tests[name]
	if !ok {
		r.fail("there is no test %q here", name)
	}
	return fn
}

// filtered applies a chain of filters.
func (r *run) filtered(chain []filterCall, v any) any {
	for i := range chain {
		v = chain[i].apply(r, v)
	}
	return v
}

func (e *testExpr) eval(r *run) any {
	defer r.deeper()()
	return r.test(e.name)(r, e.of.eval(r), e.args.eval(r).pos) != e.negate
}

// text is a string argument.
func (r *run) text(fn string, v any) string {
	s, ok := v.(string)
	if !ok {
		r.fail("%s: expected a str, found %s", fn, typeName(v))
	}
	return s
}

// textOr is a string argument that may be left out or None.
func (r *run) textOr(fn string, v any, otherwise string) string {
	if v == nil || !given(v) {
		return otherwise
	}
	return r.text(fn, v)
}

// intOr is an integer argument that may be left out or None.
func (r *run) intOr(fn string, v any, otherwise int64) int64 {
	if v == nil || !given(v) {
		return otherwise
	}
	n, _, isFloat, ok := number(v)
	if !ok || isFloat {
		r.fail("%s: expected an int, found %s", fn, typeName(v))
	}
	return n
}
