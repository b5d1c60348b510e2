package gguf

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/gomamba/gomamba/internal/badfile"
)

// Entry announces a tensor to be written.
type Entry struct {
	Name  string
	Type  Type
	Shape []int // in PyTorch's order; empty for a scalar
}

// Layout computes what stands before a file's data section, the offset of each tensor's data from the start of the
// file, and the size of the whole file, padding at the end included. Keys and tensors stand in the order given.
//
// The result is what GGUFWriter of gguf-py 0.19.0 writes for the same keys and tensors, byte for byte; it differs from
// llama.cpp's own writer only in keeping leading dimensions of 1. The alignment is 32, or what a key
// general.alignment among kvs says.
func Layout(kvs []KV, entries []Entry) (head []byte, offsets map[string]int64, total int64, err error) {
	alignment, err := checkKVs(kvs)
	if err != nil {
		return nil, nil, 0, err
	}
	sizes, err := checkEntries(entries)
	if err != nil {
		return nil, nil, 0, err
	}
	le := binary.LittleEndian
	head = le.AppendUint32([]byte(magic), version)
	head = le.AppendUint64(head, uint64(len(entries)))
	head = le.AppendUint64(head, uint64(len(kvs)))
	for _, kv := range kvs {
		head = appendValue(appendString(head, kv.Key), kv.Value)
		if len(head) > maxHeader {
			break // refused below; the rest need not be gathered for that
		}
	}
	next := uint64(0)
	for i, e := range entries {
		head = le.AppendUint32(appendString(head, e.Name), uint32(len(e.Shape)))
		for k := range e.Shape {
			head = le.AppendUint64(head, uint64(e.Shape[len(e.Shape)-1-k]))
		}
		head = le.AppendUint64(le.AppendUint32(head, uint32(e.Type)), next)
		if sizes[i] > maxData || next > maxData-sizes[i] {
			return nil, nil, 0, fmt.Errorf("gguf: tensor %s: %s %v does not fit a file", badfile.Quote(e.Name), e.Type, e.Shape)
		}
		next = pad(next+sizes[i], alignment)
	}
	if len(head) > maxHeader {
		return nil, nil, 0, fmt.Errorf("gguf: keys and tensor list take %d bytes or more, a file may have %d", len(head), maxHeader)
	}
	head = append(head, make([]byte, pad(uint64(len(head)), alignment)-uint64(len(head)))...)
	offsets = make(map[string]int64, len(entries))
	total = int64(len(head))
	for i, e := range entries {
		offsets[e.Name] = total
		total += int64(pad(sizes[i], alignment))
	}
	return head, offsets, total, nil
}

// checkKVs checks that the keys can be written and read back, and returns the alignment they ask for.
func checkKVs(kvs []KV) (alignment uint64, err error) {
	if len(kvs) > maxKeys {
		return 0, fmt.Errorf("gguf: %d keys, more than the %d a file may have", len(kvs), maxKeys)
	}
	alignment = defaultAlignment
	seen := make(map[string]bool, len(kvs))
	for _, kv := range kvs {
		bad := func(detail string) (uint64, error) {
			return 0, fmt.Errorf("gguf: key %s: %s", badfile.Quote(kv.Key), detail)
		}
		switch {
		case kv.Key == "":
			return bad("has no name")
		case len(kv.Key) > maxKey:
			return bad(fmt.Sprintf("name of %d bytes, the format allows %d", len(kv.Key), maxKey))
		case !utf8.ValidString(kv.Key):
			return bad("the name is not valid UTF-8")
		case seen[kv.Key]:
			return bad("given twice")
		case !kv.Value.whole():
			return bad("has no value")
		}
		seen[kv.Key] = true
		if kv.Key != alignmentKey {
			continue
		}
		if kv.Value.kind != KindU32 || !goodAlignment(load(KindU32, kv.Value.data)) {
			return bad(fmt.Sprintf("must be a u32, a power of two from %d to %d", minAlignment, maxAlignment))
		}
		alignment = load(KindU32, kv.Value.data)
	}
	return alignment, nil
}

// checkEntries checks that each tensor can be written and read back, and returns their sizes in bytes.
func checkEntries(entries []Entry) (sizes []uint64, err error) {
	if len(entries) > maxTensors {
		return nil, fmt.Errorf("gguf: %d tensors, more than the %d a file may have", len(entries), maxTensors)
	}
	sizes = make([]uint64, len(entries))
	seen := make(map[string]bool, len(entries))
	for i, e := range entries {
		bad := func(format string, args ...any) ([]uint64, error) {
			return nil, fmt.Errorf("gguf: tensor %s: %s", badfile.Quote(e.Name), fmt.Sprintf(format, args...))
		}
		switch {
		case len(e.Name) >= maxName:
			return bad("name of %d bytes, llama.cpp loads %d", len(e.Name), maxName-1)
		case !utf8.ValidString(e.Name):
			return bad("the name is not valid UTF-8")
		case seen[e.Name]:
			return bad("announced twice")
		case !e.Type.Known():
			return bad("has the unknown type %d", uint32(e.Type))
		case len(e.Shape) > maxDims:
			return bad("has %d dimensions, the format allows %d", len(e.Shape), maxDims)
		}
		seen[e.Name] = true
		for _, d := range e.Shape {
			if d < 1 {
				return bad("shape %v has a dimension below 1", e.Shape)
			}
		}
		size, ok := e.Type.ByteCount(e.Shape)
		if !ok {
			block, _ := e.Type.Block()
			return bad("%s %v does not fit a file, or its row length is not a multiple of %d", e.Type, e.Shape, block)
		}
		sizes[i] = uint64(size)
	}
	return sizes, nil
}

// appendValue appends the kind of a value and the value itself.
func appendValue(dst []byte, v Value) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, uint32(v.kind))
	switch v.kind {
	case KindArray:
		dst = le.AppendUint64(le.AppendUint32(dst, uint32(v.elem)), uint64(v.n))
	case KindString:
		dst = le.AppendUint64(dst, uint64(len(v.data)))
	}
	return append(dst, v.data...)
}
