package jinja

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// decoded reads JSON as values of Render, members in their order.
func decoded(t *testing.T, d *json.Decoder) any {
	token, err := d.Token()
	if err != nil {
		t.Fatal(err)
	}
	switch token := token.(type) {
	case json.Delim:
		var list []any
		var dict Dict
		for d.More() {
			v := decoded(t, d)
			if token == '{' {
				dict = append(dict, Item{v.(string), decoded(t, d)})
			} else {
				list = append(list, v)
			}
		}
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
		if token == '{' {
			return dict
		}
		return list
	case json.Number:
		if n, err := token.Int64(); err == nil {
			return int(n)
		}
		f, err := token.Float64()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	return token
}

// TestAsTransformers renders templates as transformers' apply_chat_template does, and refuses what it refuses.
func TestAsTransformers(t *testing.T) {
	f, err := os.Open("testdata/transformers.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.UseNumber()
	cases := decoded(t, d).([]any)
	if len(cases) < 100 {
		t.Fatalf("%d cases", len(cases))
	}
	now := time.Date(2026, 3, 7, 14, 5, 9, 0, time.UTC)
	for _, c := range cases {
		c := c.(Dict)
		source, want := c[0].Value.(string), c[2].Value
		template, err := Parse(source)
		var got string
		if err == nil {
			got, err = template.renderAt(c[1].Value.(Dict), now)
		}
		switch {
		case want == nil && err == nil:
			t.Errorf("%q\nrendered as %q, transformers refuses it", source, got)
		case want != nil && err != nil:
			t.Errorf("%q\n%v, transformers renders it as %q", source, err, want)
		case want != nil && got != want:
			t.Errorf("%q\nrendered as  %q\nexpected     %q", source, got, want)
		}
	}
}

// TestErrors says where the mistake is, and what a template says itself.
func TestErrors(t *testing.T) {
	for source, want := range map[string]string{
		"a\n{% if x %}\nb":                     "chat template, line 3: the template ends, expected endif",
		"a\n{{ x":                              "chat template, line 2: a tag has no end: expected }}",
		"{{ 'a }}":                             "chat template, line 1: a string has no end",
		"a\n\n{{ x ~ }}":                       "chat template, line 3: unexpected end of the tag: expected a value",
		"{% frob %}":                           `chat template, line 1: unknown tag "frob"`,
		"{% endif %}":                          `chat template, line 1: unknown tag "endif"`,
		"{# a":                                 "chat template, line 1: a comment has no end: expected #}",
		"a\n{{ 'b' | nosuch }}":                `chat template, line 2: there is no filter "nosuch" here`,
		"{{ 1 is nosuch }}":                    `chat template, line 1: there is no test "nosuch" here`,
		"\n{{ messages.x.y }}":                 "chat template, line 2: 'messages' is undefined, so it has no x",
		"{{ 'a' + 1 }}":                        "chat template, line 1: unsupported operand types for +: 'str' and 'int'",
		"{{ nosuch() }}":                       "chat template, line 1: 'nosuch' is undefined, so it cannot be called",
		"{{ raise_exception('roles first') }}": "the chat template refuses: roles first",
		"{% include '/etc/passwd' %}":          "chat template, line 1: include is not for chat templates: they are complete in themselves",
		"{% import 'os' as os %}":              "chat template, line 1: import is not for chat templates: they are complete in themselves",
		"{{ [].append(1) }}":                   "chat template, line 1: 'append' is undefined, so it cannot be called",
		"{{ ''.__class__.__mro__ }}":           "chat template, line 1: '__class__' is undefined, so it has no __mro__",
	} {
		template, err := Parse(source)
		if err == nil {
			_, err = template.Render(nil)
		}
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, expected %s", source, err, want)
		}
		bad, raised := (*Error)(nil), (*RaisedError)(nil)
		if !errors.As(err, &bad) && !errors.As(err, &raised) {
			t.Errorf("%q: an error of type %T", source, err)
		}
	}
}

// TestLimits ends templates that would not end, or would fill the memory.
func TestLimits(t *testing.T) {
	const grow = "{% set ns = namespace(x='a', l=[1]) %}{% for i in range(100000) %}"
	for source, want := range map[string]string{
		"{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}":                                    "",
		"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}":                                                                     "nested too deeply",
		grow + "{% set ns.x = ns.x ~ ns.x %}{% endfor %}":                                                                     "too much memory",
		grow + "{% set ns.l = ns.l + ns.l %}{% endfor %}":                                                                     "too much memory",
		grow + "{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}":                                                                "nested too deeply",
		grow + "{% if loop.index < 60 %}{% set ns.l = [ns.l, ns.l] %}{% endif %}{% endfor %}{{ ns.l == [ns.l[0], ns.l[1]] }}": "",
		"{{ 'a' * 1000000000000 }}":                                                                                           "too much memory",
		"{{ [1] * 1000000000000 }}":                                                                                           "too much memory",
		"{{ 'a'|indent(100000000000) }}":                                                                                      "too much memory",
		"{{ '%1000000000d' % 3 }}":                                                                                            "too wide",
		"{{ [1]|batch(1000000000, 1)|list }}":                                                                                 "too much memory",
		"{{ ('a' * 100000).replace('', 'b' * 100000) }}":                                                                      "too much memory",
		"{{ range(1000000000) }}":                                                                                             "range too big",
		"{% for i in range(10000) %}{{ 'x'*10000 }}{% endfor %}":                                                              "writes more than",
		"{% for i in range(10000) %}{{ a * 1000 }}{% endfor %}":                                                               "writes more than",
		"{{ 2 ** 100000000000 }}":                                                                                             "more than 64 bits",
		"{% set l = range(100000)|list %}{% for i in l %}{{ -1 in l }}{% endfor %}":                                           "runs too long",
		"{% set s = 'a' * 9000000 %}{% for i in range(100000) %}{{ s|length }}{% endfor %}":                                   "too much memory",
		"{{" + strings.Repeat("(", 100_000) + strings.Repeat(")", 100_000) + "}}":                                             "nested too deeply",
		"{{ a" + strings.Repeat("|list", 100_000) + "}}":                                                                      "nested too deeply",
		strings.Repeat("{% if 1 %}", 50_000):                                                                                  "nested too deeply",
		"{{ 1" + strings.Repeat(" if 1", 100_000) + "}}":                                                                      "nested too deeply",
		strings.Repeat("a", maxSource+1):                                                                                      "expected at most",
	} {
		template, err := Parse(source)
		if err == nil {
			_, err = template.Render(Dict{{"a", "b"}})
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: %v, expected %s", source, err, want)
		}
	}
}

// FuzzRender demands of any template that it renders or is refused.
func FuzzRender(f *testing.F) {
	text, err := os.ReadFile("testdata/transformers.json")
	if err != nil {
		f.Fatal(err)
	}
	var cases []struct{ Template string }
	if err := json.Unmarshal(text, &cases); err != nil {
		f.Fatal(err)
	}
	for _, c := range cases {
		f.Add(c.Template)
	}
	messages := []any{Dict{{"role", "user"}, {"content", "Hi"}}, Dict{{"role", "assistant"}, {"content", "Yo"}}}
	f.Fuzz(func(t *testing.T, source string) {
		template, err := Parse(source)
		if err != nil {
			return
		}
		_, _ = template.Render(Dict{{"messages", messages}, {"add_generation_prompt", true}, {"x", 3}, {"l", []any{1, 2.5, nil, "a"}}})
	})
}
