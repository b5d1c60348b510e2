package torchbin

import (
	"hash/crc32"
	"io"
)

// zipWriter lays out stored records one after another, byte for byte as torch.save does (miniz and PyTorchStreamWriter in
// caffe2/serialize/inline_container.cc), with one difference: the zip64 header of a record gives its size twice, as the
// format wants, where torch leaves 0 for the second.
type zipWriter struct {
	w       io.WriterAt
	at      int64 // where the next record begins
	records []*zipRecord
	wide    bool // some record needs zip64
}

// zipRecord is a record whose header is written.
type zipRecord struct {
	name         string
	header, size int64 // offset, and bytes of the content
	begin        int64 // offset of the content
	crc          uint32
}

// add writes the header of a record of size bytes, padded so that these begin at a multiple of alignment, and leaves
// room for them and for the descriptor that follows.
func (z *zipWriter) add(name string, size int64) (*zipRecord, error) {
	r := &zipRecord{name: name, header: z.at, size: size}
	extra := z.zip64(r)
	begin := z.at + sizeLocal + int64(len(name)+len(extra)) + 4
	padding := int((alignment - begin%alignment) % alignment)
	extra = le.AppendUint16(le.AppendUint16(extra, extraPadding), uint16(padding))
	for range padding {
		extra = append(extra, 'Z')
	}
	h := le.AppendUint32(nil, sigLocal)
	h = le.AppendUint16(h, 0) // version needed
	h = le.AppendUint16(h, r.flags())
	h = append(h, make([]byte, 2+4+4+4+4)...) // stored; no time; CRC-32 and sizes follow the bytes
	h = le.AppendUint16(h, uint16(len(name)))
	h = le.AppendUint16(h, uint16(len(extra)))
	h = append(append(h, name...), extra...)
	if _, err := z.w.WriteAt(h, z.at); err != nil {
		return nil, err
	}
	r.begin = z.at + int64(len(h))
	z.at = r.begin + size + int64(len(r.descriptor()))
	z.records = append(z.records, r)
	return r, nil
}

// record writes a small record.
func (z *zipWriter) record(name string, content []byte) error {
	r, err := z.add(name, int64(len(content)))
	if err != nil {
		return err
	}
	r.crc = crc32.ChecksumIEEE(content)
	_, err = z.w.WriteAt(content, r.begin)
	return err
}

// descriptor returns what follows the bytes of a record: nothing if there are none.
func (r *zipRecord) descriptor() []byte {
	if r.size == 0 {
		return nil
	}
	b := le.AppendUint32(le.AppendUint32(nil, sigDescriptor), r.crc)
	if r.size >= max32 || r.header >= max32 {
		return le.AppendUint64(le.AppendUint64(b, uint64(r.size)), uint64(r.size))
	}
	return le.AppendUint32(le.AppendUint32(b, uint32(r.size)), uint32(r.size))
}

// central returns the entry of a record in the directory.
func (z *zipWriter) central(r *zipRecord) []byte {
	extra := z.zip64(r)
	size32, header32 := uint32(min(r.size, max32)), uint32(min(r.header, max32))
	d := le.AppendUint32(nil, sigCentral)
	d = append(d, make([]byte, 4)...) // versions
	d = le.AppendUint16(d, r.flags())
	d = append(d, make([]byte, 2+4)...) // stored; no time
	d = le.AppendUint32(d, r.crc)
	d = le.AppendUint32(le.AppendUint32(d, size32), size32)
	d = le.AppendUint16(d, uint16(len(r.name)))
	d = le.AppendUint16(d, uint16(len(extra)))
	d = append(d, make([]byte, 2+2+2+4)...) // comment, disk, attributes
	d = le.AppendUint32(d, header32)
	return append(append(d, r.name...), extra...)
}

// close writes the descriptors, now that the checksums are known, and the directory.
func (z *zipWriter) close() error {
	var b []byte
	for _, r := range z.records {
		if d := r.descriptor(); d != nil {
			if _, err := z.w.WriteAt(d, r.begin+r.size); err != nil {
				return err
			}
		}
		b = append(b, z.central(r)...)
	}
	offset, size, count := z.at, int64(len(b)), int64(len(z.records))
	if z.wide || offset >= max32 || size >= max32 || count >= max16 {
		end := uint64(offset + size)
		b = le.AppendUint64(le.AppendUint32(b, sigEnd64), sizeEnd64-12)
		b = le.AppendUint16(le.AppendUint16(b, 0x031e), 45) // versions
		b = append(b, make([]byte, 4+4)...)                 // disks
		b = le.AppendUint64(le.AppendUint64(b, uint64(count)), uint64(count))
		b = le.AppendUint64(le.AppendUint64(b, uint64(size)), uint64(offset))
		b = le.AppendUint32(le.AppendUint32(b, sigLocator64), 0)
		b = le.AppendUint32(le.AppendUint64(b, end), 1)
	}
	b = append(le.AppendUint32(b, sigEnd), make([]byte, 4)...)
	b = le.AppendUint16(le.AppendUint16(b, uint16(min(count, max16))), uint16(min(count, max16)))
	b = le.AppendUint32(le.AppendUint32(b, uint32(min(size, max32))), uint32(min(offset, max32)))
	b = le.AppendUint16(b, 0)
	z.at += int64(len(b))
	_, err := z.w.WriteAt(b, offset)
	return err
}

// zip64 returns the extra field for what does not fit 32 bits, empty when all does.
func (z *zipWriter) zip64(r *zipRecord) []byte {
	var wide []byte
	if r.size >= max32 {
		wide = le.AppendUint64(le.AppendUint64(wide, uint64(r.size)), uint64(r.size))
	}
	if r.header >= max32 {
		wide = le.AppendUint64(wide, uint64(r.header))
	}
	if len(wide) == 0 {
		return nil
	}
	z.wide = true
	return append(le.AppendUint16(le.AppendUint16(nil, extraZip64), uint16(len(wide))), wide...)
}

// flags returns the flags of the record: nothing follows an empty record.
func (r *zipRecord) flags() uint16 {
	if r.size == 0 {
		return flagUTF8
	}
	return flagUTF8 | flagDescriptor
}
