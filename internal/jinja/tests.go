package jinja

import (
	"strings"
	"unicode"
)

// tests by name, what follows "is".
var tests map[string]func(r *run, v any, a []any) bool

func init() { // tests and filters refer to each other
	tests = map[string]func(r *run, v any, a []any) bool{
		"defined":     func(r *run, v any, a []any) bool { return given(v) },
		"undefined":   func(r *run, v any, a []any) bool { return !given(v) },
		"none":        func(r *run, v any, a []any) bool { return v == nil },
		"boolean":     func(r *run, v any, a []any) bool { return typeName(v) == "bool" },
		"true":        func(r *run, v any, a []any) bool { return v == true },
		"false":       func(r *run, v any, a []any) bool { return v == false },
		"integer":     func(r *run, v any, a []any) bool { return typeName(v) == "int" },
		"float":       func(r *run, v any, a []any) bool { return typeName(v) == "float" },
		"number":      func(r *run, v any, a []any) bool { _, _, _, ok := number(v); return ok },
		"string":      func(r *run, v any, a []any) bool { return typeName(v) == "str" },
		"mapping":     func(r *run, v any, a []any) bool { return typeName(v) == "dict" },
		"callable":    func(r *run, v any, a []any) bool { return typeName(v) == "function" },
		"iterable":    func(r *run, v any, a []any) bool { return iterable(v) },
		"sequence":    func(r *run, v any, a []any) bool { return iterable(v) && typeName(v) != "generator" },
		"divisibleby": func(r *run, v any, a []any) bool { return r.remainder(v, r.one("divisibleby", a)) == 0 },
		"even":        func(r *run, v any, a []any) bool { return r.remainder(v, int64(2)) == 0 },
		"odd":         func(r *run, v any, a []any) bool { return r.remainder(v, int64(2)) == 1 },
		"in":          func(r *run, v any, a []any) bool { return r.contains(r.one("in", a), v) },
		"sameas":      func(r *run, v any, a []any) bool { return v == r.one("sameas", a) },
		"lower":       func(r *run, v any, a []any) bool { return cased(r.str(v), unicode.IsUpper, unicode.IsLower) },
		"upper":       func(r *run, v any, a []any) bool { return cased(r.str(v), unicode.IsLower, unicode.IsUpper) },
		"filter":      func(r *run, v any, a []any) bool { return filters[r.str(v)] != nil },
		"test":        func(r *run, v any, a []any) bool { return tests[r.str(v)] != nil },
	}
	for op, names := range map[string][]string{
		"==": {"==", "eq", "equalto"}, "!=": {"!=", "ne"}, "<": {"<", "lt", "lessthan"}, "<=": {"<=", "le"}, ">": {">", "gt", "greaterthan"}, ">=": {">=", "ge"},
	} {
		for _, name := range names {
			tests[name] = func(r *run, v any, a []any) bool { return r.holds(op, v, r.one(name, a)) }
		}
	}
}

// iterable reports whether a loop may be over a value.
func iterable(v any) bool {
	switch v.(type) {
	case string, *list, *dict, undefined:
		return true
	}
	return false
}

// one is the argument of a test that has one.
func (r *run) one(name string, a []any) any {
	if len(a) != 1 {
		r.fail("test %s takes one argument, found %d", name, len(a))
	}
	return a[0]
}

// remainder is v % by of integers.
func (r *run) remainder(v, by any) int64 {
	_, _, aFloat, aOK := number(v)
	_, _, bFloat, bOK := number(by)
	if !aOK || !bOK || aFloat || bFloat {
		r.operands("%", v, by)
	}
	return r.arithmetic("%", v, by).(int64)
}

// cased reports whether a string has letters of one case and none of the other.
func cased(s string, wrong, right func(rune) bool) bool {
	return strings.IndexFunc(s, wrong) < 0 && strings.IndexFunc(s, right) >= 0
}
