package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/filenames"
)

// ledger are the files of a command. Every file that it reads is noted, and every file that it writes is checked against
// them before the work begins: no output falls on an input.
type ledger struct {
	inputs  []string
	stdin   string // what is read from there; empty: nothing
	outputs []*destination
}

// reads notes what the command reads: files, or folders for the checkpoint or tokenizer in them.
func (l *ledger) reads(paths ...string) {
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			l.inputs = append(l.inputs, path)
			continue
		}
		entries, _ := os.ReadDir(path) // if it cannot be read, nothing in it is
		for _, e := range entries {
			if name := e.Name(); filenames.Beside(name) || filenames.Weights(name) || strings.HasSuffix(name, ".gguf") {
				l.inputs = append(l.inputs, filepath.Join(path, name))
			}
		}
	}
}

// files are the inputs that are files. What is not there gets its error from whoever opens it.
func (l *ledger) files() (paths []string) {
	for _, path := range l.inputs {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			paths = append(paths, path)
		}
	}
	return paths
}

// mayWrite checks that a file may be written at path: it does not fall on an input, and what is there may be replaced.
func (l *ledger) mayWrite(path string, replace func(path string) error) error {
	return atomicfile.Check(path, atomicfile.Options{Replace: replace, Apart: l.files()})
}

// destination is where an output goes.
type destination struct {
	flag   string // that named it
	name   string // as given
	path   string // where to write the file: name, or a temporary file that deliver copies
	stream func() (io.WriteCloser, error)
}

// output readies the destination that a flag names, nil if it names none. A file is checked as mayWrite does. With - the
// output goes to stdout, which is then for it alone; a pipe is written to as it is. Neither can be written at random, so
// that a temporary file is made, and copied by deliver. replace judges what may be replaced; text may go to a terminal.
func output(cmd *cobra.Command, flag, name string, replace func(path string) error, text bool) (*destination, error) {
	if name == "" {
		return nil, nil
	}
	l := &sessionOf(cmd).ledger
	d := &destination{flag: flag, name: name, path: name}
	if d.stream = streamTo(cmd, name); d.stream == nil {
		if err := l.mayWrite(name, replace); err != nil {
			return nil, err
		}
	}
	for _, other := range l.outputs {
		if d.same(other) {
			return nil, usagef("%s and %s both go to %s: expected different files", other.flag, flag, name)
		}
	}
	l.outputs = append(l.outputs, d)
	if d.stream == nil {
		return d, nil
	}
	if isStdout(name) && !text && isTerminal(cmd.OutOrStdout()) {
		return nil, usagef("%s %s: stdout is a terminal, and this is not text; redirect it to a file or a pipe", flag, name)
	}
	dir, err := os.MkdirTemp("", "gomamba-")
	if err != nil {
		return nil, err
	}
	sessionOf(cmd).atEnd(func() error { return os.RemoveAll(dir) })
	d.path = filepath.Join(dir, "output")
	return d, nil
}

// isStdout reports whether the name of an output means stdout.
func isStdout(name string) bool { return name == "-" || name == os.Stdout.Name() }

// streamTo returns what opens stdout or a named pipe, and nil for files.
func streamTo(cmd *cobra.Command, name string) func() (io.WriteCloser, error) {
	if isStdout(name) {
		return func() (io.WriteCloser, error) { return unclosed{cmd.OutOrStdout()}, nil }
	}
	if info, err := os.Stat(name); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		return func() (io.WriteCloser, error) { return os.OpenFile(name, os.O_WRONLY, 0) }
	}
	return nil
}

// unclosed stays open.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// same reports whether two outputs would replace one another.
func (d *destination) same(other *destination) bool {
	if d.stream != nil || other.stream != nil {
		return isStdout(d.name) && isStdout(other.name)
	}
	a, errA := os.Stat(d.path)
	b, errB := os.Stat(other.path)
	if errA == nil && errB == nil {
		return os.SameFile(a, b)
	}
	a, errA = os.Stat(filepath.Dir(d.path))
	b, errB = os.Stat(filepath.Dir(other.path))
	return errA == nil && errB == nil && os.SameFile(a, b) && filepath.Base(d.path) == filepath.Base(other.path)
}

// deliver brings a finished file to where it goes, if that is a stream. A nil destination has nothing to deliver.
func (d *destination) deliver() (err error) {
	if d == nil || d.stream == nil {
		return nil
	}
	from, err := os.Open(d.path)
	if err != nil {
		return err
	}
	defer from.Close()                     // it was only read
	_ = os.RemoveAll(filepath.Dir(d.path)) // if it can be: a reader that goes away ends the program
	to, err := d.stream()
	if err != nil {
		return err
	}
	defer closing(&err, to)
	if _, err := io.Copy(to, from); err != nil {
		return fmt.Errorf("%s %s: %w", d.flag, d.name, err)
	}
	return nil
}

// results is where a command reports: stdout, unless an output has that for itself.
func results(cmd *cobra.Command) io.Writer {
	if toStdout(cmd) {
		return cmd.ErrOrStderr()
	}
	return cmd.OutOrStdout()
}

func toStdout(cmd *cobra.Command) bool {
	return slices.ContainsFunc(sessionOf(cmd).outputs, func(d *destination) bool { return isStdout(d.name) })
}

// checkDestination refuses - as the name of what can only be written in its place.
func checkDestination(what, name string) error {
	if name == "-" {
		return usagef("%s -: a checkpoint is not written to stdout; name a folder or a .gguf file", what)
	}
	return nil
}

// notReplaced says that the file at path is not of the kind that an output of that flag replaces.
func notReplaced(path, kind string) error {
	return fmt.Errorf("%s: is not %s, and only such a file is replaced: remove it first, or choose another name", path, kind)
}

// beginning reads the first n bytes of a file, fewer if it has fewer.
func beginning(path string, n int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	buf := make([]byte, n)
	got, err := io.ReadFull(f, buf)
	if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
		err = nil
	}
	return buf[:got], err
}
