package convert

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/internal/tokenizer"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// Vocabulary says how many rows embedding and head get. The zero value does not change them.
type Vocabulary struct {
	Size     int // rows; 0: as many as there are
	Multiple int // up to which they are padded; 0: none
}

// maxVocabulary bounds both.
const maxVocabulary = 1 << 24

// ParseVocabulary reads a number of rows such as "50304", or "x64" for the next multiple of 64.
func ParseVocabulary(text string) (v Vocabulary, err error) {
	number, multiple := strings.CutPrefix(strings.ToLower(text), "x")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > maxVocabulary {
		return v, fmt.Errorf("%q: expected a number of rows from 1 to %d, such as 50304, or a multiple to pad to, such as x64", text, maxVocabulary)
	}
	if multiple {
		return Vocabulary{Multiple: n}, nil
	}
	return Vocabulary{Size: n}, nil
}

// of is the number of rows that become of n.
func (v Vocabulary) of(n int) int {
	if v.Size > 0 {
		n = v.Size
	}
	if m := max(v.Multiple, 1); n%m != 0 {
		n += m - n%m
	}
	return n
}

// settleVocabulary refuses to cut ids that are in use, and says what becomes of the rows.
func settleVocabulary(ck *loader.Checkpoint, p *write.Plan) (used int, err error) {
	was, is := p.From.Config.Shared().VocabSize, p.Config.Shared().VocabSize
	if is == was {
		return was, nil
	}
	used, why := p.Texts.Used, p.Texts.UsedBy
	c := p.From.Config.Shared()
	for _, key := range []struct {
		name string
		ids  []int
	}{{"bos_token_id", pointed(c.BosTokenID)}, {"eos_token_id", c.EosTokenID.IDs}, {"pad_token_id", pointed(c.PadTokenID)}} {
		for _, id := range key.ids {
			if id < was && id >= used && used > 0 {
				used, why = id+1, key.name
			}
		}
	}
	refuse := func(detail string) badfile.UnsupportedError {
		return badfile.UnsupportedError{File: ck.Path(), Where: "vocabulary", Detail: detail}
	}
	switch {
	case is > was:
		p.Note(fmt.Sprintf("the vocabulary grows from %d to %d rows: each new one is the mean of the others", was, is))
	case used == 0:
		return 0, write.Refuse(tokenizer.ErrNone, refuse(fmt.Sprintf("is to be cut from %d to %d rows, and without a tokenizer it is not known which of them are in use", was, is)))
	case is < used:
		what := refuse(fmt.Sprintf("is to be cut from %d to %d rows, but %d are in use: the last one by %s", was, is, used, why))
		return 0, &what
	default:
		p.Note(fmt.Sprintf("the vocabulary is cut from %d to %d rows: no token uses the others", was, is))
	}
	if used == 0 {
		used = was
	}
	return used, nil
}

func pointed(id *int) []int {
	if id == nil {
		return nil
	}
	return []int{*id}
}

// resized returns a tensor with a row for every id in as many rows as it is to have. New ones are the mean of the first used ones.
func resized(t tensor.Tensor, rows, used int) tensor.Tensor {
	was, cols := t.Shape[0], t.Shape[1]
	switch {
	case rows < was:
		t = t.Piece(0, rows*cols)
		t.Shape = []int{rows, cols}
	case rows > was:
		g := &grown{base: t, cols: cols, used: used}
		t.Data, t.Coding, t.Shape = nil, g, []int{rows, cols}
	}
	return t
}

// grown is the Coding of a matrix with rows behind its own, all of which are the mean of some of these.
type grown struct {
	base       tensor.Tensor
	cols, used int

	once sync.Once
	mean []float32
}

func (g *grown) String() string { return g.base.Type() }

func (g *grown) Parts() [][]byte { return g.base.Parts() }

// Widen implements tensor.Coding.
func (g *grown) Widen(dst []float32, first int) {
	have := g.base.Elems()
	own := min(max(have-first, 0), len(dst))
	if own > 0 {
		g.base.Piece(first, first+own).Widen32(dst[:own])
	}
	if own == len(dst) {
		return
	}
	g.once.Do(g.average)
	for at := own; at < len(dst); {
		at += copy(dst[at:], g.mean[(first+at)%g.cols:])
	}
}

func (g *grown) average() {
	sums, row := make([]float64, g.cols), make([]float32, g.cols)
	for r := range g.used {
		g.base.Piece(r*g.cols, (r+1)*g.cols).Widen32(row)
		for c, v := range row {
			sums[c] += float64(v)
		}
	}
	for c, sum := range sums {
		row[c] = float32(sum / float64(g.used))
	}
	g.mean = row
}
