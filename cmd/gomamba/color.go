package main

import (
	"io"
	"os"

	"golang.org/x/term"
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
	return "\x1b[" + string(t) + "m" + text + "\x1b[0m"
}

// colored reports whether w is a terminal whose user has not declined colours (no-color.org).
func colored(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(file.Fd()))
}

// verdict is the tint of good news and bad.
func verdict(good bool) tint {
	if good {
		return green
	}
	return red
}
