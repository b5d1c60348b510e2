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

// emptyList pushes a list, which has a number if its items are kept.
func (m *machine) emptyList() error {
	if !m.keep {
		return m.push(pack(kindList, 0, 0))
	}
	return m.push(m.newDict(kindList))
}

// appendOne and appends drop what is appended, unless items are kept: no list or set matters, but for the one of storage keys.
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
	if top[0].kind() == kindObject {
		m.stack = m.stack[:len(m.stack)+1] // as below: it stays, and a list of its own class is of no use here
		return nil
	}
	if top[0].kind() != k {
		return m.bad("the pickle appends to %s, expected %s", top[0].kind(), k)
	}
	if m.listed != nil {
		for _, v := range items {
			m.listed.push(v)
		}
	}
	if m.keep && k == kindList {
		for _, v := range items {
			at := m.listItems.push(v)
			m.listRuns.add(run{uint32(top[0].a()), uint32(at), 1})
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
	if top[0].kind() == kindObject {
		m.stack = m.stack[:len(m.stack)+1] // it stays, and what a dict of its own class holds is of no use here
		return nil
	}
	if !top[0].isDict() {
		return m.bad("the pickle sets keys of %s, expected a dict", top[0].kind())
	}
	for i := 0; i < len(pairs); i += 2 {
		switch key := pairs[i]; key.kind() {
		case kindList, kindSet, kindDict, kindOrdered:
			return m.bad("a key of a dict in the pickle is %s, which cannot be one", key.kind())
		}
	}
	m.link(top[0].a(), pairs)
	m.stack = m.stack[:len(m.stack)+1] // the dict stays
	return nil
}

// link adds pairs of key and value to the dict of that number.
func (m *machine) link(dict int, pairs []value) {
	for i := 0; i < len(pairs); i += 2 {
		at := m.entries.push(entry{pairs[i], pairs[i+1]})
		m.runs.add(run{uint32(dict), uint32(at), 1})
	}
}

// runs are those of all dicts, or of all lists.
type runs struct{ pages[run] }

// add adds a run, or makes the last one longer if r goes on with it.
func (p *runs) add(r run) {
	if p.n > 0 {
		if last := p.at(p.n - 1); last.dict == r.dict && last.first+last.n == r.first {
			last.n += r.n
			return
		}
	}
	p.push(r)
}

// newObject returns an object of an inert class, which was called with args.
func (m *machine) newObject(class, args value) value {
	if !m.keep {
		return pack(kindObject, 0, class.a())
	}
	m.dicts++
	m.link(m.dicts, []value{pack(kindNone, 0, 0), args})
	return pack(kindObject, m.dicts, class.a())
}

// newObj makes an object of a class without calling anything.
func (m *machine) newObj() error {
	top, err := m.pop(2)
	if err != nil {
		return err
	}
	if !m.isRole(top[0], roleInert) {
		return m.unsupported("found the pickle opcode NEWOBJ for %s, which torch.save does not write; nothing was executed", m.spell(top[0]))
	}
	if top[1].kind() != kindTuple {
		return m.bad("the pickle makes an object of %s with %s, expected a tuple", m.spell(top[0]), top[1].kind())
	}
	return m.push(m.newObject(top[0], top[1]))
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
