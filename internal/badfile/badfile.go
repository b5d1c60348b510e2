// Package badfile names the errors of loader/badfile, and words them.
package badfile

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gomamba/gomamba/internal/printable"
	"github.com/gomamba/gomamba/loader/badfile"
)

// FormatError and UnsupportedError are exported, so that those who use the library can ask for them.
type (
	FormatError      = badfile.FormatError
	UnsupportedError = badfile.UnsupportedError
)

// Printable is printable.Text.
func Printable(s string) string { return printable.Text(s) }

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
