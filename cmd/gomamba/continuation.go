package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/gomamba/gomamba/internal/tokenizer"
)

// Reasons why a continuation ended.
const (
	endLength = "length" // it has as many tokens as were asked for
	endEOS    = "eos"    // the end-of-sequence token came
	endStop   = "stop"   // a stop string came
	endUser   = "user"   // the user had enough
)

// continuation is what has been generated for one prompt.
type continuation struct {
	before past // what it continues
	ids    []int64
	text   strings.Builder // all that is certain
	end    string          // why it ended; empty until then
	dec    *tokenizer.Decoder
	stops  []string
	held   string // text that may be the beginning of a stop string
	limit  int
	eos    func(id int64) bool
	inText bool // text is wanted, rather than ids
}

// add takes the next token.
func (c *continuation) add(id int64) {
	c.ids = append(c.ids, id)
	if c.dec != nil {
		c.take(c.dec.Add(id), c.dec.Held())
	}
	switch {
	case c.end != "":
		return
	case c.eos(id):
		c.end = endEOS
	case len(c.ids) >= c.limit:
		c.end = endLength
	}
	if c.end != "" && c.dec != nil {
		c.flush()
	}
}

// interrupt ends the continuation where it is.
func (c *continuation) interrupt() {
	c.end = endUser
	c.flush()
}

// flush passes on what was held back.
func (c *continuation) flush() {
	end := c.end
	if c.take(c.dec.Flush(), ""); c.end == end { // no stop string after all
		c.text.WriteString(c.held)
		c.held = ""
	}
}

// take passes text on up to a stop string, and holds back what may become one. The text behind it may be of the same
// characters still, unless it ends here.
func (c *continuation) take(text, behind string) {
	if text == "" && behind == "" {
		return
	}
	c.held += text
	at, all := -1, c.held+behind
	for _, stop := range c.stops {
		if i := strings.Index(all, stop); i >= 0 && (at < 0 || i < at) {
			at = i
		}
	}
	if at >= 0 {
		c.text.WriteString(all[:at])
		c.held, c.end = "", endStop
		return
	}
	safe := len(c.held)
	for _, stop := range c.stops {
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

// printer shows continuations as they grow: one at a time, in the order of the prompts. Those whose turn has not come wait.
type printer struct {
	w     io.Writer
	all   []*continuation
	turn  int // the one that is being shown
	shown int // how much of it: bytes of text, or ids
}

// update shows what is new.
func (p *printer) update() error {
	for p.turn < len(p.all) {
		c := p.all[p.turn]
		var out string
		if c.inText {
			out = c.text.String()[p.shown:]
			p.shown += len(out)
		} else {
			if p.shown > 0 && p.shown < len(c.ids) {
				out = ","
			}
			out += formatIDs(c.ids[p.shown:])
			p.shown = len(c.ids)
		}
		if c.end != "" {
			if c.limit > 0 {
				out += "\n"
			}
			p.turn, p.shown = p.turn+1, 0
			if c.limit > 0 && p.turn < len(p.all) && c.inText {
				out += fmt.Sprintf("%s\n", separator)
			}
		}
		if out != "" {
			if _, err := io.WriteString(p.w, out); err != nil {
				return err
			}
		}
		if c.end == "" {
			return nil
		}
	}
	return nil
}

// separator stands between the texts of several prompts.
const separator = "---"
