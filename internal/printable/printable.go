// Package printable makes text from files fit to be shown.
package printable

import (
	"strings"
	"unicode"
)

// Text turns what a terminal would obey instead of showing it, such as control characters and marks of the writing
// direction, into spaces: paths and names may be anybody's.
func Text(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return ' '
	}, s)
}
