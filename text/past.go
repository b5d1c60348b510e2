package text

import (
	"context"
	"encoding/json"
	"slices"
)

// Past is the end of the text so far, as far as it influences how the next tokens are encoded and decoded. The zero value
// stands for unknown text, and Past{All: true} for the beginning of a text.
type Past struct {
	IDs []int64 `json:"ids"`
	All bool    `json:"all"` // these are all; else there were more, or they are not known
	// Open says that a text was run without what the tokenizer puts behind it, such as </s>: it may go on.
	Open bool `json:"open,omitempty"`
}

// maxPast is how many tokens a past keeps: more than a character has.
const maxPast = 64

// notePast is the note of a cache file that holds what its sequences go on from, as JSON.
const notePast = "past"

// Add returns the past after further tokens. It only keeps the last ones.
func (p Past) Add(ids []int64) Past {
	if len(ids) == 0 {
		return p
	}
	if n := len(ids); n > maxPast {
		return Past{IDs: slices.Clone(ids[n-maxPast:])}
	}
	after := Past{IDs: slices.Concat(p.IDs, ids), All: p.All}
	if n := len(after.IDs); n > maxPast {
		after = Past{IDs: after.IDs[n-maxPast:]}
	}
	return after
}

// Encode returns the ids of a text that follows p, and the past after it. If p is the beginning, the ids include what the
// tokenizer puts before a text. With end, they also include what it puts after a text; the returned past does not include that,
// because the text may continue.
func (p Past) Encode(ctx context.Context, t *Tokenizer, text string, end bool) (ids []int64, after Past, err error) {
	if p.All && len(p.IDs) == 0 {
		ids, err = t.t.EncodeContext(ctx, text, false)
		ids = slices.Insert(ids, 0, t.Begin()...)
	} else {
		ids, err = t.t.ContinueContext(ctx, p.IDs, text)
	}
	after = p.Add(ids)
	if end {
		return append(ids, t.End()...), after, err
	}
	after.Open = true
	return ids, after, err
}

// Endings returns, for each past, the tokens that the tokenizer puts after the text if the text is still open. It is nil if
// there are none.
func Endings(t *Tokenizer, pasts []Past) [][]int64 {
	if t == nil || len(t.End()) == 0 || !slices.ContainsFunc(pasts, func(p Past) bool { return p.Open }) {
		return nil
	}
	all := make([][]int64, len(pasts))
	for i := range pasts {
		if pasts[i].Open {
			all[i], pasts[i].Open = t.End(), false
		}
	}
	return all
}

// decoder returns what shows the tokens that follow.
func (p Past) decoder(t *Tokenizer) *Decoder {
	d := t.NewDecoder(true)
	d.d.After(p.IDs, p.All)
	return d
}

// Begun returns the pasts of n new texts.
func Begun(n int) []Past {
	all := make([]Past, n)
	for i := range all {
		all[i].All = true
	}
	return all
}

// ReadPasts returns the pasts of the n sequences of a snapshot, from its notes. If a snapshot does not have such notes, its
// sequences continue unknown text.
func ReadPasts(notes map[string]string, n int) []Past {
	var all []Past
	if err := json.Unmarshal([]byte(notes[notePast]), &all); err != nil || len(all) != n {
		return make([]Past, n)
	}
	return all
}

// WritePasts returns notes for a snapshot, which ReadPasts reads.
func WritePasts(all []Past) (map[string]string, error) {
	text, err := json.Marshal(all)
	return map[string]string{notePast: string(text)}, err
}
