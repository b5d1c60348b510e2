package text

import (
	"context"
	"encoding/json"
	"slices"
)

// Past is what a text continues: the last of the tokens before, on which it depends how the next ones are written and shown.
// The zero value continues tokens that are not known; Past{All: true} begins.
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

// Add returns the past with the tokens that follow, keeping only the last ones.
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

// Encode returns the ids of a text, and the past with it. A text that goes on from nothing begins. With end, ids include
// what the tokenizer puts behind a text, which the past does not, as the text may go on.
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

// Endings returns what the tokenizer puts behind texts that are open, none if nothing.
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

// Begun returns the pasts of n texts that begin.
func Begun(n int) []Past {
	all := make([]Past, n)
	for i := range all {
		all[i].All = true
	}
	return all
}

// ReadPasts returns what the n sequences of a snapshot continue, from its notes. A cache without it goes on from a text that is not known.
func ReadPasts(notes map[string]string, n int) []Past {
	var all []Past
	if err := json.Unmarshal([]byte(notes[notePast]), &all); err != nil || len(all) != n {
		return make([]Past, n)
	}
	return all
}

// WritePasts returns the notes of a snapshot from which ReadPasts reads.
func WritePasts(all []Past) (map[string]string, error) {
	text, err := json.Marshal(all)
	return map[string]string{notePast: string(text)}, err
}
