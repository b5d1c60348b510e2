package jinja

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// filters by name.
var filters map[string]func(r *run, v any, a args) any

func init() { // filters, macros and calls refer to each other
	filters = map[string]func(r *run, v any, a args) any{
		"tojson": toJSON, "length": length, "count": length, "default": byDefault, "d": byDefault, "join": join, "first": first,
		"last": last, "string": str, "safe": str, "int": toInt, "float": asFloat, "replace": replace, "items": items,
		"dictsort": dictsort, "map": mapped, "sort": sorted, "unique": unique, "reverse": reversed, "batch": batch,
		"indent": indent, "abs": absolute, "round": rounded, "sum": sum, "min": minimum, "max": maximum, "list": toList,
		"wordcount": wordcount, "format": formatFilter, "attr": attr, "escape": escape, "e": escape,
		"select":     func(r *run, v any, a args) any { return r.choose(v, a, false, true) },
		"reject":     func(r *run, v any, a args) any { return r.choose(v, a, false, false) },
		"selectattr": func(r *run, v any, a args) any { return r.choose(v, a, true, true) },
		"rejectattr": func(r *run, v any, a args) any { return r.choose(v, a, true, false) },
	}
	for _, name := range []string{"upper", "lower", "title", "capitalize"} {
		filters[name] = func(r *run, v any, a args) any {
			a.bind(r, name)
			return stringMethods[name](r, r.str(v), a)
		}
	}
	filters["trim"] = func(r *run, v any, a args) any { return stringMethods["strip"](r, r.str(v), a) }
}

func length(r *run, v any, a args) any {
	a.bind(r, "length")
	switch v := v.(type) {
	case string:
		r.made(len(v) / 8)
		return int64(utf8.RuneCountInString(v))
	case *list:
		if !v.lazy {
			return int64(len(v.items))
		}
	case *dict:
		return int64(len(v.keys))
	case undefined:
		return int64(0)
	}
	r.fail("object of type '%s' has no len()", typeName(v))
	return nil
}

func byDefault(r *run, v any, a args) any {
	got := a.bind(r, "default", "default_value", "boolean")
	if given(v) && (!given(got[1]) || !truth(got[1]) || truth(v)) {
		return v
	}
	if !given(got[0]) {
		return ""
	}
	return got[0]
}

func join(r *run, v any, a args) any {
	got := a.bind(r, "join", "d", "attribute")
	sep := ""
	if given(got[0]) {
		sep = r.str(got[0])
	}
	var b strings.Builder
	for i, item := range r.items(v) {
		if given(got[1]) {
			item = r.path(item, got[1])
		}
		s := r.str(item)
		r.made(len(sep) + len(s))
		r.step(1)
		if i > 0 {
			b.WriteString(sep)
		}
		b.WriteString(s)
	}
	return b.String()
}

// path is the attribute of a value that a filter names: "a.b" or an index.
func (r *run) path(v, name any) any {
	s, ok := name.(string)
	if !ok {
		return r.member(v, name)
	}
	for part := range strings.SplitSeq(s, ".") {
		r.step(1)
		if n, err := strconv.ParseInt(part, 10, 64); err == nil {
			v = r.member(v, n)
		} else {
			v = r.member(v, part)
		}
	}
	return v
}

func first(r *run, v any, a args) any {
	a.bind(r, "first")
	if all := r.items(v); len(all) > 0 {
		return all[0]
	}
	return undefined{"the first item of nothing"}
}

func last(r *run, v any, a args) any {
	a.bind(r, "last")
	if all := r.items(v); len(all) > 0 {
		return all[len(all)-1]
	}
	return undefined{"the last item of nothing"}
}

func str(r *run, v any, a args) any {
	a.bind(r, "string")
	return r.str(v)
}

func toList(r *run, v any, a args) any {
	a.bind(r, "list")
	all := r.items(v)
	r.made(16 * len(all))
	return &list{items: slices.Clone(all)}
}

