package torchbin

import (
	"fmt"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/tensor"
)

// region is where a storage lies in a file of the old format.
type region struct {
	id    []value // of its first mention
	index int32   // into File.storages, -1 until it is found
}

// parseLegacy reads the old format.
func (f *File) parseLegacy(data []byte) (object value, find finder, err error) {
	m := f.machine
	m.data, m.legacy, m.asked = data[:min(len(data), maxPickle)], true, new(pages[value])
	magic, err := m.load()
	if err != nil {
		return 0, nil, err
	}
	if magic.kind() != kindBig || string(m.text(magic)) != legacyMagic {
		return 0, nil, place{file: f.name}.bad("is a pickle but not of torch.save: it begins with %s, expected a magic number", m.spell(magic))
	}
	version, err := m.load()
	if err != nil {
		return 0, nil, err
	}
	if n, ok := version.int(); !ok || n != legacyVersion {
		return 0, nil, place{file: f.name}.unsupported("has version %s, expected %d", m.spell(version), legacyVersion)
	}
	system, err := m.load()
	if err != nil {
		return 0, nil, err
	}
	if err := f.checkSystem(system); err != nil {
		return 0, nil, err
	}
	object, err = m.load()
	if err != nil {
		return 0, nil, err
	}
	m.listed = new(pages[value])
	keys, err := m.load()
	if err != nil {
		return 0, nil, err
	}
	if keys.kind() != kindList {
		return 0, nil, place{file: f.name}.bad("has %s where the list of storage keys belongs", keys.kind())
	}
	find, err = f.legacyStorages(data)
	return object, find, err
}

// checkSystem refuses what a big-endian machine wrote.
func (f *File) checkSystem(system value) (err error) {
	where := place{f.name, "system information"}
	if !system.isDict() {
		return where.bad("is %s, expected a dict", system.kind())
	}
	f.machine.each(system, func(key, val value) bool {
		if f.machine.is(key, "little_endian") && val != pack(kindBool, 1, 0) {
			err = where.unsupported("says big-endian, and only little-endian files are read; load it in Python and save it on another machine")
		}
		return err == nil
	})
	return err
}

// legacyStorages walks the storages that follow the pickles, which must be those the pickle asked for.
func (f *File) legacyStorages(data []byte) (finder, error) {
	m := f.machine
	regions := make(map[string]*region)
	for i := range m.asked.n {
		id := m.tupleItems(*m.asked.at(i))
		if key := m.text(id[2]); regions[string(key)] == nil {
			regions[string(key)] = &region{id, -1}
		}
	}
	at := m.pos
	for i := range m.listed.n {
		key := *m.listed.at(i)
		if key.kind() != kindText {
			return nil, place{f.name, "storage keys"}.bad("hold %s, expected a str", key.kind())
		}
		where := place{f.name, "storage " + m.quote(key)}
		r := regions[string(m.text(key))]
		switch {
		case r == nil:
			return nil, where.bad("is in the list of keys and belongs to no tensor")
		case r.index >= 0:
			return nil, where.bad("appears twice in the list of keys")
		case len(data)-at < 8:
			return nil, where.bad("truncated: needs 8 bytes at byte %d, file has %d; download it again", at, len(data))
		}
		count := le.Uint64(data[at:])
		at += 8
		size, ok := f.storageSize(r.id)
		if n, _ := r.id[4].int(); !ok || count != uint64(n) {
			return nil, where.bad("has %s, expected %s", badfile.Count(count, "element"), f.describeStorage(r.id))
		}
		if size > len(data)-at {
			return nil, where.bad("truncated: needs %s at byte %d, file has %d; download it again", badfile.Count(size, "byte"), at, len(data))
		}
		r.index = int32(len(f.storages))
		f.storages = append(f.storages, storage{name: where.where, data: data[at : at+size : at+size]})
		at += size
	}
	if at < len(data) {
		return nil, place{file: f.name}.bad("found %s after the last storage", badfile.Count(len(data)-at, "byte"))
	}
	return func(id []value) (int32, int, int, error) { return f.findRegion(regions[string(m.text(id[2]))], id) }, nil
}

// findRegion is the finder of the old format; r is the region of the id's key, which is there.
func (f *File) findRegion(r *region, id []value) (index int32, begin, end int, err error) {
	where := place{f.name, "storage " + f.machine.quote(id[2])}
	if r.index < 0 {
		return 0, 0, 0, where.bad("is missing: it is not in the list of keys")
	}
	end = len(f.storages[r.index].data)
	if want, ok := f.storageSize(id); !ok || want != end {
		return 0, 0, 0, where.bad("has %s, expected %s", badfile.Count(end, "byte"), f.describeStorage(id))
	}
	if id[5].kind() == kindNone {
		return r.index, 0, end, nil
	}
	// A storage that is a part of another: key, first element, elements.
	part := f.machine.tupleItems(id[5])
	first, ok1 := part[1].int()
	count, ok2 := part[2].int()
	size := int64(globals[id[1].a()].size)
	if all := int64(end) / size; !ok1 || !ok2 || first < 0 || count < 0 || first > all || count > all-first {
		return 0, 0, 0, where.bad("its view does not lie inside its %s", badfile.Count(end, "byte"))
	}
	return r.index, int(first * size), int((first + count) * size), nil
}

// storageSize returns the bytes of the storage with this persistent id.
func (f *File) storageSize(id []value) (int, bool) {
	n, _ := id[4].int() // persistentID made sure
	if int64(int(n)) != n {
		return 0, false
	}
	return tensor.Count([]int{int(n), globals[id[1].a()].size})
}

// describeStorage says what a persistent id asks for.
func (f *File) describeStorage(id []value) string {
	n, _ := id[4].int()
	return fmt.Sprintf("%s of %s (%s)", badfile.Count(n, "element"), badfile.Count(globals[id[1].a()].size, "byte"), &globals[id[1].a()])
}
