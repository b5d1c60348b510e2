package gguf

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/lazy"
)

// split is what a part says about the whole.
type split struct {
	no      uint64 // of this part, from 0
	count   uint64 // parts; 0 or 1 when the file stands alone
	tensors uint64 // of all parts
}

// MaxParts is how many files a model can be split into: five digits of a file name, 16 bits of a key.
const MaxParts = 1<<16 - 1

// PartPath returns the path of part no, from 0, of a model that path would hold whole.
func PartPath(path string, no, count int) string {
	return strings.TrimSuffix(path, ".gguf") + fmt.Sprintf(partSuffix, no+1, count)
}

const partSuffix = "-%05d-of-%05d.gguf"

// SplitKVs returns the keys of part no, from 0, of a model. They stand behind the others in the first part, and alone in
// the rest.
func SplitKVs(no, count, tensors int) []KV {
	return []KV{
		{splitNoKey, Of(uint16(no))},
		{splitCountKey, Of(uint16(count))},
		{splitTensorsKey, Of(int32(tensors))},
	}
}

// partName is how llama.cpp names the parts of a split model.
var partName = lazy.Regexp(`^(?s)(.*)-(\d{5})-of-(\d{5})\.gguf$`)

// OtherParts lists the files beside path that are parts of the model that path would hold whole, split into another number of
// parts.
func OtherParts(path string, count int) (parts []string) {
	stem := strings.TrimSuffix(filepath.Base(path), ".gguf")
	found, _ := files.Names(filepath.Dir(path), -1) // what cannot be listed holds nothing
	for _, name := range found {
		if m := partName().FindStringSubmatch(name); m != nil && m[1] == stem && m[3] != fmt.Sprintf("%05d", count) {
			parts = append(parts, filepath.Join(filepath.Dir(path), name))
		}
	}
	return parts
}

// split reads the keys of a split model.
func (f *File) split() (s split, err error) {
	if _, ok := f.Lookup(splitCountKey); !ok {
		return s, nil
	}
	if s.count, err = f.Uint(splitCountKey); err != nil || s.count <= 1 {
		return s, err
	}
	if s.no, err = f.Uint(splitNoKey); err != nil {
		return s, err
	}
	if s.tensors, err = f.Uint(splitTensorsKey); err != nil {
		return s, err
	}
	if s.count > MaxParts || s.no >= s.count {
		return s, f.keyError(splitNoKey, fmt.Sprintf("is part %d (from 0) of %d", s.no, s.count))
	}
	return s, nil
}

// checkUnsplit refuses a file whose name says that it is one of several while it does not say so itself:
// alone it would be taken for a whole model.
func checkUnsplit(path string) error {
	m := partName().FindStringSubmatch(filepath.Base(path))
	if m == nil || m[3] <= "00001" {
		return nil
	}
	return &badfile.FormatError{File: path, Where: "key " + badfile.Quote(splitCountKey),
		Detail: fmt.Sprintf("missing or 1, though the name says part %s of %s; rename the file if it is whole", m[2], m[3])}
}

// openSplit opens the other parts of the model that f is a part of. It closes f when it fails.
func openSplit(f *File, s split) (_ *File, err error) {
	parts := make([]*File, s.count)
	parts[s.no] = f
	defer func() {
		if err == nil {
			return
		}
		for _, p := range parts {
			if p != nil {
				p.Close() // nothing was written: the first error is the one that matters
			}
		}
	}()
	suffix := func(no uint64) string { return fmt.Sprintf(partSuffix, no+1, s.count) }
	m := partName().FindStringSubmatch(filepath.Base(f.name))
	if m == nil || "-"+m[2]+"-of-"+m[3]+".gguf" != suffix(s.no) {
		return nil, &badfile.FormatError{File: f.name, Detail: fmt.Sprintf(
			"is part %d of %d of a split model, so its name must end in %s for the others to be found; give it that name",
			s.no+1, s.count, suffix(s.no))}
	}
	for no := range s.count {
		if no == s.no {
			continue
		}
		path := filepath.Join(filepath.Dir(f.name), m[1]+suffix(no))
		if parts[no], err = openPart(path); err != nil {
			return nil, fmt.Errorf("part %d of %d: %w", no+1, s.count, err)
		}
		if err = parts[no].checkPart(f.name, no, s); err != nil {
			return nil, err
		}
	}
	return join(parts, s)
}

// checkPart checks that f is the part no of the model that first is a part of.
func (f *File) checkPart(first string, no uint64, want split) error {
	got, err := f.split()
	if err != nil {
		return err
	}
	if want.no = no; got != want {
		return &badfile.FormatError{File: f.name, Detail: fmt.Sprintf(
			"says it is part %s, %d tensors in all; %s says it is part %s, %d tensors in all",
			partOf(got), got.tensors, badfile.Quote(first), partOf(want), want.tensors)}
	}
	return nil
}

func partOf(s split) string {
	if s.count == 0 {
		return "of nothing"
	}
	return strconv.FormatUint(s.no+1, 10) + " of " + strconv.FormatUint(s.count, 10)
}

// join makes one file of all parts.
func join(parts []*File, s split) (*File, error) {
	whole := *parts[0]
	for _, p := range parts[1:] {
		first := len(whole.tensors)
		whole.tensors = append(whole.tensors, p.tensors...)
		whole.parts = append(whole.parts, p.parts...)
		if err := whole.addIndex(first); err != nil {
			return nil, err
		}
	}
	if n := uint64(len(whole.tensors)); n != s.tensors {
		return nil, parts[0].keyError(splitTensorsKey, fmt.Sprintf("is %d, the %d parts have %d tensors", s.tensors, s.count, n))
	}
	return &whole, nil
}
