package files

import (
	"io/fs"
	"unsafe"
)

// InPlace adds to files embedded in the program what Bytes needs: contents are strings embedded of the same files, which
// the linker keeps once.
func InPlace(files fs.FS, contents map[string]string) fs.FS { return inPlace{files, contents} }

type inPlace struct {
	fs.FS
	contents map[string]string
}

func (p inPlace) Open(name string) (fs.File, error) {
	f, err := p.FS.Open(name)
	content, ok := p.contents[name]
	if err != nil || !ok {
		return f, err
	}
	return lying{f, content}, nil
}

// lying is a file whose content is in memory.
type lying struct {
	fs.File
	content string
}

// Bytes is a view of the string: like it, it must not be changed.
func (f lying) Bytes() []byte { return unsafe.Slice(unsafe.StringData(f.content), len(f.content)) }
