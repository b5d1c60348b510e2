package jinja

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// method is v.name if that is a method that a template may call, else nil.
func method(v any, name string) any {
	switch v := v.(type) {
	case string:
		if m := stringMethods[name]; m != nil {
			return &function{name, func(r *run, a args) any { return m(r, v, a) }}
		}
	case *dict:
		if m := dictMethods[name]; m != nil {
			return &function{name, func(r *run, a args) any { return m(r, v, a) }}
		}
	case *list:
		if m := listMethods[name]; m != nil {
			return &function{name, func(r *run, a args) any { return m(r, v, a) }}
		}
	}
	return nil
}

var dictMethods = map[string]func(r *run, d *dict, a args) any{
	"get": func(r *run, d *dict, a args) any {
		got := a.bind(r, "get", "key", "default")
		if v, ok := d.get(got[0]); ok {
			return v
		}
		if !given(got[1]) {
			return nil
		}
		return got[1]
	},
	"items": func(r *run, d *dict, a args) any { a.bind(r, "items"); return r.pairs(d) },
	"keys": func(r *run, d *dict, a args) any {
		a.bind(r, "keys")
		r.made(16 * len(d.keys))
		return &list{items: slices.Clone(d.keys)}
	},
	"values": func(r *run, d *dict, a args) any {
		a.bind(r, "values")
		r.made(16 * len(d.keys))
		return &list{items: slices.Clone(d.values)}
	},
}

var listMethods = map[string]func(r *run, l *list, a args) any{
	"index": func(r *run, l *list, a args) any {
		got := a.bind(r, "index", "value")
		i := slices.IndexFunc(l.items, func(v any) bool { return r.equal(v, got[0]) })
		if i < 0 {
			r.fail("the item is not in the list")
		}
		return int64(i)
	},
	"count": func(r *run, l *list, a args) any {
		got := a.bind(r, "count", "value")
		n := int64(0)
		for _, v := range l.items {
			if r.equal(v, got[0]) {
				n++
			}
		}
		return n
	},
}

// trimmer returns strip, lstrip or rstrip.
func trimmer(name string, left, right bool) func(r *run, s string, a args) any {
	return func(r *run, s string, a args) any {
		got := a.bind(r, name, "chars")
		is := unicode.IsSpace
		if chars := r.textOr(name, got[0], ""); chars != "" {
			is = func(c rune) bool { return strings.ContainsRune(chars, c) }
		} else if got[0] != nil && given(got[0]) {
			return s
		}
		r.made(len(s) / 8)
		if left {
			s = strings.TrimLeftFunc(s, is)
		}
		if right {
			s = strings.TrimRightFunc(s, is)
		}
		return s
	}
}

// onText returns a method that makes a string of nearly the same size.
func onText(name string, change func(s string) string) func(r *run, s string, a args) any {
	return func(r *run, s string, a args) any {
		a.bind(r, name)
		r.made(4 * len(s))
		return change(s)
	}
}

// every returns a method that asks whether all characters are of a kind.
func every(name string, is func(c rune) bool) func(r *run, s string, a args) any {
	return func(r *run, s string, a args) any {
		a.bind(r, name)
		r.made(len(s) / 8)
		return s != "" && strings.IndexFunc(s, func(c rune) bool { return !is(c) }) < 0
	}
}

// affix returns startswith or endswith, whose argument may be a tuple of several.
func affix(name string, has func(s, part string) bool) func(r *run, s string, a args) any {
	return func(r *run, s string, a args) any {
		got := a.bind(r, name, "affix")
		parts := []any{got[0]}
		if l, ok := got[0].(*list); ok && l.tuple {
			parts = l.items
		}
		return slices.ContainsFunc(parts, func(p any) bool { r.step(1); return has(s, r.text(name, p)) })
	}
}

// finder returns find or rfind: the number of characters before a part, -1 if it is missing.
func finder(name string, index func(s, part string) int) func(r *run, s string, a args) any {
	return func(r *run, s string, a args) any {
		got := a.bind(r, name, "sub")
		r.made(len(s) / 4)
		i := index(s, r.text(name, got[0]))
		if i < 0 {
			return int64(-1)
		}
		return int64(utf8.RuneCountInString(s[:i]))
	}
}

var stringMethods map[string]func(r *run, s string, a args) any

