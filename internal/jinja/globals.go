package jinja

import (
	"fmt"
	"strings"
)

// globals are the functions of a template.
var globals = map[string]any{
	"range":           &function{"range", numbers},
	"namespace":       &function{"namespace", newNamespace},
	"dict":            &function{"dict", makeDict},
	"raise_exception": &function{"raise_exception", raise},
	"strftime_now":    &function{"strftime_now", strftimeNow},
}

func raise(r *run, a args) any {
	got := a.bind(r, "raise_exception", "message")
	panic(&RaisedError{r.str(got[0])})
}

// numbers is range(). Its size is limited as in Jinja's sandbox.
func numbers(r *run, a args) any {
	var at [3]int64
	for i, v := range a.pos {
		if i == 3 {
			break
		}
		at[i] = r.intOr("range", v, 0)
	}
	from, to, step := at[0], at[1], at[2]
	switch {
	case len(a.pos) == 1:
		from, to, step = 0, at[0], 1
	case len(a.pos) == 2:
		step = 1
	case len(a.pos) != 3 || len(a.named) > 0:
		r.fail("range takes one to three numbers")
	}
	if step == 0 {
		r.fail("range() arg 3 must not be zero")
	}
	l := &list{}
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		if len(l.items) == maxRange {
			r.fail("range too big: expected at most %d items", maxRange)
		}
		r.made(24)
		l.items = append(l.items, i)
		if next := i + step; (next > i) != (step > 0) {
			break // beyond 64 bits
		}
	}
	return l
}

func newNamespace(r *run, a args) any {
	return &namespace{makeVars(r, "namespace", a)}
}

func makeVars(r *run, fn string, a args) map[string]any {
	vars := map[string]any{}
	if len(a.pos) > 1 {
		r.fail("%s takes at most one argument without name", fn)
	}
	for _, v := range a.pos {
		d, ok := v.(*dict)
		if !ok {
			r.fail("%s: expected a mapping, found %s", fn, typeName(v))
		}
		for i, key := range d.keys {
			vars[r.str(key)] = d.values[i]
		}
	}
	for name, v := range a.named {
		vars[name] = v
	}
	r.made(64 * len(vars))
	return vars
}

// makeDict is dict(), in the order of its arguments.
func makeDict(r *run, a args) any {
	d := newDict()
	if len(a.pos) > 1 {
		r.fail("dict takes at most one argument without name")
	}
	for _, v := range a.pos {
		from, ok := v.(*dict)
		if !ok {
			r.fail("dict: expected a mapping, found %s", typeName(v))
		}
		for i, key := range from.keys {
			d.set(key, from.values[i])
		}
	}
	for _, name := range a.order {
		d.set(name, a.named[name])
	}
	r.made(64 * len(d.keys))
	return d
}

// strftimeNow is the time as transformers gives it to templates, in the locale C.
func strftimeNow(r *run, a args) any {
	format := r.text("strftime_now", a.bind(r, "strftime_now", "format")[0])
	r.made(32 * len(format))
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		b.WriteString(r.timePart(format[i]))
	}
	return b.String()
}

// timeLayouts are the directives of strftime that Go's time package knows.
var timeLayouts = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'e': "_2", 'B': "January", 'b': "Jan", 'h': "Jan", 'A': "Monday", 'a': "Mon",
	'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'F': "2006-01-02", 'T': "15:04:05", 'D': "01/02/06", 'R': "15:04",
	'j': "002", 'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06", 'X': "15:04:05",
}

func (r *run) timePart(c byte) string {
	if layout, ok := timeLayouts[c]; ok {
		return r.now.Format(layout)
	}
	switch c {
	case '%':
		return "%"
	case 'n':
		return "\n"
	case 't':
		return "\t"
	case 'f':
		return fmt.Sprintf("%06d", r.now.Nanosecond()/1000)
	case 'k':
		return fmt.Sprintf("%2d", r.now.Hour())
	case 'l':
		return fmt.Sprintf("%2d", (r.now.Hour()+11)%12+1)
	case 'u':
		return fmt.Sprint((int(r.now.Weekday())+6)%7 + 1)
	case 'w':
		return fmt.Sprint(int(r.now.Weekday()))
	case 'Z', 'z':
		return "" // a time without a zone
	}
	r.fail("strftime_now: %%%c is not supported", c)
	return ""
}
