// Package jsonobj reads the small JSON files beside a checkpoint: config.json and shard indexes.
//
// It takes what Python's json module writes, including the bare tokens NaN, Infinity and -Infinity, and is strict where
// encoding/json is not: keys match exactly, text must be valid UTF-8 with paired surrogate escapes, integers and floats
// are distinguished, and nesting stops at MaxDepth. Of a key that is given twice the last value counts, as in Python. Values
// keep their text, so a number of any length and a key of no known meaning can be written back as they were.
package jsonobj

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
)

const (
	// MaxDepth is how deeply arrays and objects may nest, the outermost object included.
	MaxDepth = 1000
	// MaxKeys is how many keys one object may have. A shard index has one for each tensor, a vocabulary one for each token:
	// the largest published ones have 262,144.
	MaxKeys = 1 << 19
)

// Kind is the type of a JSON value. Integers and floats differ by spelling, as in Python: 32 is one, 32.0 the other.
type Kind uint8

// The kinds. NaN, Infinity and -Infinity are Float.
const (
	Null Kind = iota
	Bool
	Integer
	Float
	String
	Array
	Object
)

// Value is one JSON value: its text, known to be well formed, without white space around it. The zero Value is null.
type Value struct{ text string }

// Member is one key of an object and its value.
type Member struct {
	Key   string
	Value Value
}

// Members is an object: its members in file order, each key once.
type Members []Member

// Get returns the value of key. It compares exactly and takes time proportional to the number of members.
func (m Members) Get(key string) (Value, bool) {
	for i := range m {
		if m[i].Key == key {
			return m[i].Value, true
		}
	}
	return Value{}, false
}

// Oddity is something about a text that it is understood in spite of.
type Oddity struct {
	Key  string // that it is about; empty: the whole text
	What string
}

// Parse reads a text that is one JSON object. The error, if any, is a single line without the file's name: the place
// as line and column and what is wrong there, or what the data is if it is not JSON at all.
func Parse(data []byte) (Members, error) {
	members, _, err := ParseNoting(data)
	return members, err
}

// ParseNoting is Parse for a caller that reports what is odd: keys that the object has twice, and a byte order mark.
func ParseNoting(data []byte) (members Members, odd []Oddity, err error) {
	if what := notJSON(data); what != "" {
		return nil, nil, fmt.Errorf("%s", what)
	}
	text, marked := strings.CutPrefix(string(data), bom)
	if marked {
		odd = append(odd, Oddity{What: "starts with a byte order mark, with which transformers refuses the file"})
	}
	s := scanner{s: text}
	if err := s.validUTF8(); err != nil {
		return nil, nil, err
	}
	s.space()
	if s.peek() != '{' {
		return nil, nil, s.errorf("found %s, expected an object starting with {", s.found())
	}
	if members, err = s.members(1); err != nil {
		return nil, nil, err
	}
	s.space()
	if s.pos < len(s.s) {
		return nil, nil, s.errorf("found %s after the end of the object", s.found())
	}
	for _, key := range s.repeated {
		odd = append(odd, Oddity{key, "given twice; the last one counts, as in transformers"})
	}
	return members, odd, nil
}

// ParseValue reads a text that is one JSON value of any kind.
func ParseValue(text string) (Value, error) {
	s := scanner{s: text}
	if err := s.validUTF8(); err != nil {
		return Value{}, err
	}
	s.space()
	start := s.pos
	if err := s.value(0); err != nil {
		return Value{}, err
	}
	end := s.pos
	s.space()
	if s.pos < len(s.s) {
		return Value{}, s.errorf("found %s after the end of the value", s.found())
	}
	return Value{text[start:end]}, nil
}

// Kind returns the type of v.
func (v Value) Kind() Kind {
	if v.text == "" {
		return Null
	}
	switch v.text[0] {
	case 'n':
		return Null
	case 't', 'f':
		return Bool
	case '"':
		return String
	case '[':
		return Array
	case '{':
		return Object
	}
	if strings.ContainsAny(v.text, ".eENI") {
		return Float
	}
	return Integer
}

// Bool returns the value of true and false.
func (v Value) Bool() (value, ok bool) { return v.text == "true", v.Kind() == Bool }

// Int returns an Integer that fits an int.
func (v Value) Int() (int, bool) {
	if v.Kind() != Integer {
		return 0, false
	}
	n, err := strconv.Atoi(v.text)
	return n, err == nil
}

// Float returns the nearest float64 of a number; beyond the range that is an infinity, as in Python.
// The object {"__float__": "Infinity"} (or "-Infinity", "NaN"), which is how transformers 5 writes what JSON
// cannot say, is a number too.
func (v Value) Float() (float64, bool) {
	switch v.Kind() {
	case Integer, Float:
		// NaN and Infinity read as such; ErrRange comes with the infinity wanted, no other error can occur.
		f, _ := strconv.ParseFloat(v.text, 64)
		return f, true
	case Object:
		m, _ := v.Members()
		if len(m) != 1 || m[0].Key != "__float__" {
			return 0, false
		}
		tag, _ := m[0].Value.Text()
		f, known := map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}[tag]
		return f, known
	}
	return 0, false
}

// Text returns the content of a String, escapes resolved.
func (v Value) Text() (string, bool) {
	if v.Kind() != String {
		return "", false
	}
	s := scanner{s: v.text}
	text, err := s.str()
	return text, err == nil
}

// Elems returns the elements of an Array that has at most limit of them.
func (v Value) Elems(limit int) ([]Value, bool) {
	if v.Kind() != Array {
		return nil, false
	}
	var elems []Value
	s := scanner{s: v.text}
	err := s.array(1, func(text string) {
		if len(elems) <= limit {
			elems = append(elems, Value{text})
		}
	})
	return elems, err == nil && len(elems) <= limit
}

// Members returns the members of an Object in file order.
func (v Value) Members() (Members, bool) {
	if v.Kind() != Object {
		return nil, false
	}
	s := scanner{s: v.text}
	members, err := s.members(1)
	return members, err == nil
}

// String describes v for a message: scalars as they are spelled (long ones cut), arrays and objects by their kind.
func (v Value) String() string {
	switch v.Kind() {
	case Null:
		return "null"
	case String:
		text, _ := v.Text()
		return "the string " + badfile.Quote(text)
	case Array:
		return "an array"
	case Object:
		return "an object"
	case Integer, Float:
		if len(v.text) > 40 {
			return v.text[:40] + "…"
		}
	}
	return v.text
}
