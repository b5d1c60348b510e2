package model

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/tensor"
)

// Keys of a cache file's metadata.
const (
	metaModel  = "gomamba.model"    // Options.Fingerprint of the model it was made with
	metaDigest = "gomamba.sha256"   // of the values, see digest
	metaFloor  = "gomamba.dt_floor" // floored, if it was made with Options.DtFloor
	metaNote   = "gomamba.note."    // what the caller says, by its own key
)

// floored is the value of metaFloor.
const floored = "true"

// LoadCache reads the states of a batch of sequences from a dump. It also returns the logits for the next token if the dump
// holds logits for one position ([B, 1, V]), and otherwise nil. Errors are those of LoadSnapshot.
func (m *Model) LoadCache(path string) (c *Cache, logits []float32, err error) {
	s, err := m.LoadSnapshot(path)
	if err != nil {
		return nil, nil, err
	}
	return s.Cache, s.Logits, nil
}

// LoadSnapshot reads a file written by SaveSnapshot, or the states in another dump, whose input_ids are then the tokens seen.
// Errors name the tensor that is missing or does not fit the model. A file of SaveSnapshot is refused if its values were
// changed, or if it was made by a model with another fingerprint or another Options.DtFloor.
func (m *Model) LoadSnapshot(path string) (s *Snapshot, err error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.leave()
	d, err := dump.Read(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	s = &Snapshot{Cache: &Cache{Sequences: d.Batch()}, Notes: map[string]string{}}
	if s.Cache.states, err = blocks.Read[float32](d, m.states); err != nil {
		return nil, err
	}
	if s.Cache.scans, err = readCarries(d, m.states); err != nil {
		return nil, err
	}
	vocab := m.cfg.Shared().VocabSize
	if t, ok := d.Tensor(dump.Logits); ok && t.Shape[1] == 1 && t.Shape[2] == vocab {
		s.Logits = dump.Values[float32](t)
	}
	for key, text := range d.Metadata() {
		if name, ok := strings.CutPrefix(key, metaNote); ok {
			s.Notes[name] = text
		}
	}
	g, err := readGeneration(d, vocab)
	if err != nil {
		return nil, err
	}
	if err := m.checkOrigin(d, s, g); err != nil {
		return nil, err
	}
	g.restore(s)
	if ids, ok := d.InputIDs(); ok && g.ids == nil {
		b := Batch{Sequences: d.Batch(), Tokens: d.Tokens(), IDs: ids}
		b.Mask, _ = d.AttentionMask()
		if b.Check(vocab) == nil {
			s.Cache.remember(&b)
		}
	}
	return s, d.Changed()
}

// checkOrigin compares what a file says of itself with the model and with its values. Dumps made by others say nothing.
func (m *Model) checkOrigin(d *dump.Dump, s *Snapshot, g *generation) error {
	meta := d.Metadata()
	if made, ok := meta[metaModel]; ok {
		name, err := m.fingerprint()
		if err != nil {
			return err
		}
		if name != "" && made != name {
			return &badfile.FormatError{File: d.Path(), Where: "cache",
				Detail: fmt.Sprintf("made with another model: its fingerprint is %s, this model's %s", badfile.Quote(made[:min(12, len(made))]), badfile.Quote(name[:min(12, len(name))]))}
		}
	}
	if _, ours := meta[metaDigest]; ours && (meta[metaFloor] == floored) != m.dtFloor {
		made, now := "without a floor of dt", "has one"
		if !m.dtFloor {
			made, now = "with a floor of dt", "does not have one"
		}
		return &badfile.FormatError{File: d.Path(), Where: "cache",
			Detail: fmt.Sprintf("made %s, and this model %s: continue as it was made", made, now)}
	}
	if sum, ok := meta[metaDigest]; ok && sum != digest(s, g) || !ok && meta[metaModel] != "" {
		return &badfile.FormatError{File: d.Path(), Where: "cache", Detail: "damaged: the values are not those that were written"}
	}
	return nil
}

// digest is the SHA-256 of the states, layer by layer, and logits, as little-endian float32, of the notes, and of
// what generation continues from.
func digest(s *Snapshot, g *generation) string {
	sum := sha256.New()
	var buf [1 << 14]byte
	add := func(values []float32) {
		for len(values) > 0 {
			n := min(len(values), len(buf)/4)
			for i, v := range values[:n] {
				binary.LittleEndian.PutUint32(buf[4*i:], math.Float32bits(v))
			}
			sum.Write(buf[:4*n])
			values = values[n:]
		}
	}
	for _, layer := range s.Cache.states {
		for i := range layer {
			add(layer[i].All())
		}
	}
	for _, n := range s.Cache.states.Lengths() {
		sum.Write(binary.LittleEndian.AppendUint64(buf[:0], uint64(n)))
	}
	add(s.Logits)
	for _, key := range slices.Sorted(maps.Keys(s.Notes)) {
		fmt.Fprintf(sum, "%q%q", key, s.Notes[key])
	}
	for _, values := range [][]int64{g.ids, g.ages, g.random} {
		for _, v := range values {
			sum.Write(binary.LittleEndian.AppendUint64(buf[:0], uint64(v)))
		}
	}
	s.Cache.scans.digest(sum)
	return hex.EncodeToString(sum.Sum(nil))
}

// SaveCache writes the states to a dump, and also logits [B, 1, V] unless they are nil. Errors are those of SaveSnapshot.
func (m *Model) SaveCache(path string, c *Cache, logits []float32) error {
	return m.SaveSnapshot(path, &Snapshot{Cache: c, Logits: logits})
}

// SaveSnapshot writes a snapshot to a dump, with the model's fingerprint and a checksum. The file appears complete or not at
// all, and only replaces another dump. It is an error if the snapshot does not fit the model.
func (m *Model) SaveSnapshot(path string, s *Snapshot) error {
	if err := s.check(m); err != nil {
		return err
	}
	if err := m.enter(); err != nil {
		return err
	}
	defer m.leave()
	g := s.generation()
	meta := map[string]string{metaDigest: digest(s, g)}
	for name, text := range s.Notes {
		meta[metaNote+name] = text
	}
	name, err := m.fingerprint()
	if err != nil {
		return err
	}
	if name != "" {
		meta[metaModel] = name
	}
	if m.dtFloor {
		meta[metaFloor] = floored
	}
	c := s.Cache
	entries := slices.Concat(blocks.Entries(m.states, c.Sequences, c.states.Longest(), tensor.F32), c.scans.entries(m.states, c.Sequences), g.entries(c.Sequences))
	if s.Logits != nil {
		entries = append(entries, safetensors.Entry{
			Name: dump.Logits, DType: tensor.F32, Shape: []int{c.Sequences, 1, len(s.Logits) / c.Sequences}})
	}
	w, err := dump.Create(path, entries, meta)
	if err != nil {
		return err
	}
	defer w.Abort()
	if err := blocks.Write(w, c.states); err != nil {
		return err
	}
	if err := c.scans.write(w); err != nil {
		return err
	}
	if s.Logits != nil {
		if err := dump.Write(w, dump.Logits, 0, s.Logits); err != nil {
			return err
		}
	}
	if err := g.write(w); err != nil {
		return err
	}
	if err := m.Changed(); err != nil {
		return err
	}
	return w.Commit()
}
