package gguf

import (
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/mmap"
)

// KVs returns all keys and values in the order of the file. The slice must not be changed.
// The keys that split a model belong to the file it came from: leave them out of a new one.
func (f *File) KVs() []KV { return f.kvs }

// Keys returns all keys in the order of the file.
func (f *File) Keys() []string {
	keys := make([]string, len(f.kvs))
	for i, kv := range f.kvs {
		keys[i] = kv.Key
	}
	return keys
}

// Lookup returns the value of a key.
func (f *File) Lookup(key string) (Value, bool) {
	i, ok := f.keys[key]
	if !ok {
		return Value{}, false
	}
	return f.kvs[i].Value, true
}

// get decodes the value of a key, naming file and key when that fails.
func get[T any](f *File, key, want string, decode func(Value) (T, error)) (x T, err error) {
	v, ok := f.Lookup(key)
	if !ok {
		return x, f.keyError(key, "missing, expected "+want)
	}
	err = mmap.Guard(func() error {
		var bad error
		if x, bad = decode(v); bad != nil {
			return f.keyError(key, bad.Error())
		}
		return nil
	})
	return x, err
}

func (f *File) keyError(key, detail string) error {
	return &badfile.FormatError{File: f.name, Where: "key " + badfile.Quote(key), Detail: detail}
}

// The getters below return the value of a key as the method of Value of that name does. When the key is missing or
// its value of another kind, the error is a *badfile.FormatError that names file and key, what was found and expected.

// Int returns an integer of any width.
func (f *File) Int(key string) (int64, error) { return get(f, key, wantInt, Value.Int) }

// Uint returns a non-negative integer of any width.
func (f *File) Uint(key string) (uint64, error) { return get(f, key, wantUint, Value.Uint) }

// Float returns an f32 or f64.
func (f *File) Float(key string) (float64, error) { return get(f, key, wantFloat, Value.Float) }

// Bool returns a bool.
func (f *File) Bool(key string) (bool, error) { return get(f, key, wantBool, Value.Bool) }

// Str returns a string.
func (f *File) Str(key string) (string, error) { return get(f, key, wantString, Value.Str) }

// Ints returns an array of integers of any width.
func (f *File) Ints(key string) ([]int64, error) { return get(f, key, wantInts, Value.Ints) }

// Floats returns an array of f32 or f64.
func (f *File) Floats(key string) ([]float64, error) { return get(f, key, wantFloats, Value.Floats) }

// Bools returns an array of bools.
func (f *File) Bools(key string) ([]bool, error) { return get(f, key, wantBools, Value.Bools) }

// Strings returns an array of strings.
func (f *File) Strings(key string) ([]string, error) { return get(f, key, wantStrings, Value.Strings) }
