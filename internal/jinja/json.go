package jinja

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/jsonobj"
)

// jsonWriter writes values as Python's json.dumps does.
type jsonWriter struct {
	r                *run
	b                strings.Builder
	indent           string // of one level; with pretty
	pretty           bool
	item, key        string // separators
	ascii, sortByKey bool
}

// toJSON is transformers' filter: json.dumps without escapes for HTML.
func toJSON(r *run, v any, a args) any {
	got := a.bind(r, "tojson", "ensure_ascii", "indent", "separators", "sort_keys")
	w := &jsonWriter{r: r, item: ", ", key: ": ", ascii: given(got[0]) && truth(got[0]), sortByKey: given(got[3]) && truth(got[3])}
	if s, ok := got[1].(string); ok {
		w.indent, w.pretty, w.item = s, true, ","
	} else if got[1] != nil && given(got[1]) {
		n := r.intOr("tojson", got[1], 0)
		w.indent, w.pretty, w.item = strings.Repeat(" ", int(min(max(n, 0), 64))), true, ","
	}
	if l, ok := got[2].(*list); ok && len(l.items) == 2 {
		w.item, w.key = r.text("tojson", l.items[0]), r.text("tojson", l.items[1])
	}
	w.value(v, 0)
	return w.b.String()
}

func (w *jsonWriter) value(v any, depth int) {
	defer w.r.deeper()()
	w.r.made(16)
	switch v := v.(type) {
	case nil:
		w.b.WriteString("null")
	case bool:
		w.b.WriteString(strconv.FormatBool(v))
	case int64:
		w.b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		switch {
		case math.IsInf(v, 1):
			w.b.WriteString("Infinity")
		case math.IsInf(v, -1):
			w.b.WriteString("-Infinity")
		case math.IsNaN(v):
			w.b.WriteString("NaN")
		default:
			w.b.WriteString(floatText(v))
		}
	case string:
		w.text(v)
	case *list:
		if v.lazy {
			w.r.fail("Object of type generator is not JSON serializable")
		}
		w.series('[', ']', len(v.items), depth, func(i int) { w.value(v.items[i], depth+1) })
	case *dict:
		order := make([]int, len(v.keys))
		for i := range order {
			order[i] = i
		}
		if w.sortByKey {
			slices.SortStableFunc(order, func(a, b int) int { return w.r.compare(v.keys[a], v.keys[b]) })
		}
		w.series('{', '}', len(order), depth, func(i int) {
			key := v.keys[order[i]]
			if s, ok := key.(string); ok {
				w.text(s)
			} else {
				w.b.WriteByte('"')
				w.value(key, depth+1)
				w.b.WriteByte('"')
			}
			w.b.WriteString(w.key)
			w.value(v.values[order[i]], depth+1)
		})
	default:
		w.r.fail("Object of type %s is not JSON serializable", typeName(v))
	}
}

// text writes a string. json.dumps escapes quotes, backslashes and control characters; with ascii, all but ASCII too.
func (w *jsonWriter) text(s string) {
	if w.ascii {
		w.r.made(6*len(s) + 2)
		w.b.Write(jsonobj.AppendString(nil, s))
		return
	}
	w.r.made(2*len(s) + 2)
	w.b.WriteByte('"')
	for _, c := range s {
		if c < 0x20 || c == '"' || c == '\\' {
			quoted := jsonobj.AppendString(nil, string(c))
			w.b.Write(quoted[1 : len(quoted)-1])
		} else {
			w.b.WriteRune(c)
		}
	}
	w.b.WriteByte('"')
}

func (w *jsonWriter) series(open, end byte, n, depth int, item func(i int)) {
	w.b.WriteByte(open)
	for i := range n {
		if i > 0 {
			w.b.WriteString(w.item)
		}
		w.newline(depth + 1)
		item(i)
	}
	if n > 0 {
		w.newline(depth)
	}
	w.b.WriteByte(end)
}

func (w *jsonWriter) newline(depth int) {
	if w.pretty {
		w.r.made(1 + depth*len(w.indent))
		w.b.WriteString("\n" + strings.Repeat(w.indent, depth))
	}
}
