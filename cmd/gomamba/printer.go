package main

import (
	"fmt"
	"io"

	"github.com/gomamba/gomamba/text"
)

// printer shows continuations as they grow: one at a time, in the order of the prompts. Those whose turn has not come wait.
type printer struct {
	w     io.Writer
	all   []*text.Continuation
	text  bool // rather than ids
	lines bool // texts end with a line break and are separated
	turn  int  // the one that is being shown
	shown int  // how much of it: bytes of text, or ids
}

// update shows what is new.
func (p *printer) update() error {
	for p.turn < len(p.all) {
		c := p.all[p.turn]
		var out string
		if p.text {
			out = c.Text()[p.shown:]
			p.shown += len(out)
		} else {
			if p.shown > 0 && p.shown < len(c.IDs()) {
				out = ","
			}
			out += formatIDs(c.IDs()[p.shown:])
			p.shown = len(c.IDs())
		}
		if c.Finish() != "" {
			if p.lines {
				out += "\n"
			}
			p.turn, p.shown = p.turn+1, 0
			if p.lines && p.turn < len(p.all) && p.text {
				out += fmt.Sprintf("%s\n", separator)
			}
		}
		if out != "" {
			if _, err := io.WriteString(p.w, out); err != nil {
				return err
			}
		}
		if c.Finish() == "" {
			return nil
		}
	}
	return nil
}

// separator stands between the texts of several prompts.
const separator = "---"
