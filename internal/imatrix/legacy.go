package imatrix

import (
	"encoding/binary"
	"fmt"

	"github.com/gomamba/gomamba/internal/badfile"
)

// cursor reads the older form. After the first thing that does not fit, all it reads is zero.
type cursor struct {
	rest   []byte
	failed bool
}

func (c *cursor) bytes(n int64) []byte {
	if n < 0 || n > int64(len(c.rest)) {
		c.rest, c.failed = nil, true
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) int32() int32 {
	if b := c.bytes(4); b != nil {
		return int32(binary.LittleEndian.Uint32(b))
	}
	return 0
}

// readLegacy reads the older form.
func (m *Matrix) readLegacy(data []byte) error {
	c := &cursor{rest: data}
	foreign := func(detail string) error {
		return m.bad("", "is not an importance matrix of llama.cpp, GGUF or .dat: "+detail)
	}
	n := c.int32()
	if least := int64(n) * (4 + 1 + 4 + 4 + 4); c.failed || n < 1 || least > int64(len(c.rest)) {
		return foreign(fmt.Sprintf("it would have %d entries in %d bytes", n, len(data)))
	}
	for i := range n {
		name := string(c.bytes(int64(c.int32())))
		calls := c.int32()
		count := c.int32()
		sums := c.bytes(4 * int64(count))
		_, twice := m.entries[name]
		switch {
		case c.failed:
			return foreign(fmt.Sprintf("entry %d of %d does not fit the file", i+1, n))
		case name == "" || len(sums) == 0 || calls < 0:
			return foreign(fmt.Sprintf("entry %d of %d has the name %s, %d calls and %d values", i+1, n, badfile.Quote(name), calls, count))
		case twice:
			return m.bad(name, "appears twice")
		}
		m.entries[name] = entry{sums: sums, calls: calls}
	}
	if len(c.rest) == 0 {
		return nil
	}
	chunks := c.int32()
	if c.failed || chunks < 0 {
		return foreign("after its entries come bytes that do not count calls")
	}
	m.Chunks = int(chunks)
	if len(c.rest) == 0 {
		return nil
	}
	name := c.bytes(int64(c.int32()))
	if c.failed || len(c.rest) > 0 {
		return foreign("its last name does not end with the file")
	}
	if len(name) > 0 {
		m.Datasets = []string{string(name)}
	}
	return nil
}
