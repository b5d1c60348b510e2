package jsonobj

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/badfile"
)

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "empty file"},
		{" \n\t", "empty file"},
		{"\ufeff", "the end of the file"},
		{"<html>", "HTML"},
		{"\xff\xfe{\x00", "UTF-16"},
		{"version https://git-lfs.github.com/spec/v1\n", "git-lfs"},
		{"[1]", "line 1, column 1: found '[', expected an object"},
		{`{"a":1} x`, `line 1, column 9: found 'x' after the end`},
		{"{\n  \"a\": 1\n  \"b\": 2\n}", `line 3, column 3: found '"', expected , or }`},
		{`{"a" 1}`, `expected : after the key "a"`},
		{`{a:1}`, "expected a key in double quotes"},
		{`{"a":1,}`, "expected a key in double quotes"},
		{`{"a":[1,]}`, "expected a value"},
		{`{"a":nul}`, "expected a value"},
		{`{"a":-}`, "expected a digit"},
		{`{"a":01}`, "expected , or }"},
		{`{"a":1.}`, "expected a digit"},
		{`{"a":1e+}`, "expected a digit"},
		{`{"a":+1}`, "expected a value"},
		{`{"a":-NaN}`, "expected a digit"},
		{`{"a":"x`, "inside a string"},
		{`{"a":"` + "\n" + `"}`, "control character 0x0a"},
		{`{"a":"\x"}`, "invalid escape"},
		{`{"a":"\u12g4"}`, `invalid \u escape`},
		{`{"a":"\u+123"}`, `invalid \u escape`},
		{`{"a":"\ud800"}`, "unpaired surrogate"},
		{`{"a":"\ud800A"}`, "unpaired surrogate"},
		{`{"a":"\udc00\ud800"}`, "unpaired surrogate"},
		{"{\"a\":\"\xc3\"}", "byte 0xc3 is not valid UTF-8"},
		{`{"a":` + strings.Repeat("[", MaxDepth), "nested more than 1000 levels"},
		{strings.Repeat(`{"a":`, MaxDepth+1), "nested more than 1000 levels"},
	} {
		m, err := Parse([]byte(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Parse(%.60q) = %v, %v; want an error with %q", test.text, m, err, test.want)
		}
	}
	var wide strings.Builder
	for i := range MaxKeys + 1 {
		fmt.Fprintf(&wide, `,"%x":0`, i)
	}
	if _, err := Parse([]byte("{" + wide.String()[1:] + "}")); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("more than %d keys", MaxKeys)) {
		t.Errorf("%d keys: %v", MaxKeys+1, err)
	}
	deepest := strings.Repeat(`{"a":`, MaxDepth) + "1" + strings.Repeat("}", MaxDepth)
	if _, err := Parse([]byte(deepest)); err != nil {
		t.Errorf("%d levels: %v", MaxDepth, err)
	}
}

