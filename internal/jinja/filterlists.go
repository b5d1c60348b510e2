package jinja

import (
	"slices"
	"strings"
)

// Filters of lists.

// choose keeps the items for which a test holds, or does not: of the items, or of an attribute of theirs.
func (r *run) choose(v any, a args, byAttr, holds bool) any {
	var attribute any
	rest := a.pos
	if byAttr {
		if len(rest) == 0 {
			r.fail("selectattr and rejectattr need an attribute")
		}
		attribute, rest = rest[0], rest[1:]
	}
	test := func(v any) bool { return truth(v) }
	if len(rest) > 0 {
		fn := r.test(r.text("a test", rest[0]))
		test = func(v any) bool { return fn(r, v, rest[1:]) }
	}
	l := &list{lazy: true}
	for _, item := range r.itemsIfAny(v) {
		r.step(1)
		of := item
		if byAttr {
			of = r.path(item, attribute)
		}
		if test(of) == holds {
			r.made(16)
			l.items = append(l.items, item)
		}
	}
	return l
}

// itemsIfAny are the items of a value, none of one that is false, such as None.
func (r *run) itemsIfAny(v any) []any {
	if !truth(v) {
		return nil
	}
	return r.items(v)
}

// mapped is map: an attribute of every item, or a filter applied to it.
func mapped(r *run, v any, a args) any {
	attribute, byAttr := a.named["attribute"]
	var filter func(r *run, v any, a args) any
	if !byAttr {
		if len(a.pos) == 0 {
			r.fail("map needs a filter or attribute=")
		}
		filter = r.filter(r.text("map", a.pos[0]))
		a = args{pos: a.pos[1:], named: a.named}
	}
	otherwise, hasDefault := a.named["default"]
	l := &list{lazy: true}
	for _, item := range r.itemsIfAny(v) {
		r.step(1)
		r.made(16)
		if byAttr {
			item = r.path(item, attribute)
			if !given(item) && hasDefault {
				item = otherwise
			}
		} else {
			item = filter(r, item, a)
		}
		l.items = append(l.items, item)
	}
	return l
}

// lower is what strings are compared by where case does not matter.
func (r *run) lower(v any) any {
	if s, ok := v.(string); ok {
		r.made(len(s))
		return strings.ToLower(s)
	}
	return v
}

// ordered returns items in the order of a key.
func (r *run) ordered(items []any, reverse bool, key func(v any) any) []any {
	r.made(48 * len(items))
	type keyed struct{ key, item any }
	all := make([]keyed, len(items))
	for i, item := range items {
		all[i] = keyed{key(item), item}
	}
	slices.SortStableFunc(all, func(a, b keyed) int {
		c := r.compare(a.key, b.key)
		if reverse {
			return -c
		}
		return c
	})
	sorted := make([]any, len(all))
	for i, k := range all {
		sorted[i] = k.item
	}
	return sorted
}

// caseless makes a key of an item, or of an attribute of it, by which case does not matter unless caseSensitive.
func (r *run) caseless(attribute, caseSensitive any) func(v any) any {
	return func(v any) any {
		if given(attribute) && attribute != nil {
			v = r.path(v, attribute)
		}
		if given(caseSensitive) && truth(caseSensitive) {
			return v
		}
		return r.lower(v)
	}
}

func sorted(r *run, v any, a args) any {
	got := a.bind(r, "sort", "reverse", "case_sensitive", "attribute")
	return &list{items: r.ordered(r.items(v), given(got[0]) && truth(got[0]), r.caseless(got[2], got[1]))}
}

func dictsort(r *run, v any, a args) any {
	got := a.bind(r, "dictsort", "case_sensitive", "by", "reverse")
	d, ok := v.(*dict)
	if !ok {
		r.fail("dictsort: expected a mapping, found %s", typeName(v))
	}
	at := any(int64(0))
	if r.textOr("dictsort", got[1], "key") == "value" {
		at = int64(1)
	}
	return &list{items: r.ordered(r.pairs(d).items, given(got[2]) && truth(got[2]), r.caseless(at, got[0]))}
}

func unique(r *run, v any, a args) any {
	got := a.bind(r, "unique", "case_sensitive", "attribute")
	key := r.caseless(got[1], got[0])
	seen := newDict()
	l := &list{lazy: true}
	for _, item := range r.items(v) {
		k := key(item)
		if !hashable(k) {
			r.fail("unhashable type: '%s'", typeName(k))
		}
		r.made(64)
		if _, ok := seen.get(k); !ok {
			seen.set(k, true)
			l.items = append(l.items, item)
		}
	}
	return l
}

func reversed(r *run, v any, a args) any {
	a.bind(r, "reverse")
	if s, ok := v.(string); ok {
		r.made(4 * len(s))
		runes := []rune(s)
		slices.Reverse(runes)
		return string(runes)
	}
	all := r.items(v)
	r.made(16 * len(all))
	all = slices.Clone(all)
	slices.Reverse(all)
	return &list{items: all, lazy: true}
}

func batch(r *run, v any, a args) any {
	got := a.bind(r, "batch", "linecount", "fill_with")
	n := r.intOr("batch", got[0], 0)
	if n < 1 {
		r.fail("batch: expected at least 1 item a batch, found %d", n)
	}
	l := &list{lazy: true}
	for part := range slices.Chunk(r.items(v), int(n)) {
		r.made(64 + 16*len(part))
		part = slices.Clone(part)
		if given(got[1]) && got[1] != nil {
			r.made(product(16, n-int64(len(part))))
			for int64(len(part)) < n {
				part = append(part, got[1])
			}
		}
		l.items = append(l.items, &list{items: part})
	}
	return l
}

func sum(r *run, v any, a args) any {
	got := a.bind(r, "sum", "attribute", "start")
	total := any(int64(0))
	if given(got[1]) {
		total = got[1]
	}
	for _, item := range r.items(v) {
		if given(got[0]) && got[0] != nil {
			item = r.path(item, got[0])
		}
		r.step(1)
		_, _, _, aOK := number(total)
		_, _, _, bOK := number(item)
		if aOK && bOK {
			total = r.arithmetic("+", total, item)
		} else {
			total = r.concat(total, item)
		}
	}
	return total
}

func minimum(r *run, v any, a args) any { return r.extreme("min", v, a, -1) }

func maximum(r *run, v any, a args) any { return r.extreme("max", v, a, 1) }

// extreme is the first item that is farthest in a direction.
func (r *run) extreme(name string, v any, a args, direction int) any {
	got := a.bind(r, name, "case_sensitive", "attribute")
	key := r.caseless(got[1], got[0])
	var best any = undefined{"the " + name + " of nothing"}
	for i, item := range r.items(v) {
		if i == 0 || r.compare(key(item), key(best))*direction > 0 {
			best = item
		}
	}
	return best
}
