package torchbin

// This file has the opcodes that build tuples, lists and dicts.

// tupleItems returns the items of a tuple or of a storage's id.
func (m *machine) tupleItems(v value) []value { return m.items.slice(v.a(), v.b()) }

// tuple replaces the n topmost values by a tuple of them.
func (m *machine) tuple(n int) error {
	top, err := m.pop(n)
	if err != nil {
		return err
	}
	return m.push(m.newTuple(top))
}

func (m *machine) markTuple() error {
	top, err := m.popMark()
	if err != nil {
		return err
	}
	return m.push(m.newTuple(top))
}

func (m *machine) newTuple(items []value) value {
	if len(items) > maxItems {
		return pack(kindLong, 0, 0)
	}
	return pack(kindTuple, m.items.push(items...), len(items))
}

// appendOne and appends drop what is appended: no list or set matters, but for the one of storage keys.
func (m *machine) appendOne() error {
	top, err := m.pop(1)
	if err != nil {
		return err
	}
	return m.extend(kindList, top)
}

func (m *machine) appends(k kind) error {
	top, err := m.popMark()
	if err != nil {
		return err
	}
	return m.extend(k, top)
}

func (m *machine) extend(k kind, items []value) error {
	top, err := m.pop(1)
	if err != nil {
		return err
	}
	if top[0].kind() != k {
		return m.bad("the pickle appends to %s, expected %s", top[0].kind(), k)
	}
	if m.listed != nil {
		for _, v := range items {
			m.listed.push(v)
		}
	}
	m.stack = m.stack[:len(m.stack)+1] // the list stays
	return nil
}

func (m *machine) newDict(k kind) value {
	m.dicts++
	return pack(k, m.dicts, 0)
}

func (m *machine) setItem() error {
	top, err := m.pop(2)
	if err != nil {
		return err
	}
	return m.update(top)
}

func (m *machine) setItems() error {
	top, err := m.popMark()
	if err != nil {
		return err
	}
	if len(top)%2 != 0 {
		return m.bad("the pickle sets an odd number of keys and values of a dict, %d, expected pairs", len(top))
	}
	return m.update(top)
}

// update puts pairs of key and value into the dict on top of the stack. What a dict gets one after the other is one run.
func (m *machine) update(pairs []value) error {
	top, err := m.pop(1)
	if err != nil {
		return err
	}
	if !top[0].isDict() {
		return m.bad("the pickle sets keys of %s, expected a dict", top[0].kind())
	}
	r := run{dict: uint32(top[0].a())}
	for i := 0; i < len(pairs); i += 2 {
		key, val := pairs[i], pairs[i+1]
		switch key.kind() {
		case kindList, kindSet, kindDict, kindOrdered:
			return m.bad("a key of a dict in the pickle is %s, which cannot be one", key.kind())
		}
		at := m.entries.push(entry{key, val})
		if r.n == 0 {
			r.first = uint32(at)
		}
		r.n++
	}
	if r.n > 0 && !m.lengthen(r) {
		m.runs.push(r)
	}
	m.stack = m.stack[:len(m.stack)+1] // the dict stays
	return nil
}

// lengthen makes the last run longer if r goes on with it.
func (m *machine) lengthen(r run) bool {
	if m.runs.n == 0 {
		return false
	}
	last := m.runs.at(m.runs.n - 1)
	if last.dict != r.dict || last.first+last.n != r.first {
		return false
	}
	last.n += r.n
	return true
}

// isEmpty reports whether v is a dict without entries.
func (m *machine) isEmpty(v value) bool {
	empty := v.isDict()
	if empty {
		m.each(v, func(_, _ value) bool {
			empty = false
			return false
		})
	}
	return empty
}

// each calls f for every entry of the dict, in order, until it returns false.
func (m *machine) each(dict value, f func(key, val value) bool) {
	for i := range m.runs.n {
		r := m.runs.at(i)
		if int(r.dict) != dict.a() {
			continue
		}
		for k := range int(r.n) {
			if e := m.entries.at(int(r.first) + k); !f(e.key, e.val) {
				return
			}
		}
	}
}
