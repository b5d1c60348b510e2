package badfile

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// Near returns the one of names that a mistyped one is most like; empty if it is like none of them.
func Near(mistyped string, names []string) string {
	best, least := "", 2 // edits from here on make another word
	if len(mistyped) > 4 {
		least += len(mistyped) / 4
	}
	for _, name := range names {
		if d := distance(mistyped, name); d < least {
			best, least = name, d
		}
	}
	return best
}

// DidYouMean ends a message about a mistyped name with the one of names that it is most like, if there is one.
func DidYouMean(mistyped string, names []string) string {
	if meant := Near(mistyped, names); meant != "" {
		return "; did you mean " + Quote(meant) + "?"
	}
	return ""
}

var withoutBreaks = strings.NewReplacer("_", "", "-", "")

// distance counts the edits between two names, few if one begins with the other. Breaks between words do not count.
func distance(a, b string) int {
	a, b = withoutBreaks.Replace(strings.ToLower(a)), withoutBreaks.Replace(strings.ToLower(b))
	if a != b && len(a) > 2 && len(b) > 2 && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a)) {
		return 1
	}
	return levenshtein.ComputeDistance(a, b)
}
