package main

import (
	"testing"

	"github.com/gomamba/gomamba/internal/tokenizer"
)

// A stop string ends a text with the token that completes it, though the text of byte tokens is not certain until another
// token follows.
func TestStopOfBytes(t *testing.T) {
	tok, err := tokenizer.Open("../../fixtures/tokenizers/llama")
	if err != nil {
		t.Fatal(err)
	}
	newline, ok := tok.ID("<0x0A>")
	if !ok {
		t.Fatal("no token of the newline")
	}
	c := &continuation{limit: 9, inText: true, eos: endsAt(nil), dec: past{All: true}.decoder(tok), stops: []string{"\n"}}
	for _, id := range append(tok.Encode("the state", false), newline) {
		if c.end != "" {
			t.Fatalf("ended by %q before the stop string", c.end)
		}
		c.add(id)
	}
	if c.end != endStop || c.text.String() != "the state" {
		t.Errorf("ended by %q, text %q", c.end, c.text.String())
	}
}
