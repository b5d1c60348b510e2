package torchbin

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/gomamba/gomamba/internal/badfile"
)

// machine runs pickles. Its values refer to data and to items; see value.
type machine struct {
	file   string
	record string // where the pickle is, for errors; empty in the old format
	data   []byte
	pos    int // of the next byte
	op     int // of the opcode that runs
	ops    int // opcodes run
	legacy bool

	stack   []value
	marks   []int
	memo    memo
	done    bool
	items   pages[value] // of tuples
	dicts   int          // made so far
	entries pages[entry] // of all dicts
	runs    runs         // which of them belong to which dict
	keep    bool         // lists keep their items, and inert objects what they were made of
	// The items of lists if they are kept, and which belong to which list.
	listItems pages[value]
	listRuns  runs
	listed    *pages[value] // when set, what is appended to lists
	asked     *pages[value] // when set, the ids of all storages
}

// entry is an item of a dict.
type entry struct{ key, val value }

// run is a sequence of entries of one dict.
type run struct{ dict, first, n uint32 }

// load runs one pickle from pos on and returns its object.
func (m *machine) load() (value, error) {
	m.stack, m.marks, m.memo, m.done = m.stack[:0], m.marks[:0], memo{}, false
	for begin := m.pos; ; {
		m.op = m.pos
		b, err := m.take(1)
		if err != nil {
			return 0, err
		}
		if m.ops++; m.ops > maxOpcodes {
			return 0, m.unsupported("the pickle has more than %d opcodes", maxOpcodes)
		}
		switch op := &opcodes[b[0]]; {
		case m.op == begin && b[0] != 0x80:
			return 0, m.bad("the pickle begins with byte %#02x, expected a protocol number of 2 to 5", b[0])
		case op.name == "":
			return 0, m.bad("byte %#02x is not a pickle opcode", b[0])
		case op.run == nil:
			return 0, m.unsupported("found the pickle opcode %s, which torch.save does not write; nothing was executed", op.name)
		default:
			if err := op.run(m); err != nil {
				return 0, err
			}
		}
		if m.done {
			return m.stack[0], nil
		}
	}
}

// bad and unsupported make errors about the opcode that runs.
func (m *machine) bad(format string, args ...any) error {
	return &badfile.FormatError{File: m.file, Where: m.where(), Detail: fmt.Sprintf(format, args...)}
}

func (m *machine) unsupported(format string, args ...any) error {
	return &badfile.UnsupportedError{File: m.file, Where: m.where(), Detail: fmt.Sprintf(format, args...)}
}

func (m *machine) where() string {
	at := fmt.Sprintf("byte %d", m.op)
	if m.record != "" {
		at = m.record + ", " + at
	}
	return at
}

// take returns the next n bytes of the pickle.
func (m *machine) take(n int) ([]byte, error) {
	if have := len(m.data) - m.pos; n > have {
		if len(m.data) == maxPickle {
			return nil, m.unsupported("the pickle is larger than the %d bytes this program reads", maxPickle)
		}
		return nil, m.bad("truncated: the pickle needs %d more bytes, found %d", n, have)
	}
	m.pos += n
	return m.data[m.pos-n : m.pos], nil
}

// number takes a little-endian number of n bytes.
func (m *machine) number(n int) (uint64, error) {
	b, err := m.take(n)
	if err != nil {
		return 0, err
	}
	var full [8]byte
	copy(full[:], b)
	return binary.LittleEndian.Uint64(full[:]), nil
}

// proto checks the protocol, with which a pickle begins and nothing else.
func (m *machine) proto() error {
	if len(m.stack) > 0 {
		return m.bad("the pickle's protocol is given in its middle")
	}
	b, err := m.take(1)
	if err == nil && (b[0] < 2 || b[0] > 5) {
		return m.unsupported("found pickle protocol %d, expected 2 to 5", b[0])
	}
	return err
}

// frame checks a frame's length; frames mean nothing when the bytes are in memory.
func (m *machine) frame() error {
	n, err := m.number(8)
	if err == nil && n > uint64(len(m.data)-m.pos) && len(m.data) < maxPickle {
		return m.bad("truncated: a frame of the pickle takes %d bytes, found %d", n, len(m.data)-m.pos)
	}
	return err
}

// stop ends the pickle.
func (m *machine) stop() error {
	if len(m.stack) != 1 || len(m.marks) > 0 {
		return m.bad("the pickle ends with %d values and %d marks on its stack, expected one value", len(m.stack), len(m.marks))
	}
	m.done = true
	return nil
}

func (m *machine) push(v value) error {
	if len(m.stack) >= maxStack {
		return m.unsupported("the pickle holds more than %d values at once", maxStack)
	}
	m.stack = append(m.stack, v)
	return nil
}

