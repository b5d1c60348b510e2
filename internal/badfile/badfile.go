// Package badfile holds the two ways a checkpoint can be turned down.
//
// A FormatError says the file itself is wrong: truncated, contradictory, not what its name promises.
// An UnsupportedError says the file is fine and this program cannot use it.
// Callers tell them apart with errors.As; users read one line that names the file,
// the place in it, what was found and what was expected.
package badfile

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// FormatError reports a file that does not hold what its format demands.
type FormatError struct {
	File   string // path as the user gave it or as it was derived from that
	Where  string // tensor, key or region inside the file; may be empty
	Detail string // what was found, what was expected, what to do
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
			kept = append(kept, Printable(p))
		}
	}
	return strings.Join(kept, ": ")
}

// Printable turns what a terminal would obey instead of showing it, such as control characters and marks of the writing
// direction, into spaces: paths and names come from strangers.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return ' '
	}, s)
}

// Count puts a number before a noun: "1 byte", "2 entries", "3 matrices".
func Count[N int | int64 | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	for _, ending := range [][2]string{{"y", "ies"}, {"ix", "ices"}, {"", "s"}} {
		if stem, ok := strings.CutSuffix(noun, ending[0]); ok {
			noun = stem + ending[1]
			break
		}
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// maxQuoted bounds how much of a name from a file is repeated in a message.
const maxQuoted = 120

// Quote renders a name taken from a file for use in a message: quoted, escaped, and shortened in the middle when long.
func Quote(s string) string {
	if len(s) > maxQuoted {
		head, tail := s[:maxQuoted/2], s[len(s)-maxQuoted/3:]
		for len(head) > 0 && !utf8.ValidString(head) && utf8.ValidString(s) {
			head = head[:len(head)-1]
		}
		for len(tail) > 0 && !utf8.ValidString(tail) && utf8.ValidString(s) {
			tail = tail[1:]
		}
		s = head + "…" + tail
	}
	return strconv.Quote(s)
}

// Or lists what may be chosen, such as "F32, F16 or BF16".
func Or[T any](choices []T) string {
	var b strings.Builder
	for i, c := range choices {
		switch {
		case i > 0 && i == len(choices)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		fmt.Fprint(&b, c)
	}
	return b.String()
}
