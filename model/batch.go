package model

import (
	"fmt"
	"slices"
)

// Batch is the input of a forward pass: B sequences of T token ids each. Shorter sequences are padded on the left or on the
// right, and Mask says which ids are real. Padding does not influence results: a padded sequence gives the same bits as by
// itself.
type Batch struct {
	Sequences int     // B
	Tokens    int     // T
	IDs       []int64 // [B, T]
	Mask      []int64 // [B, T], 1 for a token, 0 for padding; nil: no padding. One run of ones in each row
}

// Single returns the batch of one sequence.
func Single(ids []int64) Batch {
	return Batch{Sequences: 1, Tokens: len(ids), IDs: ids}
}

// Check reports the first thing that is wrong with the batch for a vocabulary of vocab ids.
func (b *Batch) Check(vocab int) error {
	if b.Sequences < 0 || b.Tokens < 0 {
		return fmt.Errorf("a batch of %d × %d: expected 1 × 1 or more", b.Sequences, b.Tokens)
	}
	if b.Sequences < 1 || b.Tokens < 1 {
		return fmt.Errorf("the prompt is empty: a forward pass needs at least one token")
	}
	if len(b.IDs)/b.Sequences != b.Tokens || len(b.IDs)%b.Sequences != 0 {
		return fmt.Errorf("%d ids for a batch of %d × %d", len(b.IDs), b.Sequences, b.Tokens)
	}
	if b.Mask != nil && len(b.Mask) != len(b.IDs) {
		return fmt.Errorf("%d mask values for a batch of %d × %d", len(b.Mask), b.Sequences, b.Tokens)
	}
	for i, id := range b.IDs {
		if id < 0 || id >= int64(vocab) {
			return fmt.Errorf("token id %d at position %d of sequence %d is out of range: the vocabulary has ids 0 to %d",
				id, i%b.Tokens, i/b.Tokens, vocab-1)
		}
	}
	if b.Mask == nil {
		return nil
	}
	for seq := range b.Sequences {
		if err := b.checkMask(seq); err != nil {
			return err
		}
	}
	if !slices.Contains(b.Mask, 1) {
		return fmt.Errorf("the attention mask is all zeros: a forward pass needs at least one token")
	}
	return nil
}

// checkMask reports a mask row that is not zeros, then ones, then zeros. A row of zeros is a sequence that has
// nothing in this piece of the prompt.
func (b *Batch) checkMask(seq int) error {
	row := b.Mask[seq*b.Tokens:][:b.Tokens]
	runs := 0
	for t, v := range row {
		if v != 0 && v != 1 {
			return fmt.Errorf("attention mask of sequence %d holds %d at position %d, expected 0 or 1", seq, v, t)
		}
		if v == 1 && (t == 0 || row[t-1] == 0) {
			if runs++; runs > 1 {
				return fmt.Errorf("attention mask of sequence %d has a gap before position %d: padding may stand only on the left or on the right", seq, t)
			}
		}
	}
	return nil
}

// Real returns the range of positions of a sequence that hold tokens and not padding.
func (b *Batch) Real(seq int) (from, to int) {
	if b.Mask == nil {
		return 0, b.Tokens
	}
	row := b.Mask[seq*b.Tokens:][:b.Tokens]
	for from < len(row) && row[from] == 0 {
		from++
	}
	for to = from; to < len(row) && row[to] == 1; to++ {
	}
	return from, to
}
