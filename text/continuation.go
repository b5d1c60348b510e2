package text

import (
	"slices"
	"strings"
)

// FinishReason says why a continuation ended.
type FinishReason string

// The reasons; it is empty until then.
const (
	FinishLength      FinishReason = "length" // it has as many tokens as were asked for
	FinishEOS         FinishReason = "eos"    // a stop token came
	FinishStop        FinishReason = "stop"   // a stop string came
	FinishInterrupted FinishReason = "user"   // Interrupt was called
)

// Limits say where a continuation ends.
type Limits struct {
	Tokens     int      // at most; 0: it has ended before it begins
	Stops      []string // texts at which it ends, and which are not part of it; they need a tokenizer
	StopTokens []int64  // ids at which it ends
}

// Continuation collects what is generated for one prompt.
type Continuation struct {
	before Past // what it continues
	limits Limits
	ids    []int64
	text   strings.Builder // all that is certain
	finish FinishReason
	dec    *Decoder // nil: ids alone
	held   string   // text that may be the beginning of a stop string
}

// NewContinuation starts a continuation of a past. t may be nil if only ids are needed.
func NewContinuation(t *Tokenizer, before Past, limits Limits) *Continuation {
	c := &Continuation{before: before, limits: limits}
	if t != nil {
		c.dec = before.decoder(t)
	}
	if limits.Tokens <= 0 {
		c.finish = FinishLength
	}
	return c
}

// show makes these special tokens part of the text.
func (c *Continuation) show(ids []int64) {
	if c.dec != nil {
		c.dec.d.Show(ids)
	}
}

// IDs returns the tokens so far, including stop tokens.
func (c *Continuation) IDs() []int64 { return c.ids }

// Text returns the text so far that cannot change any more. What may be the beginning of a stop string is held back.
func (c *Continuation) Text() string { return c.text.String() }

// Finish returns why the continuation ended; empty if it has not ended.
func (c *Continuation) Finish() FinishReason { return c.finish }

// Past returns the past for text that follows the continuation.
func (c *Continuation) Past() Past { return c.before.Add(c.ids) }

// Add adds the next token.
func (c *Continuation) Add(id int64) {
	c.ids = append(c.ids, id)
	if c.dec != nil {
		c.take(c.dec.Add(id), c.dec.Held())
	}
	switch {
	case c.finish != "":
		return
	case slices.Contains(c.limits.StopTokens, id):
		c.finish = FinishEOS
	case len(c.ids) >= c.limits.Tokens:
		c.finish = FinishLength
	}
	if c.finish != "" && c.dec != nil {
		c.flush()
	}
}

// Interrupt ends the continuation.
func (c *Continuation) Interrupt() {
	c.finish = FinishInterrupted
	if c.dec != nil {
		c.flush()
	}
}

// flush passes on what was held back.
func (c *Continuation) flush() {
	finish := c.finish
	if c.take(c.dec.Flush(), ""); c.finish == finish { // no stop string after all
		c.text.WriteString(c.held)
		c.held = ""
	}
}

// take passes text on up to a stop string, and holds back what may become one. The text behind it may be of the same
// characters still, unless it ends here.
func (c *Continuation) take(text, behind string) {
	if text == "" && behind == "" {
		return
	}
	c.held += text
	at, all := -1, c.held+behind
	for _, stop := range c.limits.Stops {
		if i := strings.Index(all, stop); i >= 0 && (at < 0 || i < at) {
			at = i
		}
	}
	if at >= 0 {
		c.text.WriteString(all[:at])
		c.held, c.finish = "", FinishStop
		return
	}
	safe := len(c.held)
	for _, stop := range c.limits.Stops {
		for n := min(len(stop)-1, len(c.held)); n > 0; n-- {
			if strings.HasSuffix(c.held, stop[:n]) {
				safe = min(safe, len(c.held)-n)
				break
			}
		}
	}
	c.text.WriteString(c.held[:safe])
	c.held = c.held[safe:]
}
