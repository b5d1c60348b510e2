package model

import (
	"encoding/binary"
	"fmt"
	"hash"
	"math"
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/tensor"
)

// carries are where the parallel scans of a cache stand in their blocks, for each layer and sequence; of layers without a
// scan there are none. nil: at the beginning.
type carries [][]kernel.Carry

// readyScan prepares the cache for a model.
func (c *Cache) readyScan(m *Model) {
	switch {
	case !m.parallelScan:
		c.scans = nil // the states move on without them
	case c.scans == nil:
		c.scans = make(carries, len(m.states))
		for l := range c.scans {
			shape := scanned(m.states[l], 1)
			if shape == nil {
				continue
			}
			for range c.Sequences {
				c.scans[l] = append(c.scans[l], kernel.NewCarry(timeShape(shape)[1], shape[len(shape)-1]))
			}
		}
	}
}

// scanned returns the shape of the state of a layer that a scan moves on: [B, I, N] or [B, H, P, N]; nil if there is none.
func scanned(layer []blocks.Spec, sequences int) []int {
	for i := range layer {
		if layer[i].Scanned {
			return layer[i].Of(sequences, 0)
		}
	}
	return nil
}

// scans reports whether a scan moves the state of any layer on.
func (m *Model) scans() bool {
	return slices.ContainsFunc(m.states, func(layer []blocks.Spec) bool { return scanned(layer, 1) != nil })
}

// repeat returns n copies of each.
func (s carries) repeat(n int) carries {
	if s == nil {
		return nil
	}
	all := make(carries, len(s))
	for l := range s {
		for range n {
			for _, c := range s[l] {
				all[l] = append(all[l], kernel.Carry{Tokens: c.Tokens,
					Start: slices.Clone(c.Start), Input: slices.Clone(c.Input), Time: slices.Clone(c.Time)})
			}
		}
	}
	return all
}

// between reports whether any of them stands inside a block, so that its sums are needed.
func (s carries) between() bool {
	return slices.ContainsFunc(s, func(layer []kernel.Carry) bool {
		return slices.ContainsFunc(layer, func(c kernel.Carry) bool { return c.Tokens > 0 })
	})
}

// entries announces the tensors in which SaveCache writes them.
func (s carries) entries(states [][]blocks.Spec, sequences int) (entries []safetensors.Entry) {
	if !s.between() {
		return nil
	}
	entries = append(entries, safetensors.Entry{Name: dump.ScanTokens, DType: tensor.I64, Shape: []int{sequences}})
	for l := range s {
		if shape := scanned(states[l], sequences); shape != nil {
			entries = append(entries,
				safetensors.Entry{Name: dump.ScanStart(l), DType: tensor.F32, Shape: shape},
				safetensors.Entry{Name: dump.ScanInput(l), DType: tensor.F32, Shape: shape},
				safetensors.Entry{Name: dump.ScanTime(l), DType: tensor.F64, Shape: timeShape(shape)})
		}
	}
	return entries
}

// timeShape is [B, I] for the shape [B, I, N] or [B, H, P, N] of SSM states.
func timeShape(ssm []int) []int {
	channels := 1
	for _, n := range ssm[1 : len(ssm)-1] {
		channels *= n
	}
	return []int{ssm[0], channels}
}

// write writes what entries announces.
func (s carries) write(w *dump.Writer) error {
	if !s.between() {
		return nil
	}
	counted := false // the scans of all layers stand at the same token
	for l, layer := range s {
		for i, c := range layer {
			if !counted {
				if err := dump.Write(w, dump.ScanTokens, i, []int64{int64(c.Tokens)}); err != nil {
					return err
				}
			}
			if err := dump.Write(w, dump.ScanStart(l), i*len(c.Start), c.Start); err != nil {
				return err
			}
			if err := dump.Write(w, dump.ScanInput(l), i*len(c.Input), c.Input); err != nil {
				return err
			}
			if err := dump.Write(w, dump.ScanTime(l), i*len(c.Time), c.Time); err != nil {
				return err
			}
		}
		counted = counted || len(layer) > 0
	}
	return nil
}

// digest adds what entries announces to a checksum.
func (s carries) digest(sum hash.Hash) {
	if !s.between() {
		return
	}
	var word [8]byte
	put := func(v uint64) {
		binary.LittleEndian.PutUint64(word[:], v)
		sum.Write(word[:])
	}
	for _, layer := range s {
		for _, c := range layer {
			put(uint64(c.Tokens))
			for i := range c.Start {
				put(uint64(math.Float32bits(c.Start[i]))<<32 | uint64(math.Float32bits(c.Input[i])))
			}
			for _, v := range c.Time {
				put(math.Float64bits(v))
			}
		}
	}
}

// readCarries reads them from a dump with states as described; nil if the dump has none.
func readCarries(d *dump.Dump, states [][]blocks.Spec) (carries, error) {
	tokens, ok := d.Tensor(dump.ScanTokens)
	if !ok {
		return nil, nil
	}
	sequences := []int{d.Batch()}
	counts, ok := tensor.Int64s(tokens)
	if !ok || !slices.Equal(tokens.Shape, sequences) {
		return nil, badScan(d, dump.ScanTokens, fmt.Sprintf("found %s %v, expected I64 %v", tokens.DType, tokens.Shape, sequences))
	}
	for _, n := range counts {
		if n < 0 || n >= kernel.ScanBlock {
			return nil, badScan(d, dump.ScanTokens, fmt.Sprintf("found %d, expected 0 to %d", n, kernel.ScanBlock-1))
		}
	}
	s := make(carries, len(states))
	for l := range s {
		var err error
		if shape := scanned(states[l], d.Batch()); shape != nil {
			if s[l], err = readCarry(d, l, shape, counts); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// readCarry reads those of layer l, whose scanned state has this shape.
func readCarry(d *dump.Dump, l int, shape []int, counts []int64) (all []kernel.Carry, err error) {
	var parts [3]tensor.Tensor
	times := timeShape(shape)
	for i, name := range []string{dump.ScanStart(l), dump.ScanInput(l), dump.ScanTime(l)} {
		want, dtype := shape, tensor.F32
		if i == 2 {
			want, dtype = times, tensor.F64
		}
		t, ok := d.Tensor(name)
		if !ok || t.DType != dtype || !slices.Equal(t.Shape, want) {
			return nil, badScan(d, name, fmt.Sprintf("missing, or not %s %v: made with another model?", dtype, want))
		}
		parts[i] = t
	}
	start, input, time := dump.Values[float32](parts[0]), dump.Values[float32](parts[1]), dump.Values[float64](parts[2])
	size, channels := len(start)/shape[0], times[1]
	for i, n := range counts {
		all = append(all, kernel.Carry{Tokens: int(n), Start: start[i*size:][:size:size],
			Input: input[i*size:][:size:size], Time: time[i*channels:][:channels:channels]})
	}
	return all, nil
}

func badScan(d *dump.Dump, name, detail string) error {
	return &badfile.FormatError{File: d.Path(), Where: "tensor " + badfile.Quote(name), Detail: detail}
}
