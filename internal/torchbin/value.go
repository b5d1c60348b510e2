package torchbin

// value is what the pickle machine works on: a kind in the top 6 bits and 58 bits that say which. Most kinds have two
// numbers of 29 bits there, such as the place and length of a text in the pickle; no value owns memory.
type value uint64

type kind uint8

const (
	kindNone    kind = iota
	kindBool         // 0 or 1
	kindInt          // a signed integer of 58 bits
	kindBig          // a larger one: place and length of its bytes
	kindFloat        // place of its 8 bytes
	kindText         // place and length of UTF-8
	kindBytes        // place and length
	kindTuple        // first item and number of items
	kindLong         // a tuple of more than maxItems, not kept
	kindList         // items are not kept
	kindSet          // items are not kept
	kindDict         // its number
	kindOrdered      // an OrderedDict: its number
	kindGlobal       // index into globals
	kindStorage      // the tuple of its persistent id
	kindTensor       // the tuple of its rebuild function's arguments
	kindObject       // of an inert class: its number, among those of dicts, if it is kept, and its global
	kindOpaque       // something of no use here, such as a torch.device
)

// describe names the kinds as a Python user knows them.
var describe = [...]string{kindNone: "None", kindBool: "a bool", kindInt: "an int", kindBig: "a very large int", kindFloat: "a float",
	kindText: "a str", kindBytes: "bytes", kindTuple: "a tuple", kindLong: "a long tuple", kindList: "a list", kindSet: "a set",
	kindDict: "a dict", kindOrdered: "an OrderedDict", kindGlobal: "a class or function", kindStorage: "a storage",
	kindTensor: "a tensor", kindObject: "an instance", kindOpaque: "an object"}

func (k kind) String() string { return describe[k] }

const (
	halfBits = 29
	halfMask = 1<<halfBits - 1
	intBits  = 2 * halfBits
	maxInt   = 1<<(intBits-1) - 1
)

// pack makes a value of two numbers below 2^29.
func pack(k kind, a, b int) value { return value(k)<<intBits | value(a)<<halfBits | value(b) }

// packInt makes an integer value; ok is false when i does not fit.
func packInt(i int64) (_ value, ok bool) {
	if i > maxInt || i < -maxInt-1 {
		return 0, false
	}
	return value(kindInt)<<intBits | value(i)&(1<<intBits-1), true
}

func (v value) kind() kind { return kind(v >> intBits) }
func (v value) a() int     { return int(v >> halfBits & halfMask) }
func (v value) b() int     { return int(v & halfMask) }
func (v value) isDict() bool {
	return v.kind() == kindDict || v.kind() == kindOrdered
}

// int returns the integer; ok is false for other kinds.
func (v value) int() (_ int64, ok bool) {
	return int64(v<<(64-intBits)) >> (64 - intBits), v.kind() == kindInt
}

// pageSize is the number of elements allocated at once.
const pageSize = 1 << 10

// pages is a list that grows without moving, so that it never takes twice its size.
type pages[T any] struct {
	pages [][]T
	n     int // elements, skipped ones included
}

// push appends items, which must be fewer than pageSize, side by side, and returns the index of the first.
func (p *pages[T]) push(items ...T) int {
	if used := p.n % pageSize; used+len(items) > pageSize {
		p.n += pageSize - used
	}
	at := p.n
	if len(items) == 0 {
		return at
	}
	if at == len(p.pages)*pageSize {
		p.pages = append(p.pages, make([]T, pageSize))
	}
	copy(p.pages[at/pageSize][at%pageSize:], items)
	p.n += len(items)
	return at
}

// slice returns n elements that one push appended.
func (p *pages[T]) slice(at, n int) []T {
	if n == 0 {
		return nil
	}
	at, page := at%pageSize, p.pages[at/pageSize]
	return page[at : at+n : at+n]
}

// at returns a pointer to an element.
func (p *pages[T]) at(i int) *T { return &p.pages[i/pageSize][i%pageSize] }

// memo maps the numbers of a pickle's memo to values. Picklers number from 0 up; anything else goes to a map, which takes
// more memory.
type memo struct {
	dense  pages[value]
	sparse map[uint32]value
}

// put stores v under id; ok is false when too much is stored out of order.
func (m *memo) put(id uint32, v value) (ok bool) {
	switch {
	case int64(id) == int64(m.dense.n) && m.sparse == nil:
		m.dense.push(v)
	case int64(id) < int64(m.dense.n):
		*m.dense.at(int(id)) = v
	default:
		if m.sparse == nil {
			m.sparse = make(map[uint32]value)
		}
		m.sparse[id] = v
	}
	return len(m.sparse) <= maxSparse
}

func (m *memo) get(id uint32) (value, bool) {
	if int64(id) < int64(m.dense.n) {
		return *m.dense.at(int(id)), true
	}
	v, ok := m.sparse[id]
	return v, ok
}

// len returns the number of values, which MEMOIZE takes as the next number.
func (m *memo) len() uint32 { return uint32(m.dense.n + len(m.sparse)) }
