package torchbin

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"sort"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/tensor"
)

// Tree is a file whose pickle is read as it is, not as a state dict.
type Tree struct {
	*File
	root         value
	find         finder
	dicts, lists []run // by dict or list, and in the order in which they were filled
	views        map[value]tensor.Tensor
	copied       int // bytes of tensors that are not contiguous
}

// Object is a value in a Tree.
type Object struct {
	t *Tree
	v value
}

// OpenTree maps the file at path and reads its pickle, as Open does.
func OpenTree(path string) (*Tree, error) {
	var t *Tree
	m, err := mmap.OpenParsed(path, func(data []byte) (err error) {
		t, err = ParseTree(path, data)
		return err
	})
	if err != nil {
		return nil, err
	}
	t.Optional = mmap.Mapped(m)
	return t, nil
}

// ParseTree parses a file of torch.save that is held in data. Errors are those of Open.
func ParseTree(name string, data []byte) (*Tree, error) {
	f, object, find, err := parse(name, data, true)
	if err != nil {
		return nil, err
	}
	return newTree(f, object, find), nil
}

// ParsePickle parses a pickle without storages, at most maxPickle bytes.
func ParsePickle(name string, data []byte) (*Tree, error) {
	f := &File{name: name, size: len(data), machine: &machine{file: name, keep: true, data: data}}
	if len(data) > maxPickle {
		return nil, place{file: name}.unsupported("takes %d bytes, more than the %d this program reads", len(data), maxPickle)
	}
	object, err := f.machine.load()
	if err != nil {
		return nil, err
	}
	if rest := len(data) - f.machine.pos; rest > 0 {
		return nil, place{file: name}.bad("found %s after the pickle's end", badfile.Count(rest, "byte"))
	}
	return newTree(f, object, func(id []value) (int32, int, int, error) {
		return 0, 0, 0, place{f.name, "storage " + f.machine.quote(id[2])}.bad("is missing: the file has none")
	}), nil
}

func newTree(f *File, object value, find finder) *Tree {
	t := &Tree{File: f, root: object, find: find, views: make(map[value]tensor.Tensor)}
	t.dicts, t.lists = f.machine.runs.sorted(), f.machine.listRuns.sorted()
	return t
}

// sorted returns all runs, those of one dict side by side.
func (p *runs) sorted() []run {
	list := make([]run, p.n)
	for i := range list {
		list[i] = *p.at(i)
	}
	slices.SortStableFunc(list, func(a, b run) int { return cmp.Compare(a.dict, b.dict) })
	return list
}

// of calls f for the indices of what a dict or list holds, until it returns false.
func of(list []run, dict int, f func(i int) bool) {
	for _, r := range list[sort.Search(len(list), func(i int) bool { return int(list[i].dict) >= dict }):] {
		if int(r.dict) != dict {
			return
		}
		for k := range int(r.n) {
			if !f(int(r.first) + k) {
				return
			}
		}
	}
}

// Root returns the object of the pickle.
func (t *Tree) Root() Object { return Object{t, t.root} }

// Found reports whether there is such a value; the zero Object is what a dict does not have.
func (o Object) Found() bool { return o.t != nil && o.v.kind() != kindNone }

// IsDict reports whether o is a dict.
func (o Object) IsDict() bool { return o.t != nil && o.v.isDict() }

// IsList reports whether o is a list.
func (o Object) IsList() bool { return o.t != nil && o.v.kind() == kindList }

// IsTensor reports whether o is a tensor.
func (o Object) IsTensor() bool { return o.t != nil && o.v.kind() == kindTensor }

// Class returns the name of the class that o is an instance of, without its module; empty for others.
func (o Object) Class() string {
	if o.t == nil || o.v.kind() != kindObject {
		return ""
	}
	return globals[o.v.b()].name
}

// String describes o in a message.
func (o Object) String() string {
	if o.t == nil {
		return "nothing"
	}
	if class := o.Class(); class != "" {
		return "an instance of " + class
	}
	if o.v.kind() == kindText {
		return o.t.machine.quote(o.v)
	}
	return o.t.machine.spell(o.v)
}

// maxAttributes is how many attributes of an instance are looked at: many instances may share the same ones.
const maxAttributes = 64

// Each calls f for every item of a dict, or attribute of an instance, in order, until it returns false.
func (o Object) Each(f func(key, val Object) bool) {
	switch {
	case o.t == nil:
	case o.v.isDict():
		of(o.t.dicts, o.v.a(), func(i int) bool {
			e := o.t.machine.entries.at(i)
			return f(Object{o.t, e.key}, Object{o.t, e.val})
		})
	case o.v.kind() == kindObject:
		looked := 0
		of(o.t.dicts, o.v.a(), func(i int) bool { // what it was called with and set to
			looked++
			Object{o.t, o.t.machine.entries.at(i).val}.eachOfDict(func(key, val Object) bool {
				if looked++; !f(key, val) {
					looked = maxAttributes
				}
				return looked < maxAttributes
			})
			return looked < maxAttributes
		})
	}
}

// eachOfDict is Each of a dict alone.
func (o Object) eachOfDict(f func(key, val Object) bool) {
	if o.v.isDict() {
		o.Each(f)
	}
}

