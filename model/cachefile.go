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

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/internal/tensor"
)

// Keys of a cache file's metadata.
const (
	metaModel  = "gomamba.model"  // Options.Fingerprint of the model it was made with
	metaDigest = "gomamba.sha256" // of the values, see digest
	metaNote   = "gomamba.note."  // what the caller says, by its own key
)

// LoadCache reads the states of a batch of sequences from a dump, and the logits for the token that comes next where
// it holds them for one position ([B, 1, V], else nil). Errors name the tensor that is missing or does not fit the
// model. A file of SaveCache is refused when its values are not those written, and when it was made with a model of
// another fingerprint.
func (m *Model) LoadCache(path string) (c *Cache, logits []float32, err error) {
	c, logits, _, err = m.LoadNotedCache(path)
	return c, logits, err
}

// LoadNotedCache is LoadCache that returns the notes of SaveNotedCache too.
func (m *Model) LoadNotedCache(path string) (c *Cache, logits []float32, notes map[string]string, err error) {
	d, err := dump.Read(path)
	if err != nil {
		return nil, nil, nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	c = &Cache{Sequences: d.Batch()}
	if c.ConvStates, c.SSMStates, err = dump.States[float32](d); err != nil {
		return nil, nil, nil, err
	}
	if err := CheckStates(m.cfg, d); err != nil {
		return nil, nil, nil, err
	}
	_, ssm := StateShape(m.cfg, c.Sequences)
	if c.scans, err = readCarries(d, len(m.mixers), ssm); err != nil {
		return nil, nil, nil, err
	}
	if t, ok := d.Tensor(dump.Logits); ok && t.Shape[1] == 1 && t.Shape[2] == m.cfg.Shared().VocabSize {
		logits = dump.Values[float32](t)
	}
	notes = map[string]string{}
	for key, text := range d.Metadata() {
		if name, ok := strings.CutPrefix(key, metaNote); ok {
			notes[name] = text
		}
	}
	if err := m.checkOrigin(d, c, logits, notes); err != nil {
		return nil, nil, nil, err
	}
	return c, logits, notes, d.Changed()
}

// checkOrigin compares what a file says of itself with the model and with its values. Dumps made by others say nothing.
func (m *Model) checkOrigin(d *dump.Dump, c *Cache, logits []float32, notes map[string]string) error {
	meta := d.Metadata()
	if made, ok := meta[metaModel]; ok && m.fingerprint != "" && made != m.fingerprint {
		return &badfile.FormatError{File: d.Path(), Where: "cache",
			Detail: fmt.Sprintf("made with another model: its fingerprint is %s, this model's %s", badfile.Quote(made[:min(12, len(made))]), badfile.Quote(m.fingerprint[:min(12, len(m.fingerprint))]))}
	}
	if sum, ok := meta[metaDigest]; ok && sum != digest(c, logits, notes) || !ok && meta[metaModel] != "" {
		return &badfile.FormatError{File: d.Path(), Where: "cache", Detail: "damaged: the values are not those that were written"}
	}
	return nil
}

// digest is the SHA-256 of conv and SSM states, layer by layer, and logits, as little-endian float32, and of the notes.
func digest(c *Cache, logits []float32, notes map[string]string) string {
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
	for l := range c.ConvStates {
		add(c.ConvStates[l])
		add(c.SSMStates[l])
	}
	add(logits)
	for _, key := range slices.Sorted(maps.Keys(notes)) {
		fmt.Fprintf(sum, "%q%q", key, notes[key])
	}
	c.scans.digest(sum)
	return hex.EncodeToString(sum.Sum(nil))
}

// SaveCache writes the states to a dump, and logits [B, 1, V] beside them unless nil, with the model's fingerprint and a
// checksum. The file appears whole or not at all; a dump of that name is replaced, and nothing else.
func (m *Model) SaveCache(path string, c *Cache, logits []float32) error {
	return m.SaveNotedCache(path, c, logits, nil)
}

// SaveNotedCache is SaveCache with what the caller wants to know again when it loads the file.
func (m *Model) SaveNotedCache(path string, c *Cache, logits []float32, notes map[string]string) error {
	if err := c.check(m, c.Sequences); err != nil {
		return err
	}
	conv, ssm := StateShape(m.cfg, c.Sequences)
	entries := append(dump.StateEntries(tensor.F32, len(m.mixers), conv, ssm), c.scans.entries(ssm)...)
	if logits != nil {
		entries = append(entries, safetensors.Entry{
			Name: dump.Logits, DType: tensor.F32, Shape: []int{c.Sequences, 1, len(logits) / c.Sequences}})
	}
	meta := map[string]string{metaDigest: digest(c, logits, notes)}
	for name, text := range notes {
		meta[metaNote+name] = text
	}
	if m.fingerprint != "" {
		meta[metaModel] = m.fingerprint
	}
	w, err := dump.Create(path, entries, meta)
	if err != nil {
		return err
	}
	defer w.Abort()
	if err := dump.WriteStates(w, c.ConvStates, c.SSMStates); err != nil {
		return err
	}
	if err := c.scans.write(w); err != nil {
		return err
	}
	if logits != nil {
		if err := dump.Write(w, dump.Logits, 0, logits); err != nil {
			return err
		}
	}
	if err := m.Changed(); err != nil {
		return err
	}
	return w.Commit()
}

// CheckStates reports states in a dump that are not those of a model of this configuration, by number or shape.
func CheckStates(cfg config.Config, d *dump.Dump) error {
	conv, ssm, err := d.Cache()
	if err != nil {
		return err
	}
	layers := cfg.Shared().NumHiddenLayers
	if len(conv) != layers {
		return &badfile.FormatError{File: d.Path(), Where: "cache",
			Detail: fmt.Sprintf("found states of %d layers, the model has %d: made with another model?", len(conv), layers)}
	}
	wantConv, wantSSM := StateShape(cfg, d.Batch())
	for l := range conv {
		for _, s := range []struct {
			t    tensor.Tensor
			want []int
		}{{conv[l], wantConv}, {ssm[l], wantSSM}} {
			if !slices.Equal(s.t.Shape, s.want) {
				return &badfile.FormatError{File: d.Path(), Where: "tensor " + badfile.Quote(s.t.Name),
					Detail: fmt.Sprintf("found shape %v, the model has %v: made with another model?", s.t.Shape, s.want)}
			}
		}
	}
	return nil
}
