package tokenizer

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// decoding says how tokens become text.
type decoding struct {
	byteLevel    bool        // characters stand for bytes
	replace      [][2]string // then what is replaced in a token
	byteFallback bool        // <0x0A> is a byte
	judgeRuns    bool        // a run of such bytes that is not UTF-8 as a whole is U+FFFD throughout
	fused        bool        // tokens are one text before anything is stripped
	dropMark     string      // removed from the first token, wherever it stands
	strip        string      // removed from the beginning of the text
	stripAtMost  int         // times
	between      string      // put between tokens
}

// Decode returns the text of some ids. Ids without a token are left out, and special tokens too if skipSpecial is set.
// Bytes that are not UTF-8 become U+FFFD.
func (t *Tokenizer) Decode(ids []int64, skipSpecial bool) string {
	d := t.NewDecoder(skipSpecial)
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(d.Add(id))
	}
	b.WriteString(d.Flush())
	return b.String()
}

// Decoder turns ids into text as they come. What comes is the text of Decode, as soon as it is certain: at most three bytes,
// those of an unfinished character, are held back, and of byte tokens such as <0x0A> a whole run, as it is text or not as a
// whole.
type Decoder struct {
	t           *Tokenizer
	skipSpecial bool
	shown       []int64 // special tokens that are not skipped
	pending     []byte  // not yet UTF-8
	isByte      bool    // pending is of byte tokens
	begun       bool
	stripped    int // how much of decoding.strip was removed; -1: the text has begun
}

// NewDecoder returns a decoder for one text.
func (t *Tokenizer) NewDecoder(skipSpecial bool) *Decoder {
	return &Decoder{t: t, skipSpecial: skipSpecial}
}

// Show makes these special tokens part of the text.
func (d *Decoder) Show(ids []int64) { d.shown = ids }

// After readies the decoder for what follows these tokens. With all, they are everything that came before, else only the last
// of it.
func (d *Decoder) After(ids []int64, all bool) {
	if !all {
		d.begun, d.stripped = true, -1
	}
	for _, id := range ids {
		d.Add(id)
	}
}

// Add takes the next token and returns the text that is certain with it, often none.
func (d *Decoder) Add(id int64) string {
	token, ok := d.t.Token(id)
	if !ok || d.skipSpecial && d.t.Special(id) && !slices.Contains(d.shown, id) {
		return ""
	}
	piece, isByte := d.t.decoding.bytes(token, !d.begun)
	if d.begun {
		piece = d.t.decoding.between + piece
	}
	d.begun = true
	var done string
	if d.t.decoding.byteFallback && d.isByte && !isByte {
		done = d.text(true)
	}
	d.isByte = isByte
	d.pending = append(d.pending, piece...)
	if d.t.decoding.judgeRuns && isByte {
		return d.strip(done)
	}
	return d.strip(done + d.text(false))
}

// Flush returns what was held back, when no token follows.
func (d *Decoder) Flush() string { return d.strip(d.text(true)) }

// Held returns what Flush would, and changes nothing.
func (d *Decoder) Held() string {
	if len(d.pending) == 0 {
		return ""
	}
	peek := *d
	peek.pending = slices.Clone(d.pending)
	return peek.Flush()
}

// bytes returns what a token stands for. isByte says that this is a byte of byteFallback.
func (d *decoding) bytes(token string, first bool) (piece string, isByte bool) {
	if d.byteLevel {
		return unmapped(token), false
	}
	if d.dropMark != "" && first {
		token = strings.ReplaceAll(token, d.dropMark, "")
	}
	for _, r := range d.replace {
		token = strings.ReplaceAll(token, r[0], r[1])
	}
	if b, ok := byteToken(token); ok && d.byteFallback {
		return string([]byte{b}), true
	}
	return token, false
}

// unmapped returns the bytes that the characters of a token stand for. A token with another character, such as an added
// token, stands for itself.
func unmapped(token string) string {
	b := make([]byte, 0, len(token))
	for _, r := range token {
		c, ok := charBytes[r]
		if !ok {
			return token
		}
		b = append(b, c)
	}
	return string(b)
}

// byteToken reads a token like <0x0A>.
func byteToken(token string) (b byte, ok bool) {
	if len(token) != 6 || token[:3] != "<0x" || token[5] != '>' {
		return 0, false
	}
	for _, c := range []byte(token[3:5]) {
		switch {
		case '0' <= c && c <= '9':
			b = b<<4 | (c - '0')
		case 'A' <= c && c <= 'F':
			b = b<<4 | (c - 'A' + 10)
		case 'a' <= c && c <= 'f':
			b = b<<4 | (c - 'a' + 10)
		default:
			return 0, false
		}
	}
	return b, true
}

// text takes what is UTF-8 from the pending bytes; with all, everything. Byte tokens that are not text as a run are
// U+FFFD each; elsewhere the bytes of a broken character are one.
func (d *Decoder) text(all bool) string {
	if d.isByte && d.t.decoding.judgeRuns && !utf8.Valid(d.pending) {
		n := len(d.pending)
		d.pending = d.pending[:0]
		return strings.Repeat("\ufffd", n)
	}
	var b strings.Builder
	rest := d.pending
	for len(rest) > 0 {
		r, n := utf8.DecodeRune(rest)
		if r != utf8.RuneError || n > 1 {
			b.Write(rest[:n])
			rest = rest[n:]
			continue
		}
		if !utf8.FullRune(rest) && !all {
			break
		}
		for n = min(3, len(rest)); n > 1 && (d.isByte || utf8.FullRune(rest[:n])); n-- {
		}
		b.WriteString("\ufffd")
		rest = rest[n:]
	}
	d.pending = append(d.pending[:0], rest...)
	return b.String()
}

// strip removes what decoding says from the beginning of the text.
func (d *Decoder) strip(text string) string {
	how := &d.t.decoding
	for d.stripped >= 0 && d.stripped < how.stripAtMost && text != "" {
		rest, ok := strings.CutPrefix(text, how.strip)
		if !ok {
			d.stripped = -1
			break
		}
		text = rest
		d.stripped++
	}
	return text
}

// Piece returns what one token stands for on its own: bytes, which may be a part of a character.
func (t *Tokenizer) Piece(id int64) string {
	token, _ := t.Token(id)
	piece, _ := t.decoding.bytes(token, false)
	return piece
}
