package main

import (
	"io"
	"os"
	"testing"
)

// A terminal gets pictures of what it would obey, however the text is cut, and colours of our own.
func TestConsoleShows(t *testing.T) {
	for _, test := range []struct{ text, shown, strict string }{
		{"plain\tünd 日本\n", "plain\tünd 日本\n", ""},
		{"a\x1b]52;c;x\x07b\x7f", "a␛]52;c;x␇b␡", ""},
		{"line\r\nnext\rover", "line\nnext␍over", ""},
		{"\u009b31m \xff\x9b", "\ufffd31m \ufffd\ufffd", ""},
		{red.sequence() + "x" + tint("").sequence() + "\x1b[35mx", "\x1b[31mx\x1b[0m␛[35mx", "␛[31mx␛[0m␛[35mx"},
		{"cut \xe6\x97", "cut \ufffd", ""},
	} {
		for _, plain := range []bool{false, true} {
			want := test.shown
			if plain && test.strict != "" {
				want = test.strict
			}
			for n := 1; n <= len(test.text); n += len(test.text) - 1 {
				if got := shown(t, test.text, n, plain); got != want {
					t.Errorf("%q in pieces of %d: %q, expected %q", test.text, n, got, want)
				}
			}
		}
	}
}

// shown returns what a terminal gets of a text that is written in pieces of n bytes.
func shown(t *testing.T, text string, n int, plain bool) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := &console{file: w, shows: true, plain: plain}
	for len(text) > 0 {
		piece := text[:min(n, len(text))]
		if _, err := io.WriteString(c, piece); err != nil {
			t.Fatal(err)
		}
		text = text[len(piece):]
	}
	c.end()
	w.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}
