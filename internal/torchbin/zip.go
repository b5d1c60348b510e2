package torchbin

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gomamba/gomamba/internal/badfile"
)

// record is an entry of a zip archive.
type record struct {
	name       string
	header     uint64 // offset of the local header
	flags      uint16
	method     uint16
	crc        uint32
	size       uint64 // bytes, inflated
	packed     uint64 // bytes as stored
	begin, end int    // of the stored bytes
}

var le = binary.LittleEndian

// place is a part of a file, for errors about it.
type place struct{ file, where string }

func (p place) bad(format string, args ...any) error {
	return &badfile.FormatError{File: p.file, Where: p.where, Detail: fmt.Sprintf(format, args...)}
}

func (p place) unsupported(format string, args ...any) error {
	return &badfile.UnsupportedError{File: p.file, Where: p.where, Detail: fmt.Sprintf(format, args...)}
}

// readZip returns the entries of the archive, in the order of their bytes. Each entry of the directory at the end of the
// file agrees with the header before its bytes, and none overlaps another, so that no other reader of zip files can
// see other records.
func readZip(file string, data []byte) ([]record, error) {
	where := place{file, "zip directory"}
	begin, end, count, err := findDirectory(where, data)
	if err != nil {
		return nil, err
	}
	records := make([]record, 0, min(count, (end-begin)/sizeCentral))
	seen := make(map[string]bool, cap(records))
	for at := begin; len(records) < count; {
		r, n, err := readCentral(where, data[at:end], len(records))
		if err != nil {
			return nil, err
		}
		if err := checkName(place{file, "record " + badfile.Quote(r.name)}, r.name, seen); err != nil {
			return nil, err
		}
		records, at = append(records, r), at+n
		if len(records) == count && at < end {
			return nil, where.bad("found %s after its %s", badfile.Count(end-at, "byte"), badfile.Count(count, "entry"))
		}
	}
	slices.SortFunc(records, func(a, b record) int { return cmp.Compare(a.header, b.header) })
	for i, limit := len(records)-1, begin; i >= 0; i-- {
		r := &records[i]
		if err := readLocal(place{file, "record " + badfile.Quote(r.name)}, data, r, limit); err != nil {
			return nil, err
		}
		limit = int(r.header)
	}
	if count > 0 && records[0].header != 0 {
		return nil, place{file: file}.bad("found %s before the first record of the zip archive", badfile.Count(records[0].header, "byte"))
	}
	return records, nil
}

// findDirectory returns the extent and the number of entries of the directory.
func findDirectory(where place, data []byte) (begin, end, count int, err error) {
	at := endRecord(data)
	if at < 0 {
		return 0, 0, 0, place{file: where.file}.bad("truncated or appended to: a zip archive of %d bytes without a directory at its end; download it again", len(data))
	}
	b := data[at:]
	if le.Uint16(b[4:]) != 0 && le.Uint16(b[4:]) != max16 || le.Uint16(b[6:]) != 0 && le.Uint16(b[6:]) != max16 {
		return 0, 0, 0, where.unsupported("is one part of a split archive")
	}
	local, total := uint64(le.Uint16(b[8:])), uint64(le.Uint16(b[10:]))
	size, offset := uint64(le.Uint32(b[12:])), uint64(le.Uint32(b[16:]))
	end = at
	if l := at - sizeLocator64; l >= sizeEnd64 && le.Uint32(data[l:]) == sigLocator64 {
		end = l - sizeEnd64
		e := data[end:l]
		if le.Uint64(data[l+8:]) != uint64(end) || le.Uint32(e) != sigEnd64 || le.Uint64(e[4:]) != sizeEnd64-12 {
			return 0, 0, 0, where.bad("the zip64 record is not where its locator says")
		}
		wide := [4]uint64{le.Uint64(e[24:]), le.Uint64(e[32:]), le.Uint64(e[40:]), le.Uint64(e[48:])}
		for i, f := range [4]struct{ narrow, full uint64 }{{local, max16}, {total, max16}, {size, max32}, {offset, max32}} {
			if f.narrow != wide[i] && f.narrow != f.full {
				return 0, 0, 0, where.bad("its end says %d and its zip64 record %d", f.narrow, wide[i])
			}
		}
		local, total, size, offset = wide[0], wide[1], wide[2], wide[3]
	}
	switch {
	case local != total:
		return 0, 0, 0, where.bad("has %d of %d entries", local, total)
	case total > maxRecords:
		return 0, 0, 0, where.unsupported("has %d entries, more than the %d this program reads", total, maxRecords)
	case offset > uint64(end) || size != uint64(end)-offset:
		return 0, 0, 0, where.bad("its %s at %d should end at %d, where the directory's end record is", badfile.Count(size, "byte"), offset, end)
	}
	return int(offset), end, int(total), nil
}