// Python's json module lets the last of two values count, and so does everything that reads config.json by it.
func TestKeysGivenTwice(t *testing.T) {
	m, odd, err := ParseNoting([]byte("\ufeff" + `{"a":1,"é":2,"a":3,"x":{"b":1,"b":2},"\u00e9":4,"a":5}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range m {
		got = append(got, x.Key+" "+x.Value.Compact())
	}
	if want := []string{"a 5", "é 4", `x {"b":1,"b":2}`}; !slices.Equal(got, want) {
		t.Errorf("read as %q, want %q", got, want)
	}
	if x, _ := m[2].Value.Members(); len(x) != 1 || x[0].Value.Compact() != "2" {
		t.Errorf("inside: %v", x)
	}
	if len(odd) != 3 || !strings.Contains(odd[0].What, "byte order mark") || odd[1].Key != "a" || odd[2].Key != "é" {
		t.Errorf("odd about it: %v", odd)
	}
}

func TestValues(t *testing.T) {
	m, err := Parse([]byte(` {"n": null, "t": true, "i": -12, "f": 1E2, "big": 9999999999999999999999, "over": -1e999,
		"nan": NaN, "inf": -Infinity, "tag": {"__float__": "Infinity"}, "notag": {"__float__": "x"},
		"s": "a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00", "list": [1, "two", []], "obj": {"k" : [ 1 ,2 ]}} `))
	if err != nil {
		t.Fatal(err)
	}
	get := func(key string) Value {
		v, ok := m.Get(key)
		if !ok {
			t.Fatalf("no key %q", key)
		}
		return v
	}
	if _, ok := m.Get("I"); ok {
		t.Error("keys must match exactly")
	}
	kinds := map[string]Kind{
		"n": Null, "t": Bool, "i": Integer, "f": Float, "big": Integer, "over": Float, "nan": Float, "inf": Float,
		"s": String, "list": Array, "obj": Object,
	}
	for key, want := range kinds {
		if got := get(key).Kind(); got != want {
			t.Errorf("%s: kind %d, want %d", key, got, want)
		}
	}
	if n, ok := get("i").Int(); n != -12 || !ok {
		t.Errorf("Int = %d, %v", n, ok)
	}
	for _, key := range []string{"f", "big", "t", "n"} {
		if n, ok := get(key).Int(); ok {
			t.Errorf("%s: Int accepted as %d", key, n)
		}
	}
	floats := map[string]float64{"i": -12, "f": 100, "big": 1e22, "over": math.Inf(-1), "inf": math.Inf(-1), "tag": math.Inf(1)}
	for key, want := range floats {
		if f, ok := get(key).Float(); f != want || !ok {
			t.Errorf("%s: Float = %g, %v; want %g", key, f, ok, want)
		}
	}
	if f, ok := get("nan").Float(); !ok || !math.IsNaN(f) {
		t.Errorf("NaN: %g, %v", f, ok)
	}
	for _, key := range []string{"notag", "s", "obj", "n"} {
		if f, ok := get(key).Float(); ok {
			t.Errorf("%s: Float accepted as %g", key, f)
		}
	}
	if s, ok := get("s").Text(); s != "a\"\\/\b\f\n\r\té😀" || !ok {
		t.Errorf("Text = %q, %v", s, ok)
	}
	if e, ok := get("list").Elems(3); !ok || len(e) != 3 || e[1].String() != `the string "two"` || e[2].String() != "an array" {
		t.Errorf("Elems = %v, %v", e, ok)
	}
	if e, ok := get("list").Elems(2); ok {
		t.Errorf("Elems beyond its limit = %v", e)
	}
	if got := get("obj").Compact(); got != `{"k":[1,2]}` {
		t.Errorf("Compact = %s", got)
	}
	if got := string(AppendIndent(nil, get("obj"), 0)); got != "{\n  \"k\": [\n    1,\n    2\n  ]\n}" {
		t.Errorf("AppendIndent = %s", got)
	}
	if got := string(AppendString(nil, "\"\\/\b\x01é😀\x7f")); got != `"\"\\/\b\u0001\u00e9\ud83d\ude00\u007f"` {
		t.Errorf("AppendString = %s", got)
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.json")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := ReadFile(path, 5); string(data) != "12345" || err != nil {
		t.Errorf("ReadFile = %q, %v", data, err)
	}
	var format *badfile.FormatError
	if _, err := ReadFile(path, 4); !errors.As(err, &format) || !strings.Contains(err.Error(), "at most 4") {
		t.Errorf("too large: %v", err)
	}
	if _, err := ReadFile(dir, 5); !errors.As(err, &format) || !strings.Contains(err.Error(), "found a folder") {
		t.Errorf("folder: %v", err)
	}
	if _, err := ReadFile(filepath.Join(dir, "absent"), 5); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
}

// FuzzParse holds the scanner against encoding/json where the two should agree, and writing against reading.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":[1,-0.5e+3,true,false,null,"x\n\u00e9"],"b":{"c":{}}}`, `{"a":NaN,"b":-Infinity}`,
		`{"a":1,"a":2}`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}", "\ufeff{}", `{"a" : [ ] , "b":[[[[[[1,2]]]]]]}`, `{"a":01}`,
		strings.Repeat(`{"a":`, 1001), `{"a":[[]],"b":[{}],"c":"\\\"{[,:"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(data)
		text := strings.TrimPrefix(string(data), bom)
		if err != nil {
			stricter := false // than encoding/json, on purpose
			for _, reason := range []string{"surrogate", "UTF-8", "nested", "more than", "expected an object"} {
				stricter = stricter || strings.Contains(err.Error(), reason)
			}
			if json.Valid([]byte(text)) && !stricter {
				t.Fatalf("encoding/json accepts it, Parse says: %v", err)
			}
			return
		}
		if !strings.Contains(text, "NaN") && !strings.Contains(text, "Infinity") && !json.Valid([]byte(text)) {
			t.Fatal("Parse accepts it, encoding/json does not")
		}
		for _, member := range m {
			compact := member.Value.Compact()
			indented := string(AppendIndent(nil, member.Value, 1))
			for _, form := range []string{compact, indented} {
				v, err := ParseValue(form)
				if err != nil || v.Compact() != compact || v.Kind() != member.Value.Kind() {
					t.Fatalf("%q written as %q reads as %v, %v", member.Value.text, form, v, err)
				}
			}
			key, err := ParseValue(string(AppendString(nil, member.Key)))
			if got, ok := key.Text(); err != nil || !ok || got != member.Key {
				t.Fatalf("key %q reads back as %q, %v", member.Key, got, err)
			}
		}
	})
}
