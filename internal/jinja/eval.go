package jinja

import (
	"math"
	"strings"
	"unicode/utf8"
)

func (e *constant) eval(*run) any { return e.value }

func (e *variable) eval(r *run) any {
	r.step(1)
	if v, ok := r.scope.get(e.name); ok {
		return v
	}
	return undefined{e.name}
}

func (e *listOf) eval(r *run) any {
	defer r.deeper()()
	r.made(16 * len(e.items))
	l := &list{items: make([]any, len(e.items)), tuple: e.tuple}
	for i, item := range e.items {
		l.items[i] = item.eval(r)
	}
	return l
}

func (e *dictOf) eval(r *run) any {
	defer r.deeper()()
	r.made(64 * (1 + len(e.keys)))
	d := newDict()
	for i, key := range e.keys {
		k := key.eval(r)
		if !hashable(k) {
			r.fail("unhashable type: '%s'", typeName(k))
		}
		d.set(k, e.values[i].eval(r))
	}
	return d
}

func (e *attribute) eval(r *run) any {
	defer r.deeper()()
	of := e.of.eval(r)
	if u, ok := of.(undefined); ok {
		r.fail("'%s' is undefined, so it has no %s", u.name, e.name)
	}
	if m := method(of, e.name); m != nil {
		return m
	}
	return r.member(of, e.name)
}

// member is of[key], undefined where there is none.
func (r *run) member(of, key any) any {
	switch of := of.(type) {
	case *dict:
		if v, ok := of.get(key); ok {
			return v
		}
	case *namespace:
		if name, ok := key.(string); ok {
			if v, ok := of.vars[name]; ok {
				return v
			}
		}
	case *loop:
		if name, ok := key.(string); ok {
			return of.attr(name)
		}
	case *list:
		if n, _, isFloat, ok := number(key); ok && !isFloat && !of.lazy {
			if n < 0 {
				n += int64(len(of.items))
			}
			if 0 <= n && n < int64(len(of.items)) {
				return of.items[n]
			}
		}
	case string:
		if n, _, isFloat, ok := number(key); ok && !isFloat {
			return r.char(of, n)
		}
	}
	return undefined{r.keyName(key)}
}

func (r *run) keyName(key any) string {
	if s, ok := key.(string); ok {
		return s
	}
	return typeName(key) + " item"
}

// char is s[n] of a string.
func (r *run) char(s string, n int64) any {
	r.made(len(s) / 8)
	count := int64(utf8.RuneCountInString(s))
	if n < 0 {
		n += count
	}
	if n < 0 || n >= count {
		return undefined{"character"}
	}
	for _, c := range s {
		if n--; n < 0 {
			return string(c)
		}
	}
	return undefined{}
}

func (e *item) eval(r *run) any {
	defer r.deeper()()
	of, index := e.of.eval(r), e.index.eval(r)
	if u, ok := of.(undefined); ok {
		r.fail("'%s' is undefined, so it has no items", u.name)
	}
	v := r.member(of, index)
	if _, ok := v.(undefined); ok {
		if name, ok := index.(string); ok {
			if m := method(of, name); m != nil {
				return m
			}
		}
	}
	return v
}

func (e *slice) eval(r *run) any {
	defer r.deeper()()
	of := e.of.eval(r)
	bound := func(e expr) (int64, bool) {
		if e == nil {
			return 0, false
		}
		v := e.eval(r)
		n, _, isFloat, ok := number(v)
		if v != nil && (!ok || isFloat) {
			r.fail("slice indices must be integers or None")
		}
		return n, v != nil
	}
	from, hasFrom := bound(e.from)
	to, hasTo := bound(e.to)
	step, hasStep := bound(e.step)
	if !hasStep {
		step = 1
	}
	if step == 0 {
		r.fail("slice step cannot be zero")
	}
	switch of := of.(type) {
	case *list:
		return &list{items: cut(r, of.items, from, to, step, hasFrom, hasTo), tuple: of.tuple}
	case string:
		r.made(4 * len(of))
		return string(cut(r, []rune(of), from, to, step, hasFrom, hasTo))
	case undefined:
		r.fail("'%s' is undefined, so it has no items", of.name)
	}
	r.fail("'%s' object cannot be sliced", typeName(of))
	return nil
}

// cut is all[from:to:step].
func cut[T any](r *run, all []T, from, to, step int64, hasFrom, hasTo bool) (kept []T) {
	n := int64(len(all))
	low, high := int64(0), n // what a bound is moved to
	if step < 0 {
		low, high = -1, n-1
	}
	at := func(i int64) int64 {
		if i < 0 {
			i += n
		}
		return min(max(i, low), high)
	}
	first, last := low, high
	if step < 0 {
		first, last = high, low
	}
	if hasFrom {
		first = at(from)
	}
	if hasTo {
		last = at(to)
	}
	step = min(max(step, -n-1), n+1)
	for i := first; step > 0 && i < last || step < 0 && i > last; i += step {
		r.made(16)
		kept = append(kept, all[i])
	}
	return kept
}

