package main

import (
	"errors"
	"io"
	"slices"
	"testing"
)

// typist is somebody who presses a few keys at a time.
type typist struct{ keys []string }

func (t *typist) Read(b []byte) (int, error) {
	if len(t.keys) == 0 {
		return 0, io.EOF
	}
	n := copy(b, t.keys[0])
	t.keys = t.keys[1:]
	return n, nil
}

func TestLineEditing(t *testing.T) {
	for _, c := range []struct {
		name string
		keys []string
		want []string
		err  error
	}{
		{"left and insert", []string{"fnc", "\x1b[D\x1b[D", "u", "\r", "\x04"}, []string{"func"}, io.EOF},
		{"recall and change", []string{"one\r", "two\r", "\x1b[A\x1b[A", "!\r", "\x04"}, []string{"one", "two", "one!"}, io.EOF},
		{"a pasted text is one line", []string{"\x1b[200~a\nb\nc\x1b[201~", "d\r", "\x04"}, []string{"a\nb\ncd"}, io.EOF},
		{"Ctrl-C drops what is typed", []string{"no", "\x03", "yes\r", "\x04"}, []string{"yes"}, io.EOF},
		{"Ctrl-C drops what is pasted", []string{"\x1b[200~a\nb", "\x1b[201~", "\x03", "yes\r", "\x04"}, []string{"yes"}, io.EOF},
		{"history survives Ctrl-C", []string{"one\r", "x", "\x03", "\x1b[A", "\r", "\x04"}, []string{"one", "one"}, io.EOF},
		{"Ctrl-C in an empty line ends", []string{"one\r", "\x03"}, []string{"one"}, errInterrupt},
		{"Tab completes a command", []string{"/he", "\t", "\r", "\x04"}, []string{"/help"}, io.EOF},
	} {
		e := &editor{in: &keyboard{from: &typist{c.keys}}, out: io.Discard, size: func() (int, int, error) { return 80, 24, nil }}
		var got []string
		var err error
		for err == nil {
			var text string
			if text, err = e.read("> "); err == nil {
				got = append(got, text)
			}
		}
		if !slices.Equal(got, c.want) || !errors.Is(err, c.err) {
			t.Errorf("%s: read %q and %v, expected %q and %v", c.name, got, err, c.want, c.err)
		}
	}
}
