package model

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/tensor"
)

// Snapshot is the state of generation for some sequences. A generator that is restored from it continues with exactly the same
// tokens as the original.
type Snapshot struct {
	Cache  *Cache            // with the tokens that the repeat penalty looks at
	Logits []float32         // [B, V] for the next tokens; nil: a prompt comes first
	Random []RandomState     // of each sequence; nil: draws begin with the seed
	Notes  map[string]string // what the caller wants to know again
}

// Repeat returns a snapshot with n copies of the sequences, each of which can continue differently.
func (s *Snapshot) Repeat(n int) *Snapshot {
	n = max(n, 0)
	return &Snapshot{Cache: s.Cache.Repeat(n), Logits: slices.Repeat(s.Logits, n), Random: slices.Repeat(s.Random, n), Notes: s.Notes}
}

// check reports a snapshot that does not belong to the model.
func (s *Snapshot) check(m *Model) error {
	if s == nil || s.Cache == nil {
		return errors.New("model: the snapshot has no cache")
	}
	n := s.Cache.Sequences
	if err := s.Cache.check(m, n); err != nil {
		return err
	}
	if vocab := m.cfg.Shared().VocabSize; s.Logits != nil && len(s.Logits) != n*vocab {
		return fmt.Errorf("model: %d logits for %d sequences and a vocabulary of %d: expected %d", len(s.Logits), n, vocab, n*vocab)
	}
	if s.Random != nil && len(s.Random) != n {
		return fmt.Errorf("model: %d random states for %d sequences", len(s.Random), n)
	}
	return nil
}

// generation is the part of a snapshot that a file keeps as integers.
type generation struct {
	ids, ages []int64 // [B, width], see dump
	width     int
	random    []int64 // [B, 2]
}

func (s *Snapshot) generation() *generation {
	g := &generation{}
	for _, h := range s.Cache.seen {
		g.width = max(g.width, len(h.last))
	}
	if g.width > 0 {
		for _, h := range s.Cache.seen {
			ids, ages := h.list()
			padding := slices.Repeat([]int64{-1}, g.width-len(ids))
			g.ids, g.ages = slices.Concat(g.ids, ids, padding), slices.Concat(g.ages, ages, padding)
		}
	}
	for _, r := range s.Random {
		g.random = append(g.random, int64(r[0]), int64(r[1]))
	}
	return g
}

// restore gives a snapshot what it had.
func (g *generation) restore(s *Snapshot) {
	for i := range len(g.ids) / max(g.width, 1) {
		ids, ages := g.ids[i*g.width:][:g.width], g.ages[i*g.width:][:g.width]
		if end := slices.Index(ids, -1); end >= 0 {
			ids, ages = ids[:end], ages[:end]
		}
		s.Cache.seen = append(s.Cache.seen, historyOf(ids, ages))
	}
	for i := 0; i < len(g.random); i += 2 {
		s.Random = append(s.Random, RandomState{uint64(g.random[i]), uint64(g.random[i+1])})
	}
}

// entries announces the tensors.
func (g *generation) entries(sequences int) (entries []safetensors.Entry) {
	if g.ids != nil {
		shape := []int{sequences, g.width}
		entries = append(entries, safetensors.Entry{Name: dump.SeenIDs, DType: tensor.I64, Shape: shape},
			safetensors.Entry{Name: dump.SeenAges, DType: tensor.I64, Shape: shape})
	}
	if g.random != nil {
		entries = append(entries, safetensors.Entry{Name: dump.RandomState, DType: tensor.I64, Shape: []int{sequences, 2}})
	}
	return entries
}

func (g *generation) write(w *dump.Writer) error {
	for _, part := range []struct {
		name   string
		values []int64
	}{{dump.SeenIDs, g.ids}, {dump.SeenAges, g.ages}, {dump.RandomState, g.random}} {
		if part.values == nil {
			continue
		}
		if err := dump.Write(w, part.name, 0, part.values); err != nil {
			return err
		}
	}
	return nil
}

// maxAge bounds how many tokens may have come after one.
const maxAge = 1 << 62

// readGeneration reads them from a dump. One that has none is fine.
func readGeneration(d *dump.Dump, vocab int) (*generation, error) {
	g := &generation{}
	var agesWidth, words int
	var err error
	for _, part := range []struct {
		name   string
		values *[]int64
		width  *int
	}{{dump.SeenIDs, &g.ids, &g.width}, {dump.SeenAges, &g.ages, &agesWidth}, {dump.RandomState, &g.random, &words}} {
		if *part.values, *part.width, err = d.Integers(part.name); err != nil {
			return nil, err
		}
	}
	bad := func(name, format string, args ...any) error {
		return &badfile.FormatError{File: d.Path(), Where: "tensor " + badfile.Quote(name), Detail: fmt.Sprintf(format, args...)}
	}
	switch {
	case g.width != agesWidth:
		return nil, bad(dump.SeenAges, "found %d values a sequence, %s has %d", agesWidth, dump.SeenIDs, g.width)
	case g.random != nil && words != 2:
		return nil, bad(dump.RandomState, "found %d words a sequence, expected 2", words)
	}
	for i, id := range g.ids {
		if id < -1 || id >= int64(vocab) {
			return nil, bad(dump.SeenIDs, "found the id %d, expected -1 or 0 to %d: made with another model?", id, vocab-1)
		}
		if age := g.ages[i]; id >= 0 && (age < 0 || age > maxAge) {
			return nil, bad(dump.SeenAges, "found %d, expected 0 or more", age)
		}
	}
	return g, nil
}
