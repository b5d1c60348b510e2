// Package prompt has the prompt that bench, verify and the receipt of a conversion use if none is given.
package prompt

// ID is token t of the prompt for a vocabulary of that size, of which a long prompt visits every part.
func ID(t, vocab int) int64 { return int64((37*t + 11) % vocab) }

// IDs are the first tokens of the prompt.
func IDs(tokens, vocab int) []int64 {
	ids := make([]int64, tokens)
	for t := range ids {
		ids[t] = ID(t, vocab)
	}
	return ids
}
