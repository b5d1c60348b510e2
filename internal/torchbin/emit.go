package torchbin

import (
	"math"
	"math/bits"
	"strconv"

	"github.com/gomamba/gomamba/tensor"
)

// batch is the number of items that Python's pickler puts into a dict at once.
const batch = 1000

// emitter writes a pickle of protocol 2, byte for byte as Python's pickler does for an OrderedDict of tensors.
type emitter struct {
	out   []byte
	next  uint32            // number of the next value stored in the memo
	known map[string]uint32 // globals, by "module\nname\n", and texts that Python has one object for
}

// emitPickle returns the pickle of a state dict. storages holds the number of the storage of each entry.
func emitPickle(entries []Entry, storages []int) []byte {
	e := &emitter{out: []byte{0x80, 2}, known: make(map[string]uint32)}
	e.orderedDict()
	for i := 0; i < len(entries); i += batch {
		part := entries[i:min(i+batch, len(entries))]
		// An item that is alone in its batch needs no mark.
		if len(part) > 1 {
			e.out = append(e.out, '(')
		}
		for k, entry := range part {
			e.text(entry.Name)
			e.tensor(entry, storages[i+k])
		}
		if len(part) > 1 {
			e.out = append(e.out, 'u')
		} else {
			e.out = append(e.out, 's')
		}
	}
	return append(e.out, '.')
}

// tensor writes the call of _rebuild_tensor_v2 for a contiguous tensor that begins its storage.
func (e *emitter) tensor(t Entry, storage int) {
	elems, _ := tensor.Count(t.Shape) // NewWriter made sure
	e.global("torch._utils", "_rebuild_tensor_v2")
	e.out = append(e.out, '(', '(')
	e.shared("storage")
	e.global("torch", storageType(t.DType))
	e.shared(strconv.Itoa(storage))
	e.shared("cpu")
	e.int(elems)
	e.store('t')
	e.out = append(e.out, 'Q')
	e.int(0) // offset
	e.tuple(t.Shape)
	e.tuple(contiguousStrides(t.Shape))
	e.out = append(e.out, 0x89) // requires_grad
	e.orderedDict()             // hooks
	e.store('t')
	e.store('R')
}

func (e *emitter) orderedDict() {
	e.global("collections", "OrderedDict")
	e.out = append(e.out, ')')
	e.store('R')
}

// store writes an opcode and stores its result in the memo.
func (e *emitter) store(op byte) {
	e.out = append(e.out, op)
	e.memo('q', 'r', e.next)
	e.next++
}

// memo writes an opcode with the number of a value in the memo, in its short or its long form.
func (e *emitter) memo(short, long byte, id uint32) {
	if id < 256 {
		e.out = append(e.out, short, byte(id))
	} else {
		e.out = le.AppendUint32(append(e.out, long), id)
	}
}

// fetch writes a value that was stored under key, or returns false and notes that it will be.
func (e *emitter) fetch(key string) bool {
	id, ok := e.known[key]
	if ok {
		e.memo('h', 'j', id)
	} else {
		e.known[key] = e.next
	}
	return ok
}

func (e *emitter) global(module, name string) {
	line := module + "\n" + name + "\n"
	if !e.fetch(line) {
		e.out = append(e.out, 'c')
		e.out = append(e.out, line[:len(line)-1]...)
		e.store('\n')
	}
}

func (e *emitter) text(s string) {
	e.out = le.AppendUint32(append(e.out, 'X'), uint32(len(s)))
	e.out = append(e.out, s...)
	e.memo('q', 'r', e.next)
	e.next++
}

// shared writes a text for which Python has one object: it is written once.
func (e *emitter) shared(s string) {
	if !e.fetch(s) {
		e.text(s)
	}
}

// int writes a number of at least 0.
func (e *emitter) int(n int) {
	switch {
	case n <= math.MaxUint8:
		e.out = append(e.out, 'K', byte(n))
	case n <= math.MaxUint16:
		e.out = le.AppendUint16(append(e.out, 'M'), uint16(n))
	case n <= math.MaxInt32:
		e.out = le.AppendUint32(append(e.out, 'J'), uint32(n))
	default:
		size := bits.Len64(uint64(n))/8 + 1
		e.out = append(e.out, 0x8a, byte(size))
		e.out = append(e.out, le.AppendUint64(nil, uint64(n))[:size]...)
	}
}

func (e *emitter) tuple(list []int) {
	if len(list) > 3 {
		e.out = append(e.out, '(')
	}
	for _, n := range list {
		e.int(n)
	}
	switch len(list) {
	case 0:
		e.out = append(e.out, ')')
	case 1, 2, 3:
		e.store(0x84 + byte(len(list)))
	default:
		e.store('t')
	}
}

// storageType returns the name of the storage class for a dtype, "" when there is none.
func storageType(dt tensor.DType) string {
	for _, s := range storageTypes {
		if s.dtype == dt {
			return s.name
		}
	}
	return ""
}
