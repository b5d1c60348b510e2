package tokenizer

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gomamba/gomamba/internal/badfile"
)

// pieceType is the type of a SentencePiece token (sentencepiece_model.proto); GGUF files use the same numbers.
type pieceType int

const (
	normalPiece  pieceType = 1
	unknownPiece pieceType = 2
	controlPiece pieceType = 3 // such as <s>
	definedPiece pieceType = 4 // by the user: found in the text as it is
	unusedPiece  pieceType = 5
	bytePiece    pieceType = 6 // such as <0x0A>
)

// piece is a token of a SentencePiece model: of the pieces that two neighbours can become, the one of highest score is made
// first.
type piece struct {
	text  string
	score float64
	kind  pieceType
}

// spelling says how a SentencePiece model writes a text before it is cut.
type spelling struct {
	dummyPrefix bool // a space in front
	squeeze     bool // runs of spaces are one, and none at the ends
}

// spaceMark is how SentencePiece writes a space.
const spaceMark = "▁"

// maxPiece bounds the length of a piece, with which the time to load grows.
const maxPiece = 256

// fromPieces builds the tokenizer of a SentencePiece BPE model.
func fromPieces(pieces []piece, how spelling) (*Tokenizer, error) {
	m := &bpe{vocab: map[string]int32{}, merges: map[uint64]merge{}, unknown: -1, fuseUnknown: true}
	for id, p := range pieces {
		if _, twice := m.vocab[p.text]; p.kind == normalPiece && !twice {
			m.vocab[p.text] = int32(id)
		}
		if p.kind == unknownPiece {
			m.unknown = int32(id)
		}
		if len(p.text) > maxPiece && p.kind == normalPiece {
			return nil, &badfile.UnsupportedError{Where: "piece " + badfile.Quote(p.text), Detail: "found a piece that is longer than 256 bytes"}
		}
	}
	m.ready()
	t := newTokenizer(m)
	var raw, cooked []addedToken
	for id, p := range pieces {
		id := int32(id)
		t.tokens[id] = p.text
		switch p.kind {
		case controlPiece, unknownPiece:
			t.special[id] = true
			if p.kind == controlPiece {
				raw = append(raw, addedToken{content: p.text, id: id})
			}
		case definedPiece:
			cooked = append(cooked, addedToken{content: strings.ReplaceAll(p.text, " ", spaceMark), id: id})
		case unusedPiece:
			t.unused[id] = true
		case bytePiece:
			if b, ok := byteToken(p.text); ok {
				m.bytes[b] = id
				m.byteFallback = true
			}
		}
	}
	m.merge(pieces)
	t.control, t.cooked = newFinder(raw), newFinder(cooked)
	t.normalize = []normalizer{{apply: how.space, local: !how.squeeze}, replacing(" ", spaceMark)}
	t.decoding = decoding{replace: [][2]string{{spaceMark, " "}}, byteFallback: m.byteFallback}
	if how.dummyPrefix {
		t.decoding.strip, t.decoding.stripAtMost = " ", 1
	}
	t.kind = "SentencePiece BPE"
	t.finish()
	return t, nil
}

// merge lists every way to make a piece of two others, ranked by the score of what is made.
func (m *bpe) merge(pieces []piece) {
	var scores []float64
	for _, p := range pieces {
		scores = append(scores, p.score)
	}
	slices.SortFunc(scores, func(a, b float64) int { return cmp.Compare(b, a) })
	scores = slices.Compact(scores)
	for text, id := range m.vocab {
		rank, _ := slices.BinarySearchFunc(scores, pieces[id].score, func(a, b float64) int { return cmp.Compare(b, a) })
		for i, r := range text {
			left, okLeft := m.vocab[text[:i]]
			right, okRight := m.vocab[text[i:]]
			if okLeft && okRight && (r != utf8.RuneError || utf8.ValidString(text)) {
				m.merges[pair(left, right)] = merge{int32(rank), id}
			}
		}
	}
}

// space puts the spaces of a text as the model wants them.
func (how spelling) space(s string, at place) string {
	goesOn := at == joined && strings.HasPrefix(s, " ")
	if how.squeeze {
		words := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' })
		s = strings.Join(words, " ")
	}
	if s != "" && (how.squeeze && goesOn || how.dummyPrefix && at != joined) {
		s = " " + s
	}
	return s
}

// validScores reports whether all pieces can be ordered by their scores.
func validScores(pieces []piece) bool {
	return !slices.ContainsFunc(pieces, func(p piece) bool { return math.IsNaN(p.score) })
}
