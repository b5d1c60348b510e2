package text

import "testing"

// A stop string ends a text with the token that completes it, though the text of byte tokens is not certain until another
// token follows.
func TestStopOfBytes(t *testing.T) {
	tok, err := Open("../fixtures/tokenizers/llama")
	if err != nil {
		t.Fatal(err)
	}
	newline, ok := tok.ID("<0x0A>")
	if !ok {
		t.Fatal("no token of the newline")
	}
	c := NewContinuation(tok, Past{All: true}, Limits{Tokens: 9, Stops: []string{"\n"}})
	for _, id := range append(tok.Encode("the state", false), newline) {
		if c.Finish() != "" {
			t.Fatalf("ended by %q before the stop string", c.Finish())
		}
		c.Add(id)
	}
	if c.Finish() != FinishStop || c.Text() != "the state" {
		t.Errorf("ended by %q, text %q", c.Finish(), c.Text())
	}
}
