package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"unicode/utf8"

	"github.com/gomamba/gomamba/internal/badfile"
)

// header is everything that stands before the data section.
type header struct {
	version   uint32
	kvs       []KV
	tensors   []Tensor // without data; in the order of their data, which lies without holes
	alignment uint64
	end       uint64 // where the tensor list ends
}

// cursor walks through a header. It keeps the first error; from then on it reads zeros.
type cursor struct {
	file string
	data []byte
	room int // bytes of data that may be looked at
	pos  int
	err  error

	// What is being read, for errors: "key" or "tensor", which one from 0, and its name once that is known.
	what  string
	index int
	name  string
}

// where names the thing being read.
func (c *cursor) where() string {
	switch {
	case c.what == "":
		return ""
	case c.name == "":
		return fmt.Sprintf("%s %d", c.what, c.index+1)
	default:
		return c.what + " " + badfile.Quote(c.name)
	}
}

// bad records that the file breaks its format.
func (c *cursor) bad(format string, args ...any) {
	if c.err == nil {
		c.err = &badfile.FormatError{File: c.file, Where: c.where(), Detail: fmt.Sprintf(format, args...)}
	}
}

// refuse records that the file is beyond this program.
func (c *cursor) refuse(format string, args ...any) {
	if c.err == nil {
		c.err = &badfile.UnsupportedError{File: c.file, Where: c.where(), Detail: fmt.Sprintf(format, args...)}
	}
}

// need makes sure that at least count things of size bytes each follow; nothing is allocated for them before.
func (c *cursor) need(count, size uint64) bool {
	if c.err != nil {
		return false
	}
	hi, n := bits.Mul64(count, size)
	if hi != 0 {
		n = math.MaxUint64
	}
	switch {
	case n <= uint64(c.room-c.pos):
		return true
	case n <= uint64(len(c.data)-c.pos):
		c.refuse("keys and tensor list take more than the %d bytes that this program reads", maxHeader)
	default:
		c.bad("truncated or damaged: %s wanted at byte %d, file has %d; download it again", badfile.Count(n, "byte"), c.pos, len(c.data))
	}
	return false
}

func (c *cursor) bytes(n uint64) []byte {
	if !c.need(n, 1) {
		return nil
	}
	b := c.data[c.pos : c.pos+int(n) : c.pos+int(n)]
	c.pos += int(n)
	return b
}

