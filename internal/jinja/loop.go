package jinja

// loop is the variable of that name in a for block.
type loop struct {
	items   []any
	at      int
	changed any // the last argument of changed()
}

// attr returns an attribute.
func (l *loop) attr(name string) any {
	n := len(l.items)
	switch name {
	case "index":
		return int64(l.at + 1)
	case "index0":
		return int64(l.at)
	case "revindex":
		return int64(n - l.at)
	case "revindex0":
		return int64(n - l.at - 1)
	case "first":
		return l.at == 0
	case "last":
		return l.at == n-1
	case "length":
		return int64(n)
	case "depth":
		return int64(1)
	case "depth0":
		return int64(0)
	case "previtem":
		if l.at > 0 {
			return l.items[l.at-1]
		}
	case "nextitem":
		if l.at < n-1 {
			return l.items[l.at+1]
		}
	case "cycle":
		return &function{name, func(r *run, a args) any {
			if len(a.pos) == 0 {
				r.fail("cycle() needs items")
			}
			return a.pos[l.at%len(a.pos)]
		}}
	case "changed":
		return &function{name, func(r *run, a args) any {
			now := any(&list{items: a.pos, tuple: true})
			was := l.changed
			l.changed = now
			return !r.equal(was, now)
		}}
	}
	return undefined{"loop." + name}
}
