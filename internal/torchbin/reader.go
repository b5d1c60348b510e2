package torchbin

import (
	"bytes"
	"compress/flate"
	"errors"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/mmap"
)

// File is a parsed checkpoint. Its methods may be used from many goroutines, except Close.
type File struct {
	name          string
	mmap.Optional // none if it was parsed from memory

	size        int      // of the file
	machine     *machine // keeps names and shapes
	storages    []storage
	views       []view
	tensors     []named // in state_dict order
	sorted      []int32 // into tensors, by name
	ignored     int     // entries that were left out, of which these are the first:
	ignoredKeys []value
	inflated    int // bytes of deflated storages
	inflater    io.ReadCloser
}

// storage is a sequence of bytes that tensors share.
type storage struct {
	name string // for errors
	data []byte
	crc  uint32 // 0 when it is not known
}

// Open maps the file at path and reads its pickle and its zip directory; tensor data is not read.
// Errors: *badfile.FormatError for a bad file; *badfile.UnsupportedError for one that asks for more than tensors in
// dicts, or for a form of them that cannot be used; wrapped I/O errors.
func Open(path string) (*File, error) {
	var f *File
	m, err := mmap.OpenParsed(path, func(data []byte) (err error) {
		f, err = Parse(path, data)
		return err
	})
	if err != nil {
		return nil, err
	}
	f.Optional = mmap.Mapped(m)
	return f, nil
}

// Parse parses a whole file held in data, which the tensors then refer to. name stands for the file in errors, which
// are those of Open. Besides data it takes at most 1 MiB and 8 bytes for every byte of pickle.
func Parse(name string, data []byte) (*File, error) {
	f, object, find, err := parse(name, data, false)
	if err != nil {
		return nil, err
	}
	return f, f.collect(object, find)
}

// parse returns the object of a file and what finds its storages. keep is as in machine.
func parse(name string, data []byte, keep bool) (f *File, object value, find finder, err error) {
	f = &File{name: name, size: len(data), machine: &machine{file: name, keep: keep}}
	switch {
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		object, find, err = f.parseZip(data)
	case len(data) > tarMagicAt && bytes.HasPrefix(data[tarMagicAt:], []byte(tarMagic)):
		err = place{file: name}.unsupported("is a tar archive, as the first versions of torch wrote them; load it in Python and save it again")
	case len(data) >= 2 && data[0] == 0x80 && data[1] >= 2 && data[1] <= 5:
		object, find, err = f.parseLegacy(data)
	default:
		err = place{file: name}.bad("%s", identify(data))
	}
	return f, object, find, err
}

// parseZip reads the zip format.
func (f *File) parseZip(data []byte) (object value, find finder, err error) {
	records, err := readZip(f.name, data)
	if err != nil {
		return 0, nil, err
	}
	top, err := findTop(f.name, records)
	if err != nil {
		return 0, nil, err
	}
	below := make(map[string]*record, len(records))
	for i := range records {
		r := &records[i]
		if name, ok := strings.CutPrefix(r.name, top); ok {
			below[name] = r
		}
	}
	if below[recordScript] != nil {
		return 0, nil, place{file: f.name}.unsupported("is a TorchScript archive (torch.jit.save), not a checkpoint; load it in Python and torch.save its state_dict")
	}
	if err := f.checkVersion(data, below); err != nil {
		return 0, nil, err
	}
	if err := f.checkByteOrder(data, below[recordByteOrder]); err != nil {
		return 0, nil, err
	}
	pickle, err := f.readRecord(data, below[recordPickle], maxPickle)
	if err != nil {
		return 0, nil, err
	}
	f.machine.record, f.machine.data = recordPickle, pickle
	object, err = f.machine.load()
	if err != nil {
		return 0, nil, err
	}
	if rest := len(pickle) - f.machine.pos; rest > 0 {
		return 0, nil, place{f.name, recordPickle}.bad("found %s after the pickle's end", badfile.Count(rest, "byte"))
	}
	return object, f.zipStorages(data, below), nil
}

// checkVersion refuses the zip formats that PyTorch would not read. Only the first files of the format lack a version.
func (f *File) checkVersion(data []byte, below map[string]*record) error {
	r := below[recordVersion]
	if r == nil {
		return nil
	}
	text, err := f.readRecord(data, r, maxSmall)
	if err != nil {
		return err
	}
	where := place{f.name, "record " + badfile.Quote(r.name)}
	switch v, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); {
	case err != nil:
		return where.bad("says %s, expected the version of the format, a number", badfile.Quote(string(text)))
	case v < 1 || v > maxVersion:
		return where.unsupported("says %d, expected a version of the format from 1 to %d", v, maxVersion)
	}
	return nil
}