func (c *cursor) uint32() uint32 {
	if b := c.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) uint64() uint64 {
	if b := c.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// label reads the name of a key or tensor.
func (c *cursor) label(longest uint64) string {
	n := c.uint64()
	if n > longest && c.err == nil && n <= uint64(len(c.data)-c.pos) {
		c.bad("name of %d bytes, the format allows %d", n, longest)
	}
	b := c.bytes(n)
	if c.err == nil && !utf8.Valid(b) {
		c.bad("name %s is not valid UTF-8", badfile.Quote(string(b[:min(len(b), maxName)])))
	}
	if c.err != nil {
		return ""
	}
	c.name = string(b)
	return c.name
}

// readHeader reads everything up to the data section.
func readHeader(file string, data []byte) (*header, error) {
	c := &cursor{file: file, data: data, room: min(len(data), maxHeader)}
	h := &header{version: c.version(), alignment: defaultAlignment}
	tensors := c.uint64()
	pairs := c.uint64()
	c.count("tensors", tensors, minTensor, maxTensors)
	c.count("keys", pairs, minPair, maxKeys)
	if c.err != nil {
		return nil, c.err
	}
	h.kvs = make([]KV, 0, pairs)
	for c.what = "key"; c.index < int(pairs); c.index++ {
		c.name = ""
		h.kvs = append(h.kvs, c.pair())
		if c.err != nil {
			return nil, c.err
		}
	}
	c.alignment(h)
	c.what, c.index, c.name = "", 0, ""
	c.count("tensors", tensors, minTensor, maxTensors)
	if c.err != nil {
		return nil, c.err
	}
	h.tensors = make([]Tensor, 0, tensors)
	next := uint64(0) // where the data of the next tensor begins
	for c.what = "tensor"; c.index < int(tensors); c.index++ {
		c.name = ""
		h.tensors = append(h.tensors, c.tensor(h.alignment, &next))
		if c.err != nil {
			return nil, c.err
		}
	}
	h.end = uint64(c.pos)
	return h, nil
}

// version reads the magic and the version, or says what the file is if it is not one of ours.
func (c *cursor) version() uint32 {
	if len(c.data) < len(magic) || string(c.data[:len(magic)]) != magic {
		c.bad("%s", identify(c.data))
		return 0
	}
	c.pos = len(magic)
	v := c.uint32()
	switch {
	case c.err != nil:
	case v == 0:
		c.bad("GGUF version 0, expected 2 or 3")
	case v&0xffff == 0:
		c.refuse("is a big-endian GGUF file (version %d); convert the original checkpoint without --bigendian", bits.ReverseBytes32(v))
	case v == 1:
		c.refuse("GGUF version 1, used for some days of August 2023; convert the original checkpoint again")
	case v > version:
		c.refuse("GGUF version %d, this program reads 2 and 3", v)
	}
	return v
}

// count checks a number of things, each of at least size bytes, before room is made for them.
func (c *cursor) count(what string, n, size uint64, most int) {
	switch {
	case n > uint64(len(c.data)-c.pos)/size:
		c.bad("truncated or damaged: %d %s promised, which %d bytes cannot hold; download it again", n, what, len(c.data)-c.pos)
	case n > uint64(most):
		c.refuse("%d %s, more than the %d that this program reads", n, what, most)
	}
}

// pair reads one key and its value.
func (c *cursor) pair() KV {
	kv := KV{Key: c.label(maxKey)}
	if kv.Key == "" {
		c.bad("has no name")
	}
	kv.Value = c.value()
	return kv
}

func (c *cursor) value() Value {
	v := Value{kind: Kind(c.uint32())}
	if v.kind != KindArray {
		v.data = c.element(v.kind)
		return v
	}
	v.elem = Kind(c.uint32())
	n := c.uint64()
	switch {
	case c.err != nil:
	case v.elem == KindArray:
		c.refuse("is an array of arrays")
	case !v.elem.valid():
		c.bad("is an array of unknown kind %d", uint32(v.elem))
	case v.elem != KindString:
		if size := uint64(kinds[v.elem].size); c.need(n, size) {
			v.n, v.data = int(n), c.bytes(n*size)
			c.checkBools(v.elem, v.data)
		}
	case c.need(n, minString):
		begin := c.pos
		for range n {
			if c.bytes(c.uint64()); c.err != nil {
				return v
			}
		}
		v.n, v.data = int(n), c.data[begin:c.pos:c.pos]
	}
	return v
}

// element reads one value that is not an array and returns its bytes.
func (c *cursor) element(k Kind) []byte {
	if c.err == nil && !k.valid() {
		c.bad("is of unknown kind %d", uint32(k))
	}
	if c.err != nil {
		return nil
	}
	size := uint64(kinds[k].size)
	if k == KindString {
		size = c.uint64()
	}
	b := c.bytes(size)
	c.checkBools(k, b)
	return b
}

// checkBools checks that bools are 0 or 1.
func (c *cursor) checkBools(k Kind, b []byte) {
	if k != KindBool || c.err != nil {
		return
	}
	for _, x := range b {
		if x > 1 {
			c.bad("holds a bool of value %d, expected 0 or 1", x)
			return
		}
	}
}

// alignment takes the key general.alignment over.
func (c *cursor) alignment(h *header) {
	for _, kv := range h.kvs {
		if kv.Key != alignmentKey {
			continue
		}
		c.name = kv.Key
		if kv.Value.kind != KindU32 {
			c.bad("is %s, expected a u32", kv.Value.describe())
			return
		}
		h.alignment = load(KindU32, kv.Value.data)
		if !goodAlignment(h.alignment) {
			c.bad("is %d, expected a power of two from %d to %d", h.alignment, minAlignment, maxAlignment)
		}
		return
	}
}

// tensor reads one entry of the tensor list. Its data must begin at next, which is moved on to the data after it.
func (c *cursor) tensor(alignment uint64, next *uint64) Tensor {
	t := Tensor{Name: c.label(maxName), File: c.file}
	dims := c.uint32()
	if dims > maxDims {
		c.bad("has %d dimensions, the format allows %d", dims, maxDims)
	}
	if !c.need(uint64(dims), 8) {
		return t
	}
	t.Shape = make([]int, dims)
	for i := range t.Shape {
		d := c.uint64()
		if d == 0 {
			c.bad("has a dimension of 0")
		} else if d > math.MaxInt {
			c.bad("has a dimension of %d", d)
		}
		t.Shape[i] = int(d)
	}
	slices.Reverse(t.Shape)
	t.Type = Type(c.uint32())
	offset := c.uint64()
	if c.err != nil {
		return t
	}
	size, ok := c.size(t)
	if !ok {
		return t
	}
	switch {
	case offset%alignment != 0:
		c.bad("its data begins at %d, which is not a multiple of the alignment %d", offset, alignment)
	case offset < *next:
		c.bad("its data begins at %d and overlaps that of the tensor before: expected %d, where that ends", offset, *next)
	case offset > *next:
		c.bad("its data begins at %d and leaves a hole: expected %d, where the tensor before ends", offset, *next)
	case size > maxData || offset > maxData-size:
		c.bad("%s %v at %d ends beyond what any file holds", t.Type, t.Shape, offset)
	default:
		*next = pad(offset+size, alignment)
	}
	return t
}

// size returns the bytes of a tensor, or records why they cannot be known.
func (c *cursor) size(t Tensor) (uint64, bool) {
	if old, ok := removed[t.Type]; ok {
		instead := "convert the original checkpoint again"
		if old.blocks != "" {
			instead = "take a file of " + old.blocks + ", which holds the same values, or " + instead
		}
		c.refuse("type %d (%s) was removed from GGUF; %s", uint32(t.Type), old.name, instead)
		return 0, false
	}
	if !t.Type.Known() {
		c.refuse("type %d is unknown to this program, whose newest is %d (%s)", uint32(t.Type), len(types)-1, Type(len(types)-1))
		return 0, false
	}
	if n, ok := t.Type.ByteCount(t.Shape); ok {
		return uint64(n), true
	}
	if block, _ := t.Type.Block(); len(t.Shape) == 0 || t.Shape[len(t.Shape)-1]%block != 0 {
		c.bad("shape %v: rows of %s must be a multiple of %d", t.Shape, t.Type, block)
	} else {
		c.bad("%s %v is larger than what any file holds", t.Type, t.Shape)
	}
	return 0, false
}
