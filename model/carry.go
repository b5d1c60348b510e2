package model

import (
	"encoding/binary"
	"fmt"
	"hash"
	"math"
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/tensor"
)

// carries are where the parallel scans of a cache stand in their blocks, for each layer and sequence. nil: at the beginning.
type carries [][]kernel.Carry

// readyScan prepares the cache for a model.
func (c *Cache) readyScan(m *Model) {
	switch {
	case !m.parallelScan:
		c.scans = nil // the states move on without them
	case c.scans == nil:
		c.scans = make(carries, len(m.mixers))
		channels, states := m.cfg.DInner(), m.cfg.Shared().StateSize
		for l := range c.scans {
			for range c.Sequences {
				c.scans[l] = append(c.scans[l], kernel.NewCarry(channels, states))
			}
		}
	}
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

// entries announces the tensors in which SaveCache writes them; ssm is the shape of SSM states.
func (s carries) entries(ssm []int) (entries []safetensors.Entry) {
	if !s.between() {
		return nil
	}
	entries = append(entries, safetensors.Entry{Name: dump.ScanTokens, DType: tensor.I64, Shape: ssm[:1]})
	for l := range s {
		entries = append(entries,
			safetensors.Entry{Name: dump.ScanStart(l), DType: tensor.F32, Shape: ssm},
			safetensors.Entry{Name: dump.ScanInput(l), DType: tensor.F32, Shape: ssm},
			safetensors.Entry{Name: dump.ScanTime(l), DType: tensor.F64, Shape: timeShape(ssm)})
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
	for l, layer := range s {
		for i, c := range layer {
			if l == 0 {
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

// readCarries reads them from a dump that has states of ssm's shape; nil if the dump has none.
func readCarries(d *dump.Dump, layers int, ssm []int) (carries, error) {
	tokens, ok := d.Tensor(dump.ScanTokens)
	if !ok {
		return nil, nil
	}
	counts, ok := tensor.Int64s(tokens)
	if !ok || !slices.Equal(tokens.Shape, ssm[:1]) {
		return nil, badScan(d, dump.ScanTokens, fmt.Sprintf("found %s %v, expected I64 %v", tokens.DType, tokens.Shape, ssm[:1]))
	}
	s, times := make(carries, layers), timeShape(ssm)
	for l := range s {
		var parts [3]tensor.Tensor
		for i, name := range []string{dump.ScanStart(l), dump.ScanInput(l), dump.ScanTime(l)} {
			want, dtype := ssm, tensor.F32
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
		size, channels := len(start)/ssm[0], times[1]
		for i := range counts {
			if counts[i] < 0 || counts[i] >= kernel.ScanBlock {
				return nil, badScan(d, dump.ScanTokens, fmt.Sprintf("found %d, expected 0 to %d", counts[i], kernel.ScanBlock-1))
			}
			s[l] = append(s[l], kernel.Carry{Tokens: int(counts[i]), Start: start[i*size:][:size:size],
				Input: input[i*size:][:size:size], Time: time[i*channels:][:channels:channels]})
		}
	}
	return s, nil
}

func badScan(d *dump.Dump, name, detail string) error {
	return &badfile.FormatError{File: d.Path(), Where: "tensor " + badfile.Quote(name), Detail: detail}
}
