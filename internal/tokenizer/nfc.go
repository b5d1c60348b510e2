package tokenizer

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// composer writes text in Unicode's normalization form C, by the Unicode version of the tables. Package norm knows
// later versions, whose marks it would reorder, and breaks up long runs of marks.
type composer struct {
	out strings.Builder
	run []mark // a starter and what follows it, decomposed
}

// mark is a character of a decomposed text and its canonical combining class.
type mark struct {
	r     rune
	class uint8
}

// nfc returns s in normalization form C.
func nfc(s string) string {
	at := norm.NFC.QuickSpanString(s)
	if at == len(s) {
		return s
	}
	c := composer{}
	c.out.Grow(len(s) + utf8.UTFMax)
	c.out.WriteString(s[:at])
	for i := at; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			c.flush()
			c.out.WriteByte(s[i])
		} else {
			c.add(r, s[i:i+n])
		}
		i += n
	}
	c.flush()
	return c.out.String()
}

// add takes in the next character.
func (c *composer) add(r rune, text string) {
	if r < 0x80 { // a starter that composes with nothing before it
		c.flush()
		c.run = append(c.run, mark{r, 0})
		return
	}
	if !contains(decomposing, r) {
		c.decomposed(r)
		return
	}
	for _, part := range norm.NFD.String(text) {
		c.decomposed(part)
	}
}

func (c *composer) decomposed(r rune) {
	if contains(nonstarters, r) {
		c.run = append(c.run, mark{r, norm.NFD.PropertiesString(string(r)).CCC()})
		return
	}
	// A starter opens a run of its own unless it composes with the one before, as vowels do in Hangul.
	c.resolve()
	if len(c.run) == 1 && c.run[0].class == 0 {
		if both := compose(c.run[0].r, r); both != 0 {
			c.run[0].r = both
			return
		}
	}
	c.flush()
	c.run = append(c.run, mark{r: r})
}

// flush writes the run.
func (c *composer) flush() {
	c.resolve()
	for _, m := range c.run {
		c.out.WriteRune(m.r)
	}
	c.run = c.run[:0]
}

// resolve orders the run's marks and composes the starter with those it can.
func (c *composer) resolve() {
	if len(c.run) < 2 {
		return
	}
	slices.SortStableFunc(c.run, func(a, b mark) int { return int(a.class) - int(b.class) })
	kept := c.run[:1]
	for _, m := range c.run[1:] {
		// A mark is blocked from the starter by one of its own class, or of a higher one, between them.
		if kept[0].class == 0 && m.class != 0 && (len(kept) == 1 || kept[len(kept)-1].class < m.class) {
			if both := compose(kept[0].r, m.r); both != 0 {
				kept[0].r = both
				continue
			}
		}
		kept = append(kept, m)
	}
	c.run = kept
}

// compose returns the character that a and b combine to, or 0.
func compose(a, b rune) rune {
	if b < 0x300 {
		return 0
	}
	var buf [2 * utf8.UTFMax]byte
	pair := utf8.AppendRune(utf8.AppendRune(buf[:0], a), b)
	var room [4 * utf8.UTFMax]byte
	composed := norm.NFC.Append(room[:0], pair...)
	r, n := utf8.DecodeRune(composed)
	if n != len(composed) || !contains(decomposing, r) {
		return 0
	}
	return r
}