// checkByteOrder refuses what a big-endian machine wrote. Before torch 2.1 there was no such record, nil here.
func (f *File) checkByteOrder(data []byte, r *record) error {
	if r == nil {
		return nil
	}
	order, err := f.readRecord(data, r, maxSmall)
	if err != nil {
		return err
	}
	switch where := (place{f.name, "record " + badfile.Quote(r.name)}); string(order) {
	case "little":
		return nil
	case "big":
		return where.unsupported("says big-endian, and only little-endian files are read; load it in Python and save it on another machine")
	default:
		return where.bad("says %s, expected little", badfile.Quote(string(order)))
	}
}

// findTop returns the folder that has a data.pkl, with a slash.
func findTop(file string, records []record) (string, error) {
	top := ""
	for _, r := range records {
		folder, ok := strings.CutSuffix(r.name, "/"+recordPickle)
		switch {
		case !ok || strings.Contains(folder, "/"):
		case top != "":
			return "", place{file: file}.bad("has two pickles, %s and %s", badfile.Quote(top+recordPickle), badfile.Quote(r.name))
		default:
			top = folder + "/"
		}
	}
	if top != "" {
		return top, nil
	}
	found := "and holds nothing"
	if len(records) > 0 {
		found = "and begins with " + badfile.Quote(records[0].name)
	}
	return "", place{file: file}.bad("is a zip archive without a data.pkl in a top folder, so not of torch.save, %s", found)
}

// readRecord returns the bytes of a small record, inflated if needed, of at most limit bytes.
func (f *File) readRecord(data []byte, r *record, limit int) ([]byte, error) {
	where := place{f.name, "record " + badfile.Quote(r.name)}
	if r.size > uint64(limit) {
		return nil, where.unsupported("takes %d bytes, more than the %d this program reads", r.size, limit)
	}
	content := data[r.begin:r.end:r.end]
	if r.method == methodDeflate {
		// A record that is thousands of times its own size is a bomb: the weights beside a true one take more.
		if most := uint64(len(data) + 1<<16); r.size > most {
			return nil, where.bad("inflates to %d bytes in a file of %d", r.size, len(data))
		}
		var err error
		if content, err = f.inflate(where, content, int(r.size)); err != nil {
			return nil, err
		}
	}
	return content, checkSum(where, r.crc, crc32.ChecksumIEEE(content))
}

// inflate returns the inflated content, whose size the caller has bounded.
func (f *File) inflate(where place, content []byte, size int) ([]byte, error) {
	if f.inflater == nil { // takes 40 kB
		f.inflater = flate.NewReader(nil)
	}
	if err := f.inflater.(flate.Resetter).Reset(bytes.NewReader(content), nil); err != nil {
		return nil, where.bad("%v", err)
	}
	out := make([]byte, size+1) // one more byte shows that there is more
	n, err := io.ReadFull(f.inflater, out)
	switch {
	case err == nil:
		return nil, where.bad("inflates to %d bytes or more, expected %d", n, size)
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, where.bad("is damaged: %v; download the file again", err)
	case n != size:
		return nil, where.bad("inflates to %d bytes, expected %d", n, size)
	}
	return out[:n:n], nil
}

// inflateStorage returns the bytes of a deflated storage. Tensors are used where they lie, so those of such a file take memory;
// torch.save deflates nothing, but some people repack its archives. All together are bounded by the size of the file.
func (f *File) inflateStorage(data []byte, r *record) ([]byte, error) {
	if most := min(4*min(len(data), maxInflated)+1<<19, maxInflated); r.size > uint64(most-f.inflated) {
		return nil, place{f.name, "record " + badfile.Quote(r.name)}.unsupported("is compressed, and what is compressed would take more than "+
			"%d bytes of memory; load the file in Python and torch.save it again", most)
	}
	f.inflated += int(r.size)
	return f.readRecord(data, r, maxInflated)
}

// finder returns the index of the storage that a persistent id asks for, and where in its bytes what it asks for lies.
type finder func(id []value) (index int32, begin, end int, err error)

// zipStorages finds storages in the records data/0, data/1 and so on.
func (f *File) zipStorages(data []byte, below map[string]*record) finder {
	index := make(map[string]int32)
	return func(id []value) (int32, int, int, error) {
		where := place{f.name, "storage " + f.machine.quote(id[2])}
		key := f.machine.text(id[2])
		i, ok := index[string(key)]
		if !ok {
			r := below[prefixStorage+string(key)]
			if r == nil {
				return 0, 0, 0, where.bad("is missing: the zip archive has no record for it")
			}
			where.where = "record " + badfile.Quote(r.name)
			content := data[r.begin:r.end:r.end]
			if r.method != methodStore {
				var err error
				if content, err = f.inflateStorage(data, r); err != nil {
					return 0, 0, 0, err
				}
			}
			i = int32(len(f.storages))
			index[string(key)] = i
			f.storages = append(f.storages, storage{where.where, content, r.crc})
		}
		have := len(f.storages[i].data)
		if want, ok := f.storageSize(id); !ok || want != have {
			return 0, 0, 0, where.bad("has %s, expected %s", badfile.Count(have, "byte"), f.describeStorage(id))
		}
		return i, 0, have, nil
	}
}
