package main

import (
	"errors"

	"github.com/spf13/pflag"
)

// filename is the value of a flag that names a file, a folder or a repository. An empty name is refused: a script's variable was not
// set, and the flag would do nothing.
type filename struct{ name *string }

func (f filename) Set(text string) error {
	if text == "" {
		return errors.New("expected " + f.expected())
	}
	*f.name = text
	return nil
}

func (f filename) String() string {
	if f.name == nil {
		return "" // pflag asks a zero value for its default
	}
	return *f.name
}

func (filename) expected() string { return "the name of a file or folder" }

// Type is what help shows.
func (f filename) Type() string { return "string" }

// fileVar defines a flag, of which short may be empty, for the name of a file, a folder or a repository.
func fileVar(flags *pflag.FlagSet, name *string, flag, short, usage string) {
	flags.VarP(filename{name}, flag, short, usage)
}
