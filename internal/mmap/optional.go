package mmap

import "bytes"

// Optional is a mapped file or, as its zero value, none. Types embed it that can be read from a file and from memory.
type Optional struct{ mapped *File }

// Mapped returns an Optional that has the file m.
func Mapped(m *File) Optional { return Optional{m} }

// OpenParsed maps the file at path and has parse read its bytes, under Guard. If that fails the file is closed. Errors are those of
// Open, Guard and parse.
func OpenParsed(path string, parse func(data []byte) error) (*File, error) {
	m, err := Open(path)
	if err != nil {
		return nil, err
	}
	if err := Guard(func() error { return parse(m.Data()) }); err != nil {
		m.Close() // nothing was written: the parse error is the one that matters
		return nil, err
	}
	return m, nil
}

// SameBytes reports whether two files hold the same bytes. It reads no further than the first that differs, which may fault; see
// Guard. Without a file it is false.
func (o Optional) SameBytes(other Optional) bool {
	return o.mapped != nil && other.mapped != nil && bytes.Equal(o.mapped.Data(), other.mapped.Data())
}

// Paths returns the path of the file that was opened; none for bytes in memory.
func (o Optional) Paths() []string {
	if o.mapped == nil {
		return nil
	}
	return []string{o.mapped.Path()}
}

// ReadAhead asks the operating system to start reading the data, as File.ReadAhead.
func (o Optional) ReadAhead() {
	if o.mapped != nil {
		o.mapped.ReadAhead()
	}
}

// Changed reports whether the file was truncated, rewritten or replaced since it was opened, as File.Changed.
func (o Optional) Changed() error {
	if o.mapped == nil {
		return nil
	}
	return o.mapped.Changed()
}

// Close releases the mapping; what was read from it must not be used afterwards. It does nothing for bytes in memory.
func (o Optional) Close() error {
	if o.mapped == nil {
		return nil
	}
	return o.mapped.Close()
}
