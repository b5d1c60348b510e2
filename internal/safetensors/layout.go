package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/tensor"
	"github.com/nlpodyssey/safetensors"
)

// Entry announces a tensor to be written.
type Entry struct {
	Name  string
	DType tensor.DType
	Shape []int // empty for a scalar
}

// headerView is an entry as the library wants it: without data, it lays out the header alone.
type headerView struct {
	dtype safetensors.DType
	shape []uint64
	size  uint64
}

func (v headerView) DType() safetensors.DType { return v.dtype }
func (v headerView) Shape() []uint64          { return v.shape }
func (v headerView) Data() []byte             { return nil }
func (v headerView) DataLen() uint64          { return v.size }

// Layout computes a file's header (length prefix included), the offset of each tensor's data from the start
// of the file, and the size of the whole file.
//
// The result is what safetensors 0.8.0 for Python writes, byte for byte: largest dtype first, by name within a
// dtype, header keys in that order after __metadata__, whose own keys are sorted here (the reference leaves
// their order to chance). Empty metadata is left out.
func Layout(entries []Entry, metadata map[string]string) (header []byte, offsets map[string]int64, total int64, err error) {
	views, err := headerViews(entries, metadata)
	if err != nil {
		return nil, nil, 0, err
	}
	var laid bytes.Buffer
	if err := safetensors.SerializeToWriter(views, metadata, &laid); err != nil {
		return nil, nil, 0, fmt.Errorf("safetensors: lay out header: %w", err)
	}
	var meta safetensors.Metadata
	if err := json.Unmarshal(laid.Bytes()[lengthSize:], &meta); err != nil {
		return nil, nil, 0, fmt.Errorf("safetensors: lay out header: %w", err)
	}
	infos := meta.Tensors()
	header, err = encodeHeader(dataOrder(entries), infos, metadata)
	if err != nil {
		return nil, nil, 0, err
	}
	offsets = make(map[string]int64, len(entries))
	total = int64(len(header))
	for name, info := range infos {
		offsets[name] = int64(len(header)) + int64(info.DataOffsets[0])
		total = max(total, int64(len(header))+int64(info.DataOffsets[1]))
	}
	return header, offsets, total, nil
}

// headerViews checks that a file of these entries can be written and read back.
func headerViews(entries []Entry, metadata map[string]string) (map[string]headerView, error) {
	if keys := len(entries) + len(metadata); keys > maxKeys {
		return nil, fmt.Errorf("safetensors: %d tensors and metadata keys, more than the %d a file may have", keys, maxKeys)
	}
	for k, v := range metadata {
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return nil, fmt.Errorf("safetensors: metadata key %s: not valid UTF-8", badfile.Quote(k))
		}
	}
	views := make(map[string]headerView, len(entries))
	room := int64(math.MaxInt64 - maxHeader - lengthSize)
	for _, e := range entries {
		bad := func(detail string) error {
			return fmt.Errorf("safetensors: tensor %s: %s", badfile.Quote(e.Name), detail)
		}
		switch _, dup := views[e.Name]; {
		case dup:
			return nil, bad("announced twice")
		case e.Name == metadataKey:
			return nil, bad("the name is reserved by the format")
		case !utf8.ValidString(e.Name):
			return nil, bad("the name is not valid UTF-8")
		case !e.DType.Plain():
			return nil, bad("has no dtype")
		case len(e.Shape) > maxDims:
			return nil, bad(fmt.Sprintf("has %d dimensions, more than %d", len(e.Shape), maxDims))
		}
		size, ok := tensor.ByteCount(e.DType, e.Shape)
		if !ok || int64(size) > room {
			return nil, bad(fmt.Sprintf("shape %v does not fit a file", e.Shape))
		}
		room -= int64(size)
		dtype, err := safetensors.ParseDType(e.DType.String())
		if err != nil {
			return nil, bad(err.Error())
		}
		shape := make([]uint64, len(e.Shape)) // never nil: the library would write null for a scalar
		for i, d := range e.Shape {
			shape[i] = uint64(d)
		}
		views[e.Name] = headerView{dtype, shape, uint64(size)}
	}
	return views, nil
}

// dataOrder returns the entries in the order of their data: alignment descending, then name.
func dataOrder(entries []Entry) []Entry {
	return slices.SortedFunc(slices.Values(entries), func(a, b Entry) int {
		return cmp.Or(cmp.Compare(b.DType, a.DType), cmp.Compare(a.Name, b.Name))
	})
}

// encodeHeader spells the header with its keys in the given order, where the library would sort them by name.
func encodeHeader(entries []Entry, infos map[string]*safetensors.TensorInfo, metadata map[string]string) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, lengthSize))
	b.WriteByte('{')
	if len(metadata) > 0 {
		if err := encodeMember(b, metadataKey, metadata); err != nil {
			return nil, err
		}
	}
	for _, e := range entries {
		if err := encodeMember(b, e.Name, infos[e.Name]); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	size := b.Len() - lengthSize
	if size > maxHeader {
		return nil, fmt.Errorf("safetensors: names and metadata take %d bytes, more than the %d a header may have", size, maxHeader)
	}
	binary.LittleEndian.PutUint64(b.Bytes(), uint64(size))
	return b.Bytes(), nil
}

// encodeMember appends one member to the JSON object that b ends in.
func encodeMember(b *bytes.Buffer, key string, value any) error {
	if !bytes.HasSuffix(b.Bytes(), []byte("{")) {
		b.WriteByte(',')
	}
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false) // the reference writes names as they are
	for _, part := range []struct {
		value any
		after string
	}{{key, ":"}, {value, ""}} {
		if err := enc.Encode(part.value); err != nil {
			return fmt.Errorf("safetensors: encode header: %w", err)
		}
		b.Truncate(b.Len() - 1) // the encoder's newline
		b.WriteString(part.after)
	}
	return nil
}
