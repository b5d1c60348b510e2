package tokenizer

import (
	"fmt"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// maxList bounds the lists of a tokenizer.json; merges are the longest.
const maxList = 1 << 21

// object is a JSON object of a file, with its place there for messages. It keeps the first error, after which every
// field is empty.
type object struct {
	where   string
	members jsonobj.Members
	err     *error
}

func (o object) fail(key, format string, args ...any) {
	if *o.err == nil {
		*o.err = &badfile.FormatError{Where: o.where + key, Detail: fmt.Sprintf(format, args...)}
	}
}

// unsupported says that the file is fine, and asks for something else than this program has.
func (o object) unsupported(key, format string, args ...any) {
	if *o.err == nil {
		*o.err = &badfile.UnsupportedError{Where: o.where + key, Detail: fmt.Sprintf(format, args...)}
	}
}

// get returns a value that is there and not null.
func (o object) get(key string) (jsonobj.Value, bool) {
	v, ok := o.members.Get(key)
	return v, ok && v.Kind() != jsonobj.Null
}

func (o object) text(key, otherwise string) string {
	v, ok := o.get(key)
	if !ok {
		return otherwise
	}
	s, ok := v.Text()
	if !ok {
		o.fail(key, "found %s, expected a string", v)
	}
	return s
}

func (o object) flag(key string, otherwise bool) bool {
	v, ok := o.get(key)
	if !ok {
		return otherwise
	}
	b, ok := v.Bool()
	if !ok {
		o.fail(key, "found %s, expected true or false", v)
	}
	return b
}

func (o object) count(key string) int {
	v, ok := o.get(key)
	if !ok {
		return 0
	}
	n, ok := v.Int()
	if !ok || n < 0 {
		o.fail(key, "found %s, expected a whole number of at least 0", v)
	}
	return max(n, 0)
}

// object returns the object of a key. ok is false where there is none.
func (o object) object(key string) (inner object, ok bool) {
	v, ok := o.get(key)
	if !ok {
		return object{}, false
	}
	return o.as(key, v), true
}

// as takes a value for an object.
func (o object) as(key string, v jsonobj.Value) object {
	inner := object{where: o.where + key + ".", err: o.err}
	var ok bool
	if inner.members, ok = v.Members(); !ok {
		o.fail(key, "found %s, expected an object", v)
	}
	return inner
}

// list returns the elements of an array, none where there is none.
func (o object) list(key string) []jsonobj.Value {
	v, ok := o.get(key)
	if !ok {
		return nil
	}
	elems, ok := v.Elems(maxList)
	if !ok {
		o.fail(key, "found %s, expected an array of at most %d elements", v, maxList)
	}
	return elems
}

// objects returns the elements of an array of objects.
func (o object) objects(key string) []object {
	list := o.list(key)
	all := make([]object, 0, len(list))
	for i, v := range list {
		all = append(all, o.as(fmt.Sprintf("%s[%d]", key, i), v))
	}
	return all
}
