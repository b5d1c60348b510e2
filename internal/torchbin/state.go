package torchbin

import (
	"bytes"
	"cmp"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/gomamba/gomamba/tensor"
)

// named is an entry of the state dict.
type named struct {
	name value
	view int32
}

// view is a tensor without its name.
type view struct {
	storage        int32
	same           int32 // the first view of the same elements in the same shape
	dtype          tensor.DType
	dense          bool  // elements lie in order without gaps
	offset, size   int   // bytes: of the first element in the storage, and of all elements
	shape, strides value // tuples of ints that were checked
}

// collect finds the state dict in what the pickle made and checks its tensors.
func (f *File) collect(object value, find finder) error {
	dict, err := f.stateDict(object)
	if err != nil {
		return err
	}
	m := f.machine
	count := 0
	m.each(dict, func(_, val value) bool {
		if val.kind() == kindTensor {
			count++
		}
		return count <= maxTensors
	})
	if count > maxTensors {
		return place{f.name, "state_dict"}.unsupported("has more than the %d tensors this program reads", maxTensors)
	}
	f.tensors = make([]named, 0, count)
	views := make(map[value]int32) // by tensor, for one object may have many names
	m.each(dict, func(key, val value) bool {
		switch {
		case val.kind() != kindTensor:
			f.ignore(key)
			return true
		case key.kind() != kindText:
			err = place{f.name, "state_dict"}.bad("the name of a tensor is %s, expected a str", key.kind())
		case key.b() > maxName:
			err = place{f.name, "tensor " + m.quote(key)}.unsupported("has a name of %d bytes, more than the %d this program reads", key.b(), maxName)
		case !utf8.Valid(m.text(key)):
			err = place{f.name, "tensor " + m.quote(key)}.bad("has a name that is not UTF-8")
		default:
			i, ok := views[val]
			if !ok {
				var v view
				if v, err = f.resolve(place{f.name, "tensor " + m.quote(key)}, val, find); err == nil {
					i = int32(len(f.views))
					views[val] = i
					f.views = append(f.views, v)
				}
			}
			f.tensors = append(f.tensors, named{key, i})
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	if err := f.sortNames(); err != nil {
		return err
	}
	return f.findTies()
}

// ignore notes that an entry is left out.
func (f *File) ignore(key value) {
	if f.ignored++; len(f.ignoredKeys) < maxIgnored {
		f.ignoredKeys = append(f.ignoredKeys, key)
	}
}

// stateDict follows the wrappers of trainers from the object down to a dict with tensors. Tensors beside a wrapper, such
// as the state of a random number generator, are not of the model.
func (f *File) stateDict(object value) (value, error) {
	if !object.isDict() {
		return 0, place{file: f.name}.unsupported("holds %s, expected a state_dict: a dict of tensors", f.machine.spell(object))
	}
	wrapped := false
	for range maxWrapped {
		inner := f.unwrap(object)
		if inner == 0 {
			break
		}
		followed := false
		f.machine.each(object, func(key, val value) bool {
			if val != inner || followed {
				f.ignore(key)
			}
			followed = followed || val == inner
			return true
		})
		object, wrapped = inner, true
	}
	tensors := false
	var keys []string
	f.machine.each(object, func(key, val value) bool {
		if tensors = val.kind() == kindTensor; len(keys) < 4 && !tensors {
			keys = append(keys, f.machine.spellKey(key))
		}
		return !tensors
	})
	if tensors || len(keys) == 0 && !wrapped { // an empty state dict is one, too
		return object, nil
	}
	return 0, place{file: f.name}.unsupported("holds no tensors by name, neither in its dict nor under %s or %s; found the keys %s",
		strings.Join(wrappers[:len(wrappers)-1], ", "), wrappers[len(wrappers)-1], strings.Join(keys, ", "))
}

// unwrap returns the dict under the most telling wrapper's name that has tensors or a wrapper's name itself, or 0. In a
// dict without tensors, the only dict of tensors will do under any name.
func (f *File) unwrap(dict value) value {
	found := make([]value, len(wrappers))
	f.machine.each(dict, func(key, val value) bool {
		for i, name := range wrappers {
			if found[i] == 0 && val.isDict() && f.machine.is(key, name) {
				found[i] = val
			}
		}
		return true
	})
	for _, inner := range found {
		if inner != 0 && f.leads(inner, true) {
			return inner
		}
	}
	return f.onlyState(dict)
}

// leads reports whether a dict has a tensor under a name or, if wrappers count, a dict under a wrapper's name.
func (f *File) leads(dict value, wrapped bool) (leads bool) {
	f.machine.each(dict, func(key, val value) bool {
		leads = val.kind() == kindTensor && (wrapped || key.kind() == kindText) ||
			wrapped && val.isDict() && slices.ContainsFunc(wrappers, func(name string) bool { return f.machine.is(key, name) })
		return !leads
	})
	return leads
}

// onlyState returns the only dict of tensors in a dict without tensors, or 0.
func (f *File) onlyState(dict value) (only value) {
	looked := 0
	f.machine.each(dict, func(_, val value) bool {
		if looked++; val.kind() == kindTensor || looked > maxUnknown {
			only = 0
			return false
		}
		if !val.isDict() || val == only || !f.leads(val, false) {
			return true
		}
		if only != 0 {
			only, looked = 0, maxUnknown // there are two
			return false
		}
		only = val
		return true
	})
	return only
}

// sortNames builds the index of names and refuses a name that is there twice.
func (f *File) sortNames() error {
	text := func(i int32) []byte { return f.machine.text(f.tensors[i].name) }
	f.sorted = make([]int32, len(f.tensors))
	for i := range f.sorted {
		f.sorted[i] = int32(i)
	}
	slices.SortFunc(f.sorted, func(a, b int32) int { return bytes.Compare(text(a), text(b)) })
	for i := 1; i < len(f.sorted); i++ {
		if bytes.Equal(text(f.sorted[i-1]), text(f.sorted[i])) {
			return place{f.name, "tensor " + f.machine.quote(f.tensors[f.sorted[i]].name)}.bad("appears twice in the state_dict")
		}
	}
	return nil
}

// findTies finds the views of the same elements and bounds what copies of views that are not dense can take.
func (f *File) findTies() error {
	order := make([]int32, len(f.views))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(f.compare(&f.views[a], &f.views[b]), int(a-b)) })
	copies := 0
	for k, i := range order {
		v := &f.views[i]
		if v.same = i; k > 0 && f.compare(&f.views[order[k-1]], v) == 0 {
			v.same = f.views[order[k-1]].same
			continue
		}
		if v.dense {
			continue
		}
		if v.size > f.size-copies {
			return place{file: f.name}.unsupported("its tensors that are not contiguous would take more memory than the file's %d bytes; "+
				"load it in Python and save contiguous() tensors", f.size)
		}
		copies += v.size
	}
	return nil
}

// compare orders views so that those of the same elements and shape are equal.
func (f *File) compare(a, b *view) int {
	c := cmp.Or(int(a.storage-b.storage), cmp.Compare(a.offset, b.offset), cmp.Compare(a.size, b.size),
		int(a.dtype)-int(b.dtype), slices.Compare(f.machine.tupleItems(a.shape), f.machine.tupleItems(b.shape)))
	if c != 0 || a.dense && b.dense {
		return c
	}
	return slices.Compare(f.machine.tupleItems(a.strides), f.machine.tupleItems(b.strides))
}

// find returns the index of the tensor of that name.
func (f *File) find(name string) (int, bool) {
	i, ok := sort.Find(len(f.sorted), func(i int) int {
		return strings.Compare(name, string(f.machine.text(f.tensors[f.sorted[i]].name)))
	})
	if !ok {
		return 0, false
	}
	return int(f.sorted[i]), true
}

// title returns the name of a tensor.
func (f *File) title(i int) string {
	return string(f.machine.text(f.tensors[i].name))
}
