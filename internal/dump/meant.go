package dump

import (
	"strconv"
	"strings"
)

// Meant returns the name that a dump gives a meaning to and that name is nearly: another spelling, another prefix, or up
// to two letters away. ok is false where there is none.
func Meant(name string) (meant string, ok bool) {
	word := strings.TrimRight(name, "0123456789")
	candidates := []string{InputIDs, AttentionMask, Logits}
	if i, err := strconv.Atoi(name[len(word):]); err == nil && i <= maxIndex {
		candidates = []string{HiddenState(i)}
		for _, s := range states {
			candidates = append(candidates, State(s.name, i))
		}
	}
	spelled := letters(word)
	if spelled == "attnmask" { // as torch calls it
		return AttentionMask, true
	}
	for _, candidate := range candidates {
		want := letters(strings.TrimRight(candidate, "0123456789"))
		bare := strings.TrimPrefix(want, "cache")
		if len(spelled) >= 4 && (strings.HasSuffix(spelled, bare) || strings.HasSuffix(spelled, strings.TrimSuffix(bare, "s")) ||
			edits(spelled, want) <= 2 || edits(spelled, bare) <= 2) {
			return candidate, candidate != name
		}
	}
	return "", false
}

// letters leaves the letters of a name, in lower case.
func letters(name string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}

// edits is the number of bytes to insert, remove or replace that lead from a to b: Levenshtein's distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1) // of the distances between the beginning of a and those of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