func init() { // format and join refer to all of them
	stringMethods = map[string]func(r *run, s string, a args) any{
		"strip": trimmer("strip", true, true), "lstrip": trimmer("lstrip", true, false), "rstrip": trimmer("rstrip", false, true),
		"upper": onText("upper", strings.ToUpper), "lower": onText("lower", strings.ToLower),
		"title": onText("title", titled), "capitalize": onText("capitalize", capitalized),
		"isdigit": every("isdigit", unicode.IsDigit), "isalpha": every("isalpha", unicode.IsLetter), "isspace": every("isspace", unicode.IsSpace),
		"isalnum":    every("isalnum", func(c rune) bool { return unicode.IsLetter(c) || unicode.IsNumber(c) }),
		"startswith": affix("startswith", strings.HasPrefix), "endswith": affix("endswith", strings.HasSuffix),
		"find": finder("find", strings.Index), "rfind": finder("rfind", strings.LastIndex),
		"format": func(r *run, s string, a args) any { return r.filledIn(s, a) },
		"split":  split, "rsplit": rsplit, "splitlines": splitlines,
		"replace": func(r *run, s string, a args) any {
			got := a.bind(r, "replace", "old", "new", "count")
			return r.replaced(s, r.text("replace", got[0]), r.text("replace", got[1]), r.intOr("replace", got[2], -1))
		},
		"count": func(r *run, s string, a args) any {
			got := a.bind(r, "count", "sub")
			r.made(len(s) / 4)
			return int64(strings.Count(s, r.text("count", got[0])))
		},
		"join": func(r *run, s string, a args) any {
			got := a.bind(r, "join", "iterable")
			for _, v := range r.items(got[0]) {
				r.text("join", v)
			}
			return join(r, got[0], args{pos: []any{s}})
		},
		"removeprefix": func(r *run, s string, a args) any {
			return strings.TrimPrefix(s, r.text("removeprefix", a.bind(r, "removeprefix", "prefix")[0]))
		},
		"removesuffix": func(r *run, s string, a args) any {
			return strings.TrimSuffix(s, r.text("removesuffix", a.bind(r, "removesuffix", "suffix")[0]))
		},
	}
}

// titled makes the first letter of every word large, and the others small.
func titled(s string) string {
	within := false
	return strings.Map(func(c rune) rune {
		was := within
		within = unicode.IsLetter(c)
		if was {
			return unicode.ToLower(c)
		}
		return unicode.ToTitle(c)
	}, s)
}

func capitalized(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return strings.ToUpper(s[:n]) + strings.ToLower(s[n:])
}

// parts makes a list of strings.
func (r *run) parts(all []string) any {
	r.made(32 * len(all))
	l := &list{}
	for _, s := range all {
		l.items = append(l.items, s)
	}
	return l
}

func split(r *run, s string, a args) any {
	got := a.bind(r, "split", "sep", "maxsplit")
	most := r.intOr("split", got[1], -1)
	r.made(20 * len(s))
	if got[0] != nil && given(got[0]) {
		sep := r.text("split", got[0])
		if sep == "" {
			r.fail("empty separator")
		}
		if most < 0 {
			return r.parts(strings.Split(s, sep))
		}
		return r.parts(strings.SplitN(s, sep, int(min(most, int64(len(s))))+1))
	}
	if most < 0 {
		return r.parts(strings.Fields(s))
	}
	var all []string
	for s = strings.TrimLeftFunc(s, unicode.IsSpace); s != ""; s = strings.TrimLeftFunc(s, unicode.IsSpace) {
		n := strings.IndexFunc(s, unicode.IsSpace)
		if n < 0 || int64(len(all)) == most {
			all = append(all, s)
			break
		}
		all = append(all, s[:n])
		s = s[n:]
	}
	return r.parts(all)
}

func rsplit(r *run, s string, a args) any {
	got := a.bind(r, "rsplit", "sep", "maxsplit")
	most := r.intOr("rsplit", got[1], -1)
	if most < 0 || got[0] == nil || !given(got[0]) {
		if most >= 0 {
			r.fail("rsplit without a separator and with maxsplit is not supported")
		}
		return split(r, s, args{pos: got[:1]})
	}
	sep := r.text("rsplit", got[0])
	if sep == "" {
		r.fail("empty separator")
	}
	r.made(20 * len(s))
	var all []string
	for ; most > 0; most-- {
		i := strings.LastIndex(s, sep)
		if i < 0 {
			break
		}
		all, s = append(all, s[i+len(sep):]), s[:i]
	}
	all = append(all, s)
	slices.Reverse(all)
	return r.parts(all)
}

func splitlines(r *run, s string, a args) any {
	got := a.bind(r, "splitlines", "keepends")
	keep := given(got[0]) && truth(got[0])
	r.made(20 * len(s))
	var all []string
	for s != "" {
		i := strings.IndexAny(s, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029")
		if i < 0 {
			all = append(all, s)
			break
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		if strings.HasPrefix(s[i:], "\r\n") {
			n = 2
		}
		if keep {
			all = append(all, s[:i+n])
		} else {
			all = append(all, s[:i])
		}
		s = s[i+n:]
	}
	return r.parts(all)
}