func toInt(r *run, v any, a args) any {
	got := a.bind(r, "int", "default", "base")
	otherwise := any(int64(0))
	if given(got[0]) {
		otherwise = got[0]
	}
	base := r.intOr("int", got[1], 10)
	if s, ok := v.(string); ok {
		s = strings.TrimSpace(s)
		if n, err := strconv.ParseInt(s, int(base), 64); err == nil {
			return n
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || !(math.Abs(f) < 1<<63) {
			return otherwise
		}
		return int64(f)
	}
	n, f, isFloat, ok := number(v)
	switch {
	case !ok || isFloat && !(math.Abs(f) < 1<<63):
		return otherwise
	case isFloat:
		return int64(f)
	}
	return n
}

func asFloat(r *run, v any, a args) any {
	got := a.bind(r, "float", "default")
	if _, f, _, ok := number(v); ok {
		return f
	}
	if s, ok := v.(string); ok {
		if f, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil {
			return f
		}
	}
	if given(got[0]) {
		return got[0]
	}
	return 0.0
}

func replace(r *run, v any, a args) any {
	got := a.bind(r, "replace", "old", "new", "count")
	return r.replaced(r.str(v), r.str(got[0]), r.str(got[1]), r.intOr("replace", got[2], -1))
}

// replaced is s.replace(old, new, count).
func (r *run) replaced(s, old, new string, count int64) string {
	n := strings.Count(s, old)
	if count >= 0 {
		n = int(min(int64(n), count))
	}
	r.made(len(s) + product(len(new)+1, int64(n)))
	return strings.Replace(s, old, new, n)
}

func items(r *run, v any, a args) any {
	a.bind(r, "items")
	switch v := v.(type) {
	case undefined:
		return &list{lazy: true}
	case *dict:
		l := r.pairs(v)
		l.lazy = true
		return l
	}
	r.fail("items: expected a mapping, found %s", typeName(v))
	return nil
}

// pairs are the items of a dict as tuples.
func (r *run) pairs(d *dict) *list {
	r.made(64 * len(d.keys))
	l := &list{}
	for i, key := range d.keys {
		l.items = append(l.items, &list{items: []any{key, d.values[i]}, tuple: true})
	}
	return l
}

func formatFilter(r *run, v any, a args) any {
	if len(a.named) > 0 {
		r.fail("format: arguments by name are not supported")
	}
	return r.format(r.str(v), &list{items: a.pos, tuple: true})
}

func attr(r *run, v any, a args) any {
	got := a.bind(r, "attr", "name")
	if _, isDict := v.(*dict); isDict {
		return undefined{r.keyName(got[0])} // attributes only, which a dict has none of
	}
	return r.member(v, got[0])
}

func escape(r *run, v any, a args) any {
	a.bind(r, "escape")
	s := r.str(v)
	r.made(6 * len(s))
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;").Replace(s)
}

func wordcount(r *run, v any, a args) any {
	a.bind(r, "wordcount")
	s := r.str(v)
	r.made(4 * len(s))
	words := strings.FieldsFunc(s, func(c rune) bool { return c != '_' && !unicode.IsLetter(c) && !unicode.IsNumber(c) })
	return int64(len(words))
}

func indent(r *run, v any, a args) any {
	got := a.bind(r, "indent", "width", "first", "blank")
	by, ok := got[0].(string)
	if !ok {
		n := r.intOr("indent", got[0], 4)
		r.made(product(1, n))
		by = strings.Repeat(" ", int(max(n, 0)))
	}
	s := r.str(v)
	r.made(len(s) + product(len(by)+1, int64(strings.Count(s, "\n")+1)))
	blank := given(got[2]) && truth(got[2])
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if i > 0 && (line != "" || blank) || i == 0 && given(got[1]) && truth(got[1]) {
			lines[i] = by + line
		}
	}
	return strings.Join(lines, "\n")
}

func absolute(r *run, v any, a args) any {
	a.bind(r, "abs")
	n, f, isFloat, ok := number(v)
	switch {
	case !ok:
		r.fail("abs: expected a number, found %s", typeName(v))
	case isFloat:
		return math.Abs(f)
	}
	return max(n, -n)
}

func rounded(r *run, v any, a args) any {
	got := a.bind(r, "round", "precision", "method")
	_, f, _, ok := number(v)
	if !ok {
		r.fail("round: expected a number, found %s", typeName(v))
	}
	scale := math.Pow(10, float64(r.intOr("round", got[0], 0)))
	switch method := r.textOr("round", got[1], "common"); method {
	case "common":
		return math.RoundToEven(f*scale) / scale
	case "ceil":
		return math.Ceil(f*scale) / scale
	case "floor":
		return math.Floor(f*scale) / scale
	default:
		r.fail("round: method must be common, ceil or floor, found %s", method)
	}
	return nil
}
