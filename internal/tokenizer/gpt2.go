package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// gpt2Pattern is how GPT-2 cuts a text into words; byte-level tokenizers do unless they say otherwise.
const gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// gpt2Word returns the end of the word that begins at s[i:] by gpt2Pattern.
func gpt2Word(flat *[tabled]class, s string, i int) int {
	if s[i] == '\'' {
		for _, suffix := range []string{"s", "t", "re", "ve", "m", "ll", "d"} {
			if strings.HasPrefix(s[i+1:], suffix) {
				return i + 1 + len(suffix)
			}
		}
	}
	at := i
	if s[i] == ' ' && i+1 < len(s) {
		at++ // belongs to the word after it, unless that is white space
	}
	r, n := rune(s[at]), 1
	if r >= utf8.RuneSelf {
		r, n = utf8.DecodeRuneInString(s[at:])
	}
	switch c := classOf(flat, r); {
	case c&letter != 0:
		return runOf(flat, s, at+n, letter, true)
	case c&number != 0:
		return runOf(flat, s, at+n, number, true)
	case c&space == 0:
		return runOf(flat, s, at+n, letter|number|space, false)
	}
	// White space leaves its last character to the word that follows, unless it is that one alone.
	end := runOf(flat, s, i, space, true)
	if end < len(s) {
		if _, last := utf8.DecodeLastRuneInString(s[i:end]); i+last < end {
			return end - last
		}
	}
	return end
}

// byteChars are the characters that stand for the bytes in a byte-level vocabulary: printable ones for themselves, the
// others from U+0100 on.
var byteChars, charBytes = byteAlphabet()

func byteAlphabet() (chars [256]rune, bytes map[rune]byte) {
	bytes = map[rune]byte{}
	next := rune(256)
	for b := range chars {
		chars[b] = rune(b)
		if b < '!' || b > '~' && b < 0xa1 || b == 0xad {
			chars[b] = next
			next++
		}
		bytes[chars[b]] = byte(b)
	}
	return chars, bytes
}

// byteMapped writes every byte of s as its character.
func byteMapped(s string) string {
	var b strings.Builder
	b.Grow(2 * len(s))
	for i := range len(s) {
		b.WriteRune(byteChars[s[i]])
	}
	return b.String()
}
