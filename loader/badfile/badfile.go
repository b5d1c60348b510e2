// Package badfile holds the two ways a checkpoint can be turned down.
//
// A FormatError says the file itself is wrong: truncated, contradictory, not what its name promises.
// An UnsupportedError says the file is fine and this program cannot use it.
// Callers distinguish them with errors.As; users read one line that names the file,
// the place in it, what was found and what was expected.
package badfile

import (
	"strings"

	"github.com/gomamba/gomamba/internal/printable"
)

// FormatError reports a file that does not hold what its format demands.
type FormatError struct {
	File   string // path as the user gave it or as it was derived from that
	Where  string // tensor, key or region inside the file; may be empty
	Detail string // what was found, what was expected, what to do

	Fixable bool // package doctor can write a copy that follows the tensors
}

func (e *FormatError) Error() string { return line(e.File, e.Where, e.Detail) }

// UnsupportedError reports a well-formed file that asks for something outside this program's reach.
type UnsupportedError struct {
	File   string // path as the user gave it or as it was derived from that
	Where  string // tensor, key or region inside the file; may be empty
	Detail string // what was found, and what would work instead
}

func (e *UnsupportedError) Error() string { return line(e.File, e.Where, e.Detail) }

// line joins the parts that are present with ": ", keeping the result a single line.
func line(parts ...string) string {
	kept := parts[:0:0]
	for _, p := range parts {
		if p != "" {
			kept = append(kept, printable.Text(p))
		}
	}
	return strings.Join(kept, ": ")
}