// endRecord finds the record that ends the archive, or returns -1. Its comment must reach to the end of the file.
func endRecord(data []byte) int {
	for at, tail := len(data), data[max(0, len(data)-sizeEnd-max16):]; ; {
		i := bytes.LastIndex(tail, []byte("PK\x05\x06"))
		if i < 0 {
			return -1
		}
		at -= len(tail) - i
		if rest := len(data) - at; rest >= sizeEnd && rest-sizeEnd == int(le.Uint16(data[at+20:])) {
			return at
		}
		tail = tail[:i]
	}
}

// readCentral reads entry i of the directory and returns its length too.
func readCentral(where place, b []byte, i int) (r record, n int, err error) {
	if len(b) < sizeCentral || le.Uint32(b) != sigCentral {
		return r, 0, where.bad("entry %d is broken", i)
	}
	r = record{flags: le.Uint16(b[8:]), method: le.Uint16(b[10:]), crc: le.Uint32(b[16:]),
		packed: uint64(le.Uint32(b[20:])), size: uint64(le.Uint32(b[24:])), header: uint64(le.Uint32(b[42:]))}
	nameLen, extraLen := int(le.Uint16(b[28:])), int(le.Uint16(b[30:]))
	if n = sizeCentral + nameLen + extraLen + int(le.Uint16(b[32:])); n > len(b) {
		return r, 0, where.bad("entry %d is broken", i)
	}
	r.name = string(b[sizeCentral:][:nameLen])
	where.where = "record " + badfile.Quote(r.name)
	if err := readZip64(where, b[sizeCentral+nameLen:][:extraLen], &r.size, &r.packed, &r.header); err != nil {
		return r, 0, err
	}
	switch {
	case r.flags&flagEncrypted != 0:
		return r, 0, where.unsupported("is encrypted")
	case r.flags&^flagsKnown != 0:
		return r, 0, where.unsupported("has the flags %#x; of those torch.save sets none but %#x", r.flags, flagsKnown)
	case le.Uint16(b[34:]) != 0:
		return r, 0, where.unsupported("begins in part %d of a split archive", le.Uint16(b[34:]))
	case r.method != methodStore && r.method != methodDeflate:
		return r, 0, where.unsupported("is compressed by method %d; torch.save stores records as they are", r.method)
	case r.method == methodStore && r.packed != r.size:
		return r, 0, where.bad("takes %d bytes in the file for %d, though it is not compressed", r.packed, r.size)
	}
	return r, n, nil
}

// readZip64 replaces each field that is all ones by its value in the zip64 part of extra.
func readZip64(where place, extra []byte, fields ...*uint64) error {
	var wide []byte
	found := false
	for len(extra) >= 4 {
		id, n := le.Uint16(extra), int(le.Uint16(extra[2:]))
		if extra = extra[4:]; n > len(extra) {
			return where.bad("its extra field of %d bytes is cut at %d", n, len(extra))
		}
		if id == extraZip64 {
			if found {
				return where.bad("has two zip64 extra fields")
			}
			wide, found = extra[:n], true
		}
		extra = extra[n:]
	}
	for _, f := range fields {
		if *f != max32 {
			continue
		}
		if len(wide) < 8 {
			return where.bad("has no zip64 extra field for its size or offset")
		}
		*f, wide = le.Uint64(wide), wide[8:]
	}
	return nil
}

