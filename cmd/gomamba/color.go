package main

import (
	"cmp"
	"io"
	"os"
)

// tint is a way to set off text on a terminal.
type tint string

const (
	bold   tint = "1"
	red    tint = "31"
	green  tint = "32"
	yellow tint = "33"
)

// on returns text set off where w shows that.
func (t tint) on(w io.Writer, text string) string {
	if !colored(w) {
		return text
	}
	return t.sequence() + text + tint("").sequence()
}

// sequence is what makes a terminal use the tint. That of the empty one ends others.
func (t tint) sequence() string { return "\x1b[" + cmp.Or(string(t), "0") + "m" }

// colored reports whether w is a terminal whose user has not declined colours (no-color.org).
func colored(w io.Writer) bool {
	_, ok := terminalOf(w)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// verdict is the tint of good news and bad.
func verdict(good bool) tint {
	if good {
		return green
	}
	return red
}
