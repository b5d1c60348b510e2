package tokenizer

import (
	"fmt"
	"unicode/utf8"
)

// merge says what a pair of tokens becomes, and when: lower ranks first.
type merge struct {
	rank int32
	id   int32
}

// pair is the key of two neighbouring tokens.
func pair(a, b int32) uint64 { return uint64(uint32(a))<<32 | uint64(uint32(b)) }

// bpe is a byte-pair encoding.
type bpe struct {
	vocab        map[string]int32
	merges       map[uint64]merge
	unknown      int32 // for characters without a token; -1: they are left out
	fuseUnknown  bool  // a run of unknown characters is one token
	byteFallback bool  // characters without a token become those of their bytes, <0x0A>, if there are all of them
	ignoreMerges bool  // a word that is a token as a whole needs no merges
	ascii        [utf8.RuneSelf]int32
	bytes        [256]int32 // the tokens of byteFallback; -1: none
}

// ready fills the tables by which characters are looked up.
func (m *bpe) ready() {
	id := func(token string) int32 {
		if id, ok := m.vocab[token]; ok {
			return id
		}
		return -1
	}
	for b := range m.ascii {
		m.ascii[b] = id(string(rune(b)))
	}
	for b := range m.bytes {
		m.bytes[b] = id(fmt.Sprintf("<0x%02X>", b))
	}
}

// symbol is a token of a word that is being merged. Absorbed ones have size 0.
type symbol struct {
	id         int32
	prev, next int32 // neighbours; -1: none
	size       int32
}

// candidate is a merge that may be made. It is out of date when the pair at its place has become another.
type candidate struct {
	rank int32
	pos  int32
	id   int32 // what the pair becomes
}

func (a candidate) before(b candidate) bool {
	return a.rank < b.rank || a.rank == b.rank && a.pos < b.pos
}

// merger is the scratch memory of one goroutine.
type merger struct {
	clock
	symbols []symbol
	heap    []candidate
}

// encode appends the tokens of one word.
func (m *bpe) encode(s *merger, word string, ids []int32) []int32 {
	if m.ignoreMerges {
		if id, ok := m.vocab[word]; ok {
			return append(ids, id)
		}
	}
	s.symbols = s.symbols[:0]
	m.split(s, word)
	m.mergeAll(s)
	for _, sym := range s.symbols {
		if sym.size > 0 {
			ids = append(ids, sym.id)
		}
	}
	return ids
}

// split cuts a word into the tokens of its characters.
func (m *bpe) split(s *merger, word string) {
	unknown := false // one is due
	flush := func() {
		if unknown {
			s.add(m.unknown)
		}
		unknown = false
	}
	for i, n := 0, 0; i < len(word); i += n {
		s.tick()
		id := int32(-1)
		if n = 1; word[i] < utf8.RuneSelf {
			id = m.ascii[word[i]]
		} else {
			_, n = utf8.DecodeRuneInString(word[i:])
			if known, ok := m.vocab[word[i:i+n]]; ok {
				id = known
			}
		}
		switch {
		case id >= 0:
			flush()
			s.add(id)
		case m.byteFallback && m.hasBytes(word[i:i+n]):
			for _, b := range []byte(word[i : i+n]) { // before an unknown one that is due, as in the original
				s.add(m.bytes[b])
			}
		case m.unknown >= 0:
			if !m.fuseUnknown {
				flush()
			}
			unknown = true
		}
	}
	flush()
}

func (m *bpe) hasBytes(char string) bool {
	for i := range len(char) {
		if m.bytes[char[i]] < 0 {
			return false
		}
	}
	return true
}

func (s *merger) add(id int32) {
	n := int32(len(s.symbols))
	if n > 0 {
		s.symbols[n-1].next = n
	}
	s.symbols = append(s.symbols, symbol{id: id, prev: n - 1, next: -1, size: 1})
}

// mergeAll makes all merges: of lowest rank first, from left to right among equals. The candidates are kept in a heap,
// so that the time grows with n log n for a word of n characters.
func (m *bpe) mergeAll(s *merger) {
	s.heap = s.heap[:0]
	for i := 1; i < len(s.symbols); i++ {
		s.tick()
		if to, ok := m.merges[pair(s.symbols[i-1].id, s.symbols[i].id)]; ok {
			s.heap = append(s.heap, candidate{to.rank, int32(i - 1), to.id})
		}
	}
	for i := len(s.heap)/2 - 1; i >= 0; i-- {
		s.tick()
		s.sink(i)
	}
	for len(s.heap) > 0 {
		s.tick()
		top := s.heap[0]
		last := len(s.heap) - 1
		s.heap[0] = s.heap[last]
		s.heap = s.heap[:last]
		s.sink(0)
		left := &s.symbols[top.pos]
		if left.size == 0 || left.next < 0 {
			continue
		}
		right := &s.symbols[left.next]
		if to, ok := m.merges[pair(left.id, right.id)]; !ok || to.id != top.id {
			continue
		}
		left.id, left.size, right.size = top.id, left.size+right.size, 0
		left.next = right.next
		if left.next >= 0 {
			s.symbols[left.next].prev = top.pos
			m.consider(s, top.pos)
		}
		if left.prev >= 0 {
			m.consider(s, left.prev)
		}
	}
}

// consider adds the pair at pos to the candidates.
func (m *bpe) consider(s *merger, pos int32) {
	left := s.symbols[pos]
	if to, ok := m.merges[pair(left.id, s.symbols[left.next].id)]; ok {
		s.heap = append(s.heap, candidate{to.rank, pos, to.id})
		s.rise(len(s.heap) - 1)
	}
}

func (s *merger) rise(i int) {
	for i > 0 {
		up := (i - 1) / 2
		if !s.heap[i].before(s.heap[up]) {
			return
		}
		s.heap[i], s.heap[up] = s.heap[up], s.heap[i]
		i = up
	}
}

func (s *merger) sink(i int) {
	for {
		child := 2*i + 1
		if child >= len(s.heap) {
			return
		}
		if child+1 < len(s.heap) && s.heap[child+1].before(s.heap[child]) {
			child++
		}
		if !s.heap[child].before(s.heap[i]) {
			return
		}
		s.heap[i], s.heap[child] = s.heap[child], s.heap[i]
		i = child
	}
}
