package main

import (
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/tokenizer"
)

// A stop string ends a text wherever its pieces fall, is not printed, and what only looked like its beginning is.
func TestStopStrings(t *testing.T) {
	for _, test := range []struct{ text, want, end string }{
		{"one STOP two", "one ", endStop},
		{"one STO two ST", "one STO two ST", endLength},
		{"a\n\nb STOP", "a", endStop},
		{"é\nSTOP", "é\n", endStop},
		{"SSSTOP", "SS", endStop},
	} {
		bytes := tokenizer.Bytes()
		c := &continuation{limit: len(test.text), dec: bytes.NewDecoder(true), stops: []string{"STOP", "\n\n"}, inText: true, eos: func(int64) bool { return false }}
		var out strings.Builder
		p := &printer{w: &out, all: []*continuation{c}}
		for _, id := range bytes.Encode(test.text, false) {
			if c.add(id); c.end != "" {
				break
			}
			if err := p.update(); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.String(), "STOP") {
				t.Errorf("%q: printed %q", test.text, out.String())
			}
		}
		if err := p.update(); err != nil {
			t.Fatal(err)
		}
		if out.String() != test.want+"\n" || c.end != test.end || c.text.String() != test.want {
			t.Errorf("%q: printed %q, end %q; want %q, %q", test.text, out.String(), c.end, test.want, test.end)
		}
	}
}
