package mmap

// Optional is a mapped file or, as its zero value, none. Types embed it that can be read from a file and from memory.
type Optional struct{ mapped *File }

// Mapped returns an Optional that has the file m.
func Mapped(m *File) Optional { return Optional{m} }

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
