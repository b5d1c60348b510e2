package jsonobj

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
)

// encodeUTF16 renders text as UTF-16.
func encodeUTF16(order binary.AppendByteOrder, text string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

func TestSalvage(t *testing.T) {
	const n, both = `n 5`, `n 5|x "y"`
	for _, test := range []struct {
		name, text string
		want       string // key and value of each member
		unread     string
		lost       bool
		damage     string // the first
	}{
		{"nothing wrong", "{\"n\": 5,\n\"x\": \"y\"}\n", both, "", false, ""},
		{"comma at the end", "{\"n\": 5,\n\"x\": \"y\",\n}", both, "", false, "line 3, column 1: found a comma before the }"},
		{"two commas", `{"n": 5,, "x": "y"}`, both, "", false, "line 1, column 9: found ',', expected a key"},
		{"no comma", "{\"n\": 5\n\"x\": \"y\"}", both, "", false, `line 2, column 1: found '"', expected , or }`},
		{"no colon", `{"n" 5, "x": "y"}`, both, "", false, `found '5', expected : after the key "n"`},
		{"semicolons", `{"n"= 5; "x"= "y"}`, both, "", false, "found '=', expected :"},
		{"comments", "// one\n{\"n\": 5, # two\n/* three */ \"x\": \"y\"}", both, "", false, "line 1, column 1: found a comment"},
		{"Python", `{'n': 5, 'x': 'y', 't': True, 'z': None, 'l': (0.0, inf)}`, both + `|t true|z null|l [0.0,Infinity]`, "", false, `found '\'', expected a key in double quotes`},
		{"no quotes", `{n: 5, x: y, d: torch.float16}`, both + `|d "torch.float16"`, "", false, "found 'n', expected a key"},
		{"numbers", `{"a": +1, "b": .5, "c": 1., "d": 1_000, "e": 007, "f": -1e-3, "g": NaN}`,
			`a 1|b 5e-01|c 1e+00|d 1000|e 7|f -1e-3|g NaN`, "", false, "found '+', expected a value"},
		{"typographic quotes", `{“n”: 5, “x”: “y”}`, both, "", false, "expected a key in double quotes"},
		{"a byte order mark", "\ufeff{\"n\": 5}", n, "", false, "byte order mark"},
		{"UTF-16", encodeUTF16(binary.LittleEndian, "\ufeff{\"n\": 5}"), n, "", false, "UTF-16"},
		{"UTF-16 without a mark", encodeUTF16(binary.BigEndian, `{"n": 5}`), n, "", false, "UTF-16"},
		{"Latin-1", "{\"n\": 5, \"x\": \"caf\xe9\"}", n + `|x "caf\u00e9"`, "", false, "byte 0xe9 is not valid UTF-8"},
		{"doubled", `{"n": 4, "x": "y", "n": 5}`, both, "", false, `the key "n" is given twice`},
		{"doubled, the last one bad", `{"n": 4, "x": "y", "n": }`, `x "y"`, "n", false, "expected a value"},
		{"text behind", "{\"n\": 5}\nDone.\n", n, "", false, "line 2, column 1: found 'D' after the end"},
		{"a brace too many", `{"n": 5}}`, n, "", false, "found '}' after the end"},
		{"ended too early", `{"n": 5}, "x": "y"}`, both, "", false, "found ',' after the end"},
		{"twice the same", `{"n": 5}{"n": 5}`, n, "", false, "found '{' after the end"},
		{"two that disagree", `{"n": 5, "x": "y"}{"n": 6, "x": "y"}`, `x "y"`, "n", false, "found '{' after the end"},
		{"settings behind", "{\"n\": 5}\nseed: 3 x: 4", n, "", true, "found 's' after the end"},
		{"text before", "config = {\"n\": 5}", n, "", false, "found 'c' before the object"},
		{"in a list", `[{"n": 5}]`, n, "", false, "found '[' before the object"},
		{"no brace at the start", `"n": 5, "x": "y"}`, both, "", false, "the { at the start is missing"},
		{"no brace at the end", "{\"n\": 5,\n\"x\": \"y\"\n", both, "", false, "line 3, column 1: the file ends inside an object"},
		{"no bracket", `{"l": ["a", "n": 5}`, `l ["a"]|n 5`, "", false, `expected ]`},
		{"no bracket in the end", `{"n": 5, "l": [1, 2}`, n + `|l [1,2]`, "", false, `found '}', expected ]`},
		{"no closing quote", "{\"x\": \"y,\n\"n\": 5}", `x "y"|n 5`, "", false, "line 1, column 10: the string that ends here lacks its closing quote"},
		{"a line break in a string", "{\"x\": \"a\nb\", \"n\": 5}", `x "a\nb"|n 5`, "", false, "control character 0x0a"},
		{"escapes", `{"x": "\q\x41\'\ud800"}`, `x "\\qA'\ufffd"`, "", false, "invalid escape"},

		{"cut behind a comma", "{\"n\": 5,\n", n, "", true, "the file ends"},
		{"cut behind a value", `{"x": "y", "n": 5 `, `x "y"|n 5`, "", true, "the file ends"},
		{"cut in a number", `{"x": "y", "n": 12`, `x "y"`, "n", true, "the file ends"},
		{"cut in a word", `{"n": 5, "x": tru`, n, "x", true, "the file ends"},
		{"cut in a string", `{"n": 5, "x": "y`, n, "x", true, "the file ends inside a string"},
		{"cut in a key", `{"n": 5, "x`, n, "", true, "the file ends inside a string"},
		{"cut behind a key", `{"n": 5, "x":`, n, "x", true, "expected a value"},
		{"cut in a list", `{"n": 5, "l": [0.5, 1`, n, "l", true, "the file ends"},
		{"cut in an object", `{"n": 5, "o": {"a": 1, "b": 2`, n + `|o {"a":1}`, "", true, "the file ends"},
		{"an object that may have taken in keys", "{\"o\": {\"a\": 1, \"n\": 5}\n", `o {"a":1,"n":5}`, "", true, "the file ends"},
		{"a value of nothing known", `{"n": 5, "x": @y}`, n, "x", false, "expected a value"},
		{"a gap", `{"n": 5, ????, "x": "y"}`, both, "", true, "expected a key"},
		{"no JSON", "Entry not found", "", "", true, "expected an object"},
		{"empty", "", "", "", true, "empty file"},
		{"a page", "<html></html>", "", "", true, "HTML"},
	} {
		got := Salvage([]byte(test.text))
		var members []string
		for _, m := range got.Members {
			members = append(members, m.Key+" "+m.Value.Compact())
		}
		if list := strings.Join(members, "|"); list != test.want {
			t.Errorf("%s: read %s, want %s", test.name, list, test.want)
		}
		if unread := strings.Join(got.Unread, "|"); unread != test.unread || got.Lost != test.lost {
			t.Errorf("%s: unread %q, lost %t; want %q, %t", test.name, unread, got.Lost, test.unread, test.lost)
		}
		if (len(got.Damage) == 0) != (test.damage == "") || len(got.Damage) > 0 && !strings.Contains(got.Damage[0], test.damage) {
			t.Errorf("%s: damage %q, want %q first", test.name, got.Damage, test.damage)
		}
	}
}

// FuzzSalvage holds that what is read of any bytes is JSON, and that a sound text is read as it is.
func FuzzSalvage(f *testing.F) {
	for _, seed := range []string{
		`{"n": 5, "x": "y"}`, `{'n': 5, /* c */ x: [1, (2.5, None)], "o": {"__float__": "Infinity"},}`, `{"a": "b`, `{"a": [1, {"b": [`,
		"\xff\xfe{\x00\"\x00", `{"a": 1}{"a": 2}`, `"a": 1}, "b": 2}`, "{\"a\": \"b,\n\"c\": 1}", `{"a": "\ud800\x4\q"}`, "{a=b;c=-.5e+3}",
		strings.Repeat(`{"a":`, 1100), strings.Repeat(`{"a":[`, 600),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got := Salvage(data)
		for _, m := range got.Members {
			if _, err := ParseValue(m.Value.text); err != nil {
				t.Fatalf("%q has the value %q: %v", m.Key, m.Value.text, err)
			}
		}
		sound, odd, err := ParseNoting(data)
		if err != nil || len(odd) > 0 {
			return
		}
		if len(got.Damage) > 0 || got.Lost || len(got.Unread) > 0 || len(got.Members) != len(sound) {
			t.Fatalf("a sound text is damaged: %+v", got)
		}
		for i, m := range sound {
			if same := got.Members[i]; same.Key != m.Key || fmt.Sprint(same.Value) != fmt.Sprint(m.Value) {
				t.Fatalf("%q: %v, read as %q: %v", m.Key, m.Value, same.Key, same.Value)
			}
		}
	})
}