// checkName refuses names that are taken, that lead out of a folder, or that readers could take for another.
func checkName(where place, name string, seen map[string]bool) error {
	switch {
	case seen[name]:
		return where.bad("appears twice in the zip archive")
	case !fs.ValidPath(strings.TrimSuffix(name, "/")) || !utf8.ValidString(name) || strings.ContainsAny(name, "\\\x00"):
		return where.bad("has a name that is not a plain path inside the zip archive")
	}
	seen[name] = true
	return nil
}

// readLocal checks the header before a record's bytes and finds the bytes, which must end before limit.
func readLocal(where place, data []byte, r *record, limit int) error {
	if uint64(limit) < sizeLocal || r.header > uint64(limit-sizeLocal) {
		return where.bad("begins at byte %d, expected at most %d: it lies outside the file's records or overlaps the next", r.header, limit-sizeLocal)
	}
	b := data[r.header:limit]
	if le.Uint32(b) != sigLocal {
		return where.bad("has no header at byte %d", r.header)
	}
	nameLen, extraLen := int(le.Uint16(b[26:])), int(le.Uint16(b[28:]))
	room := len(b) - sizeLocal - nameLen - extraLen
	if room < 0 || r.packed > uint64(room) {
		return where.bad("takes %d bytes from byte %d on, expected at most %d: it overlaps the next or reaches beyond the file",
			r.packed, r.header+sizeLocal+uint64(nameLen+extraLen), max(room, 0))
	}
	if name := string(b[sizeLocal:][:nameLen]); name != r.name {
		return where.bad("is called %s in its own header", badfile.Quote(name))
	}
	if flags, method := le.Uint16(b[6:]), le.Uint16(b[8:]); flags != r.flags || method != r.method {
		return where.bad("has flags %#x and method %d in the directory, %#x and %d in its own header", r.flags, r.method, flags, method)
	}
	crc, packed, size := le.Uint32(b[14:]), uint64(le.Uint32(b[18:])), uint64(le.Uint32(b[22:]))
	if err := readZip64(where, b[sizeLocal+nameLen:][:extraLen], &size, &packed); err != nil {
		return err
	}
	r.begin = int(r.header) + sizeLocal + nameLen + extraLen
	r.end = r.begin + int(r.packed)
	if r.flags&flagDescriptor == 0 {
		if crc != r.crc || packed != r.packed || size != r.size {
			return where.bad("has %d bytes with CRC-32 %08x in the directory, %d with %08x in its own header", r.size, r.crc, size, crc)
		}
		return nil
	}
	if crc != 0 && crc != r.crc || packed != 0 && packed != r.packed || size != 0 && size != r.size {
		return where.bad("has %d bytes with CRC-32 %08x in the directory, %d with %08x in its own header", r.size, r.crc, size, crc)
	}
	if !describes(data[r.end:limit], r) {
		return where.bad("has %d bytes with CRC-32 %08x in the directory, something else after its bytes", r.size, r.crc)
	}
	return nil
}

// describes reports whether b begins with a data descriptor of the record: with or without signature, narrow or wide.
func describes(b []byte, r *record) bool {
	crc := le.AppendUint32(nil, r.crc)
	narrow := le.AppendUint32(le.AppendUint32(crc[:4:4], uint32(r.packed)), uint32(r.size))
	wide := le.AppendUint64(le.AppendUint64(crc[:4:4], r.packed), r.size)
	signed := bytes.TrimPrefix(b, []byte("PK\x07\x08"))
	return bytes.HasPrefix(signed, wide) || bytes.HasPrefix(b, wide) ||
		r.size < max32 && r.packed < max32 && (bytes.HasPrefix(signed, narrow) || bytes.HasPrefix(b, narrow))
}
