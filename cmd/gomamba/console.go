package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// console is stdout or stderr. On a terminal it shows what a terminal would obey: whatever a file, a model or a server
// says cannot move the cursor, set a title or write to the clipboard.
type console struct {
	file   *os.File
	shows  bool   // it is a terminal
	plain  bool   // without our own tints too
	broken func() // called when nobody reads any more
	held   []byte // the beginning of a sequence whose end has not been written yet
}

func newConsole(file *os.File, broken func()) *console {
	return &console{file: file, shows: term.IsTerminal(int(file.Fd())), broken: broken}
}

// Fd makes a console known as the terminal that it is.
func (c *console) Fd() uintptr { return c.file.Fd() }

func (c *console) Write(p []byte) (int, error) {
	out := p
	if c.shows {
		out = c.show(p)
	}
	_, err := c.file.Write(out)
	if err != nil {
		if errors.Is(err, syscall.EPIPE) {
			c.broken()
		}
		return 0, err
	}
	return len(p), nil
}

// end writes what was held back.
func (c *console) end() {
	if held := c.held; len(held) > 0 {
		c.held = nil
		io.WriteString(c.file, string(utf8.RuneError)) // the program ends, well or not
	}
}

// show replaces control characters by their pictures, keeping what may continue in the next write.
func (c *console) show(p []byte) []byte {
	rest := append(c.held, p...)
	c.held = nil
	out := make([]byte, 0, len(rest)+16)
	for len(rest) > 0 {
		if n, whole := c.ours(rest); n > 0 && whole {
			out, rest = append(out, rest[:n]...), rest[n:]
			continue
		} else if n > 0 || !utf8.FullRune(rest) || len(rest) == 1 && rest[0] == '\r' {
			c.held = bytes.Clone(rest)
			break
		}
		r, n := utf8.DecodeRune(rest)
		rest = rest[n:]
		if r == '\r' && rest[0] == '\n' {
			continue // the terminal itself begins a line with \n
		}
		out = utf8.AppendRune(out, picture(r))
	}
	return out
}

// ours reports how many bytes at the beginning of text are one of our tints, or may become one.
func (c *console) ours(text []byte) (n int, whole bool) {
	if c.plain || text[0] != '\x1b' {
		return 0, false
	}
	for _, t := range []tint{bold, red, green, yellow, ""} {
		switch seq := []byte(t.sequence()); {
		case bytes.HasPrefix(text, seq):
			return len(seq), true
		case bytes.HasPrefix(seq, text):
			return len(text), false
		}
	}
	return 0, false
}

// picture returns a character that shows r, which may be a control character.
func picture(r rune) rune {
	switch {
	case r == '\n' || r == '\t':
		return r
	case r < 0x20:
		return '␀' + r
	case r == 0x7f:
		return '␡'
	case r >= 0x80 && r < 0xa0:
		return utf8.RuneError
	}
	return r
}

// textOut is where a command writes text that a model made. On a terminal not even a colour comes from there.
func textOut(cmd *cobra.Command) io.Writer {
	if c, ok := cmd.OutOrStdout().(*console); ok {
		strict := *c
		strict.plain = true
		return &strict
	}
	return cmd.OutOrStdout()
}

// terminalOf returns the terminal that w writes to, or r reads from, if it is one.
func terminalOf(stream any) (*os.File, bool) {
	switch s := stream.(type) {
	case *console:
		return s.file, s.shows
	case *os.File:
		return s, term.IsTerminal(int(s.Fd()))
	}
	return nil, false
}
