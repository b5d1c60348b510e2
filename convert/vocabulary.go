package convert

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/loader"
)

// Vocabulary says how many rows embedding and head are to have. The zero value leaves them alone.
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
	refuse := func(detail string) error {
		return &badfile.UnsupportedError{File: ck.Path(), Where: "vocabulary", Detail: detail}
	}
	switch {
	case is > was:
		p.Note(fmt.Sprintf("the vocabulary grows from %d to %d rows: each new one is the mean of the others", was, is))
	case used == 0:
		return 0, refuse(fmt.Sprintf("is to be cut from %d to %d rows, and without a tokenizer it is not known which of them are in use", was, is))
	case is < used:
		return 0, refuse(fmt.Sprintf("is to be cut from %d to %d rows, but %d are in use: the last one by %s", was, is, used, why))
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

// ofVocabulary reports whether a tensor has a row for every id.
func ofVocabulary(name string) bool {
	return slices.Contains([]string{names.Embedding, names.Head}, name)
}