// Get returns what a dict has under a key, or an instance as an attribute, the last if there are several.
func (o Object) Get(name string) (found Object) {
	o.Each(func(key, val Object) bool {
		if o.t.machine.is(key.v, name) {
			found = val
		}
		return true
	})
	return found
}

// ByName returns what a dict has under names. Get looks through the whole dict each time.
func (o Object) ByName() map[string]Object {
	m := make(map[string]Object)
	o.Each(func(key, val Object) bool {
		if name, ok := key.Text(); ok {
			m[name] = val
		}
		return true
	})
	return m
}

// Given returns the values that a class was called with or that an instance was set to, one after the other.
func (o Object) Given() (list []Object) {
	if o.Class() == "" {
		return nil
	}
	of(o.t.dicts, o.v.a(), func(i int) bool {
		list = append(list, Object{o.t, o.t.machine.entries.at(i).val}.first(maxAttributes-len(list))...)
		return len(list) < maxAttributes
	})
	return list
}

// State returns what an instance was set to last: a dict of its attributes, however many there are.
func (o Object) State() (state Object) {
	if o.Class() == "" {
		return Object{}
	}
	of(o.t.dicts, o.v.a(), func(i int) bool {
		if v := o.t.machine.entries.at(i).val; v.isDict() {
			state = Object{o.t, v}
		}
		return true
	})
	return state
}

// Items returns the items of a list or tuple.
func (o Object) Items() (list []Object) { return o.first(math.MaxInt) }

// first returns no more than n items of a list or tuple.
func (o Object) first(n int) (list []Object) {
	switch {
	case o.t == nil:
	case o.v.kind() == kindTuple:
		for _, v := range o.t.machine.tupleItems(o.v) {
			list = append(list, Object{o.t, v})
		}
	case o.v.kind() == kindList:
		of(o.t.lists, o.v.a(), func(i int) bool {
			list = append(list, Object{o.t, *o.t.machine.listItems.at(i)})
			return len(list) < n
		})
	}
	return list
}

// Text returns a text.
func (o Object) Text() (string, bool) {
	if o.t == nil || o.v.kind() != kindText || o.v.b() > maxName {
		return "", false
	}
	return string(o.t.machine.text(o.v)), true
}

// Int returns an integer.
func (o Object) Int() (int, bool) {
	if o.t == nil {
		return 0, false
	}
	n, ok := o.v.int()
	return int(n), ok && int64(int(n)) == n
}

// Bool returns a bool.
func (o Object) Bool() (on, ok bool) {
	if o.t == nil || o.v.kind() != kindBool {
		return false, false
	}
	return o.v.a() == 1, true
}

// Float returns a number.
func (o Object) Float() (float64, bool) {
	if o.t == nil || o.v.kind() != kindFloat {
		n, ok := o.Int()
		return float64(n), ok
	}
	return math.Float64frombits(binary.BigEndian.Uint64(o.t.machine.data[o.v.a():])), true
}

// Sizes returns a shape or the like: a tuple or list of integers of at least 0.
func (o Object) Sizes() (list []int, ok bool) {
	if o.t == nil || o.v.kind() != kindTuple && o.v.kind() != kindList {
		return nil, false
	}
	list = []int{}
	for _, item := range o.first(maxDims + 1) {
		n, ok := item.Int()
		if !ok || n < 0 || len(list) == maxDims {
			return nil, false
		}
		list = append(list, n)
	}
	return list, true
}

// DType returns a dtype, or that of a tensor.
func (o Object) DType() (tensor.DType, bool) {
	of := o.v
	switch {
	case o.t == nil:
		return 0, false
	case of.kind() == kindTensor:
		args, third := o.t.machine.tensorArgs(of)
		if of = o.t.machine.tupleItems(args[0])[1]; third {
			of = args[6]
		}
	case !o.t.machine.isRole(of, roleDType):
		return 0, false
	}
	d := globals[of.a()].dtype
	return d, d.Plain()
}

// Tensor returns a tensor, which lies in the file or, if it is not contiguous, is a copy. name is for errors. Several that are
// the same object share their data.
func (o Object) Tensor(name string) (tensor.Tensor, error) {
	where := place{"", badfile.Tensor(name)}
	if o.t == nil {
		return tensor.Tensor{}, where.bad("is missing")
	}
	where.file = o.t.name
	if o.v.kind() != kindTensor {
		return tensor.Tensor{}, where.bad("is %s, expected a tensor", o)
	}
	if t, ok := o.t.views[o.v]; ok {
		t.Name = name
		return t, nil
	}
	v, err := o.t.resolve(where, o.v, o.t.find)
	if err != nil {
		return tensor.Tensor{}, err
	}
	if !v.dense {
		if o.t.copied += v.size; o.t.copied > o.t.size {
			return tensor.Tensor{}, where.unsupported("is not contiguous, and such tensors would take more memory than the file's %d bytes", o.t.size)
		}
	}
	t := tensor.Tensor{Name: name, DType: v.dtype, Shape: o.t.ints(v.shape), Data: o.t.data(&v), File: o.t.name}
	o.t.views[o.v] = t
	return t, nil
}