func (e *unary) eval(r *run) any {
	defer r.deeper()()
	v := e.of.eval(r)
	if e.op == "not" {
		return !truth(v)
	}
	n, f, isFloat, ok := number(v)
	switch {
	case !ok:
		r.fail("bad operand type for unary %s: '%s'", e.op, typeName(v))
	case isFloat && e.op == "-":
		return -f
	case isFloat:
		return f
	case e.op == "-":
		return -n
	}
	return n
}

func (e *logic) eval(r *run) any {
	defer r.deeper()()
	l := e.l.eval(r)
	if truth(l) != e.and {
		return l
	}
	return e.r.eval(r)
}

func (e *comparison) eval(r *run) any {
	defer r.deeper()()
	l := e.first.eval(r)
	for i, op := range e.ops {
		next := e.rest[i].eval(r)
		if !r.holds(op, l, next) {
			return false
		}
		l = next
	}
	return true
}

// holds is a op b.
func (r *run) holds(op string, a, b any) bool {
	switch op {
	case "==":
		return r.equal(a, b)
	case "!=":
		return !r.equal(a, b)
	case "in":
		return r.contains(b, a)
	case "not in":
		return !r.contains(b, a)
	}
	if af, bf := toFloat(a), toFloat(b); math.IsNaN(af) || math.IsNaN(bf) {
		return false
	}
	c := r.compare(a, b)
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

// toFloat is a float's value, 0 for everything else.
func toFloat(v any) float64 {
	f, _ := v.(float64)
	return f
}

func (e *conditional) eval(r *run) any {
	defer r.deeper()()
	if truth(e.cond.eval(r)) {
		return e.then.eval(r)
	}
	if e.otherwise == nil {
		return undefined{"the value of an if without else"}
	}
	return e.otherwise.eval(r)
}

func (e *binary) eval(r *run) any {
	defer r.deeper()()
	a, b := e.l.eval(r), e.r.eval(r)
	if e.op == "~" {
		x, y := r.str(a), r.str(b)
		r.made(len(x) + len(y))
		return x + y
	}
	if s, ok := a.(string); ok && e.op == "%" {
		return r.format(s, b)
	}
	_, _, _, aOK := number(a)
	_, _, _, bOK := number(b)
	if aOK && bOK {
		return r.arithmetic(e.op, a, b)
	}
	switch e.op {
	case "+":
		return r.concat(a, b)
	case "*":
		if n, ok := b.(int64); ok {
			return r.repeat(a, n)
		}
		if n, ok := a.(int64); ok {
			return r.repeat(b, n)
		}
	}
	r.operands(e.op, a, b)
	return nil
}

func (r *run) operands(op string, a, b any) {
	if u, ok := a.(undefined); ok {
		r.fail("'%s' is undefined", u.name)
	}
	if u, ok := b.(undefined); ok {
		r.fail("'%s' is undefined", u.name)
	}
	r.fail("unsupported operand types for %s: '%s' and '%s'", op, typeName(a), typeName(b))
}

// concat is a + b of strings or lists.
func (r *run) concat(a, b any) any {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			r.made(len(x) + len(y))
			return x + y
		}
	case *list:
		if y, ok := b.(*list); ok && x.tuple == y.tuple {
			r.made(16 * (len(x.items) + len(y.items)))
			return &list{items: append(x.items[:len(x.items):len(x.items)], y.items...), tuple: x.tuple}
		}
	}
	r.operands("+", a, b)
	return nil
}

// repeat is v * n of strings or lists.
func (r *run) repeat(v any, n int64) any {
	n = max(n, 0)
	switch v := v.(type) {
	case string:
		r.made(product(len(v), n))
		return strings.Repeat(v, int(n))
	case *list:
		if len(v.items) == 0 {
			return v
		}
		r.made(product(16*len(v.items), n))
		all := make([]any, 0, len(v.items)*int(n))
		for range n {
			all = append(all, v.items...)
		}
		return &list{items: all, tuple: v.tuple}
	}
	r.fail("unsupported operand types for *: '%s' and 'int'", typeName(v))
	return nil
}

// product is a * n, or what no rendering may make where that is too much.
func product(a int, n int64) int {
	const most = math.MaxInt / 4
	if a > 0 && n > most/int64(a) {
		return most
	}
	return a * int(n)
}
