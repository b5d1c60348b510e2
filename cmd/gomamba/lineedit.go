package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// pasteOff ends the mode in which a terminal marks pasted text.
const pasteOff = "\x1b[?2004l"

const (
	keyInterrupt = 3  // Ctrl-C
	keySuspend   = 26 // Ctrl-Z
)

// editor reads lines that somebody types, with the keys of a shell: arrows, words, history, Tab for commands. A pasted
// text of several lines is one line with breaks in it.
type editor struct {
	in      *keyboard
	out     io.Writer
	size    func() (width, height int, err error)
	raw     func() (restore func(), err error) // every key at once and unechoed
	t       *term.Terminal
	history term.History // survives t
}

// newEditor returns an editor for stdin and stderr if both are terminals.
func newEditor(cmd *cobra.Command) (*editor, bool) {
	in, ok := terminalOf(cmd.InOrStdin())
	out, ok2 := terminal(cmd)
	if !ok || !ok2 {
		return nil, false
	}
	raw := func() (func(), error) {
		state, err := term.MakeRaw(int(in.Fd()))
		return func() { term.Restore(int(in.Fd()), state) }, err
	}
	e := &editor{in: &keyboard{from: in}, out: out, raw: raw}
	e.size = func() (int, int, error) { return term.GetSize(int(out.Fd())) }
	return e, true
}

// start makes a terminal that knows the lines of the one before.
func (e *editor) start() {
	e.t = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{e.in, e.out}, "")
	if e.history != nil {
		e.t.History = e.history
	}
	e.history = e.t.History
	e.t.AutoCompleteCallback = completeCommand
}

// next reads a line behind mark; io.EOF after Ctrl-D, or after Ctrl-C when nothing was typed that it could drop.
func (e *editor) next(ctx context.Context, mark string) (string, error) {
	restore, err := e.raw()
	if err != nil {
		return "", err
	}
	defer func() { restore() }()
	e.in.suspend = func() {
		restore()
		suspend()
		if again, err := e.raw(); err == nil {
			restore = again
		}
	}
	read := make(chan line, 1)
	go func() {
		text, err := e.read(mark)
		read <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		io.WriteString(e.out, pasteOff+"\r\n") // read still waits for a key
		return "", ctx.Err()
	case l := <-read:
		if errors.Is(l.err, errInterrupt) && interruptSelf() {
			<-ctx.Done()
			l.err = ctx.Err()
		}
		return l.text, l.err
	}
}

// errInterrupt ends a line that is empty when Ctrl-C is pressed.
var errInterrupt = errors.New("interrupted")

// read reads one line and what was pasted before it.
func (e *editor) read(mark string) (string, error) {
	if e.t == nil {
		e.start()
	}
	e.t.SetBracketedPasteMode(true)
	defer func() { e.t.SetBracketedPasteMode(false) }()
	var pasted strings.Builder
	for {
		e.in.begin()
		e.t.SetPrompt(mark)
		if width, height, err := e.size(); err == nil && width > 0 {
			e.t.SetSize(width, height)
		}
		text, err := e.t.ReadLine()
		switch {
		case err == term.ErrPasteIndicator:
			pasted.WriteString(text + "\n")
			mark = ""
		case err == io.EOF && e.in.interrupted:
			io.WriteString(e.out, "^C\r\n")
			if !e.in.typed && pasted.Len() == 0 {
				return "", errInterrupt
			}
			pasted.Reset()
			e.start() // with an empty line
		case err == io.EOF:
			io.WriteString(e.out, "\r\n")
			return "", io.EOF
		default:
			return pasted.String() + text, err
		}
	}
}

// keyboard passes keys on and notes those that a line does not contain.
type keyboard struct {
	from        io.Reader
	suspend     func()
	typed       bool // anything since begin
	interrupted bool // Ctrl-C came last
}

func (k *keyboard) begin() { k.typed, k.interrupted = false, false }

func (k *keyboard) Read(b []byte) (int, error) {
	n, err := k.from.Read(b)
	keys := b[:n]
	if at := bytes.IndexByte(keys, keyInterrupt); at >= 0 {
		k.interrupted, k.typed = true, k.typed || at > 0
		return at + 1, err // what follows was typed for the line that is dropped
	}
	if at := bytes.IndexByte(keys, keySuspend); at >= 0 && k.suspend != nil {
		k.suspend()
		keys = append(keys[:at], keys[at+1:]...)
	}
	k.typed = k.typed || len(keys) > 0
	return len(keys), err
}

// completeCommand completes the commands of chat.
func completeCommand(line string, pos int, key rune) (string, int, bool) {
	if key != '\t' || !strings.HasPrefix(line, "/") || pos != len(line) {
		return "", 0, false
	}
	for _, name := range []string{"/reset", "/save ", "/load ", "/help"} {
		if strings.HasPrefix(name, line) {
			return name, len(name), true
		}
	}
	return "", 0, false
}