// pop removes the n topmost values, which must lie above the last mark. They are valid until the next push.
func (m *machine) pop(n int) ([]value, error) {
	floor := 0
	if len(m.marks) > 0 {
		floor = m.marks[len(m.marks)-1]
	}
	if have := len(m.stack) - floor; have < n {
		return nil, m.bad("the pickle's stack has %d values where %d are needed", have, n)
	}
	at := len(m.stack) - n
	top := m.stack[at:]
	m.stack = m.stack[:at]
	return top, nil
}

func (m *machine) mark() error {
	if len(m.marks) >= maxMarks {
		return m.unsupported("the pickle nests deeper than %d", maxMarks)
	}
	m.marks = append(m.marks, len(m.stack))
	return nil
}

// popMark removes the last mark and the values above it, valid until the next push.
func (m *machine) popMark() ([]value, error) {
	if len(m.marks) == 0 {
		return nil, m.bad("the pickle's stack has no mark")
	}
	at := m.marks[len(m.marks)-1]
	m.marks = m.marks[:len(m.marks)-1]
	top := m.stack[at:]
	m.stack = m.stack[:at]
	return top, nil
}

// binInt pushes an integer of n bytes, signed when there are 4.
func (m *machine) binInt(n int) error {
	u, err := m.number(n)
	if err != nil {
		return err
	}
	i := int64(u)
	if n == 4 {
		i = int64(int32(u))
	}
	v, _ := packInt(i) // 32 bits fit
	return m.push(v)
}

// long pushes an integer of up to 255 bytes in two's complement.
func (m *machine) long() error {
	n, err := m.number(1)
	if err != nil {
		return err
	}
	b, err := m.take(int(n))
	if err != nil {
		return err
	}
	if len(b) <= 8 {
		i := int64(0)
		for k := len(b) - 1; k >= 0; k-- {
			i = i<<8 | int64(b[k])
		}
		if shift := 64 - 8*len(b); len(b) > 0 {
			i = i << shift >> shift
		}
		if v, ok := packInt(i); ok {
			return m.push(v)
		}
	}
	return m.push(pack(kindBig, m.pos-len(b), len(b)))
}

func (m *machine) binFloat() error {
	if _, err := m.take(8); err != nil {
		return err
	}
	return m.push(pack(kindFloat, m.pos-8, 0))
}

// bytes pushes a text or bytes whose length is given in n bytes.
func (m *machine) bytes(k kind, n int) error {
	size, err := m.number(n)
	if err != nil {
		return err
	}
	if size > math.MaxInt32 {
		return m.bad("truncated: the pickle needs %d more bytes, found %d", size, len(m.data)-m.pos)
	}
	if _, err := m.take(int(size)); err != nil {
		return err
	}
	return m.push(pack(k, m.pos-int(size), int(size)))
}

// text returns the bytes of a text, bytes or large integer. It is a view of the pickle.
func (m *machine) text(v value) []byte { return m.data[v.a() : v.a()+v.b()] }

// is reports whether v is the text want, in either of the forms Python 2 and 3 give it.
func (m *machine) is(v value, want string) bool {
	return (v.kind() == kindText || v.kind() == kindBytes) && string(m.text(v)) == want
}

// put, memoize and get store and fetch values; n is the size of the number they go by.
func (m *machine) put(n int) error {
	id, err := m.number(n)
	if err != nil {
		return err
	}
	return m.store(uint32(id))
}

func (m *machine) memoize() error { return m.store(m.memo.len()) }

func (m *machine) store(id uint32) error {
	top, err := m.pop(1)
	if err != nil {
		return err
	}
	if !m.memo.put(id, top[0]) {
		return m.unsupported("the pickle stores more than %d values out of order", maxSparse)
	}
	m.stack = m.stack[:len(m.stack)+1] // it stays
	return nil
}

func (m *machine) get(n int) error {
	id, err := m.number(n)
	if err != nil {
		return err
	}
	v, ok := m.memo.get(uint32(id))
	if !ok {
		return m.bad("the pickle fetches value %d, which was never stored", id)
	}
	return m.push(v)
}

// line takes the rest of a line, the form in which old opcodes have names.
func (m *machine) line() ([]byte, error) {
	rest := m.data[m.pos:]
	rest = rest[:min(len(rest), maxGlobal+1)]
	n := bytes.IndexByte(rest, '\n')
	if n < 0 && len(rest) <= maxGlobal {
		return nil, m.bad("truncated: the pickle ends within a name")
	}
	if n < 0 {
		return nil, m.bad("a name in the pickle has no end within %d bytes", len(rest))
	}
	m.pos += n + 1
	if line := rest[:n]; utf8.Valid(line) {
		return line, nil
	}
	return nil, m.bad("the name %s in the pickle is not UTF-8", badfile.Quote(string(rest[:n])))
}
