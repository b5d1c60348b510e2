package jinja

import (
	"cmp"
	"math"
	"strings"
)

// Values are nil (None), bool, int64, float64, string, and these.
type (
	undefined struct{ name string }
	list      struct {
		items []any
		tuple bool
		lazy  bool // an iterator: it is true, has neither length nor items by number, and is gone after one use
	}
	// dict keeps the order of insertion.
	dict struct {
		keys, values []any
		at           map[any]int
	}
	// namespace is the one value that can change.
	namespace struct{ vars map[string]any }
	// function is a macro, a method of a value or a built-in.
	function struct {
		name string
		call func(r *run, a args) any
	}
)

// Dict is a dict in the order of its items, as Render takes it. Values may be nil, bool, int, float64, string, []any
// and Dict.
type Dict []Item

// Item is an entry of a Dict.
type Item struct {
	Key   string
	Value any
}

// imported turns a value of a caller into one of the template, and adds its size to size.
func imported(v any, size *int) any {
	*size += 16
	switch v := v.(type) {
	case int:
		return int64(v)
	case string:
		*size += len(v)
		return v
	case []any:
		items := make([]any, len(v))
		for i := range v {
			items[i] = imported(v[i], size)
		}
		return &list{items: items}
	case Dict:
		d := newDict()
		for _, item := range v {
			*size += len(item.Key)
			d.set(item.Key, imported(item.Value, size))
		}
		return d
	}
	return v
}

func newDict() *dict { return &dict{at: map[any]int{}} }

// hash makes keys that are equal the same: True is 1 is 1.0.
func hash(key any) any {
	switch k := key.(type) {
	case bool:
		if k {
			return int64(1)
		}
		return int64(0)
	case float64:
		if n := int64(k); float64(n) == k && math.Abs(k) < 1<<53 {
			return n
		}
	}
	return key
}

// hashable reports whether a value may be a key.
func hashable(v any) bool {
	switch v.(type) {
	case nil, bool, int64, float64, string:
		return true
	}
	return false
}

func (d *dict) set(key, value any) {
	if i, ok := d.at[hash(key)]; ok {
		d.values[i] = value
		return
	}
	d.at[hash(key)] = len(d.keys)
	d.keys, d.values = append(d.keys, key), append(d.values, value)
}

func (d *dict) get(key any) (any, bool) {
	if !hashable(key) {
		return nil, false
	}
	i, ok := d.at[hash(key)]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

// truth is bool(v).
func truth(v any) bool {
	switch v := v.(type) {
	case nil, undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case *list:
		return v.lazy || len(v.items) > 0
	case *dict:
		return len(v.keys) > 0
	}
	return true
}

// typeName is type(v).__name__.
func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case undefined:
		return "Undefined"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case *list:
		switch {
		case v.tuple:
			return "tuple"
		case v.lazy:
			return "generator"
		}
		return "list"
	case *dict:
		return "dict"
	case *namespace:
		return "Namespace"
	}
	return "function"
}

// number returns an int or bool as int64, a float as float64.
func number(v any) (n int64, f float64, isFloat, ok bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, 1, false, true
		}
		return 0, 0, false, true
	case int64:
		return v, float64(v), false, true
	case float64:
		return 0, v, true, true
	}
	return 0, 0, false, false
}

// equal is a == b.
func (r *run) equal(a, b any) bool {
	defer r.deeper()()
	an, af, aFloat, aOK := number(a)
	bn, bf, bFloat, bOK := number(b)
	if aOK && bOK {
		if aFloat || bFloat {
			return af == bf
		}
		return an == bn
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case undefined:
		_, ok := b.(undefined)
		return ok
	case string:
		b, ok := b.(string)
		if ok && len(a) == len(b) {
			r.made(len(a) / 8)
		}
		return ok && a == b
	case *list:
		b, ok := b.(*list)
		if !ok || a.tuple != b.tuple || len(a.items) != len(b.items) {
			return false
		}
		for i := range a.items {
			if !r.equal(a.items[i], b.items[i]) {
				return false
			}
		}
		return true
	case *dict:
		b, ok := b.(*dict)
		if !ok || len(a.keys) != len(b.keys) {
			return false
		}
		for i, key := range a.keys {
			if v, ok := b.get(key); !ok || !r.equal(a.values[i], v) {
				return false
			}
		}
		return true
	}
	return a == b
}

// compare orders two numbers, strings or lists; others are not ordered.
func (r *run) compare(a, b any) int {
	defer r.deeper()()
	an, af, aFloat, aOK := number(a)
	bn, bf, bFloat, bOK := number(b)
	if aOK && bOK {
		if aFloat || bFloat {
			return cmp.Compare(af, bf)
		}
		return cmp.Compare(an, bn)
	}
	if a, ok := a.(string); ok {
		if b, ok := b.(string); ok {
			r.made(min(len(a), len(b)) / 8)
			return strings.Compare(a, b)
		}
	}
	if a, ok := a.(*list); ok {
		if b, ok := b.(*list); ok && a.tuple == b.tuple {
			for i := range min(len(a.items), len(b.items)) {
				if !r.equal(a.items[i], b.items[i]) {
					return r.compare(a.items[i], b.items[i])
				}
			}
			return cmp.Compare(len(a.items), len(b.items))
		}
	}
	r.fail("%s and %s have no order", typeName(a), typeName(b))
	return 0
}

// contains is a in b.
func (r *run) contains(b, a any) bool {
	switch b := b.(type) {
	case string:
		if a, ok := a.(string); ok {
			r.made(len(b) / 8)
			return strings.Contains(b, a)
		}
		r.fail("'in <string>' requires string as left operand, not %s", typeName(a))
	case *dict:
		_, ok := b.get(a)
		return ok
	case undefined:
		return false
	}
	for _, v := range r.items(b) {
		if r.equal(v, a) {
			return true
		}
	}
	return false
}

// items are what a loop over a value takes: items of a list, keys of a dict, characters of a string.
func (r *run) items(v any) []any {
	switch v := v.(type) {
	case undefined:
		return nil
	case *list:
		items := v.items
		if v.lazy {
			v.items = nil
		}
		return items
	case *dict:
		return v.keys
	case string:
		r.made(16 * len(v))
		all := make([]any, 0, len(v))
		for _, c := range v {
			all = append(all, string(c))
		}
		return all
	}
	r.fail("'%s' object is not iterable", typeName(v))
	return nil
}
