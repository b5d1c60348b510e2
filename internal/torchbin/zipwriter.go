package torchbin

import (
	"hash/crc32"
	"io"
)

// zipWriter writes stored records one after another, byte for byte as torch.save does (miniz and PyTorchStreamWriter in
// caffe2/serialize/inline_container.cc), with one difference: the zip64 header of a record gives its size twice, as the
// format wants, where torch leaves 0 for the second.
type zipWriter struct {
	w     io.Writer
	at    int64 // bytes written
	dir   []byte
	count int
	wide  bool // some record needs zip64

	name         string // of the record that is open
	header, size int64  // its offset and size
	crc          uint32 // of what was written of it
}

// begin writes the header of a record of size bytes, padded so that these begin at a multiple of alignment.
func (z *zipWriter) begin(name string, size int64) error {
	z.name, z.header, z.size, z.crc = name, z.at, size, 0
	extra := z.zip64()
	begin := z.at + sizeLocal + int64(len(name)+len(extra)) + 4
	padding := int((alignment - begin%alignment) % alignment)
	extra = le.AppendUint16(le.AppendUint16(extra, extraPadding), uint16(padding))
	for range padding {
		extra = append(extra, 'Z')
	}
	h := le.AppendUint32(nil, sigLocal)
	h = le.AppendUint16(h, 0) // version needed
	h = le.AppendUint16(h, z.flags())
	h = append(h, make([]byte, 2+4+4+4+4)...) // stored; no time; CRC-32 and sizes follow the bytes
	h = le.AppendUint16(h, uint16(len(name)))
	h = le.AppendUint16(h, uint16(len(extra)))
	return z.write(append(append(h, name...), extra...))
}

// Write writes bytes of the record that is open.
func (z *zipWriter) Write(p []byte) (int, error) {
	z.crc = crc32.Update(z.crc, crc32.IEEETable, p)
	return len(p), z.write(p)
}

// end writes the descriptor that follows a record's bytes, and remembers the record for the directory.
func (z *zipWriter) end() error {
	extra := z.zip64()
	size32, header32 := uint32(min(z.size, max32)), uint32(min(z.header, max32))
	d := le.AppendUint32(z.dir, sigCentral)
	d = append(d, make([]byte, 4)...) // versions
	d = le.AppendUint16(d, z.flags())
	d = append(d, make([]byte, 2+4)...) // stored; no time
	d = le.AppendUint32(d, z.crc)
	d = le.AppendUint32(le.AppendUint32(d, size32), size32)
	d = le.AppendUint16(d, uint16(len(z.name)))
	d = le.AppendUint16(d, uint16(len(extra)))
	d = append(d, make([]byte, 2+2+2+4)...) // comment, disk, attributes
	d = le.AppendUint32(d, header32)
	z.dir = append(append(d, z.name...), extra...)
	z.count++
	if z.size == 0 {
		return nil
	}
	b := le.AppendUint32(le.AppendUint32(nil, sigDescriptor), z.crc)
	if len(extra) > 0 {
		b = le.AppendUint64(le.AppendUint64(b, uint64(z.size)), uint64(z.size))
	} else {
		b = le.AppendUint32(le.AppendUint32(b, size32), size32)
	}
	return z.write(b)
}

// close writes the directory.
func (z *zipWriter) close() error {
	offset, size, count := z.at, int64(len(z.dir)), int64(z.count)
	b := z.dir
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
	return z.write(le.AppendUint16(b, 0))
}

// zip64 returns the extra field for what does not fit 32 bits, empty when all does.
func (z *zipWriter) zip64() []byte {
	var wide []byte
	if z.size >= max32 {
		wide = le.AppendUint64(le.AppendUint64(wide, uint64(z.size)), uint64(z.size))
	}
	if z.header >= max32 {
		wide = le.AppendUint64(wide, uint64(z.header))
	}
	if len(wide) == 0 {
		return nil
	}
	z.wide = true
	return append(le.AppendUint16(le.AppendUint16(nil, extraZip64), uint16(len(wide))), wide...)
}

// flags returns the flags of the record: nothing follows what has no bytes.
func (z *zipWriter) flags() uint16 {
	if z.size == 0 {
		return flagUTF8
	}
	return flagUTF8 | flagDescriptor
}

func (z *zipWriter) write(p []byte) error {
	n, err := z.w.Write(p)
	z.at += int64(n)
	return err
}

// record writes a small record.
func (z *zipWriter) record(name string, content []byte) error {
	if err := z.begin(name, int64(len(content))); err != nil {
		return err
	}
	if _, err := z.Write(content); err != nil {
		return err
	}
	return z.end()
}
