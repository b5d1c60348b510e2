package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// quantized is the shape whose types docs/quantization.md has a table of, between two lines that are comments.
const (
	quantized     = "mamba-130m-quantized"
	quantizedPage = "docs/quantization.md"
	tableBegin    = "<!-- speed: make quants writes what follows -->\n"
	tableEnd      = "<!-- end of speed -->\n"
)

// page returns docs/quantization.md with the table as it was measured, or nil if it was not.
func (s *speedFile) page(root string) ([]byte, error) {
	for _, shape := range s.Shapes {
		if shape.Shape != quantized {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, quantizedPage))
		if err != nil {
			return nil, err
		}
		before, rest, ok := bytes.Cut(text, []byte(tableBegin))
		_, after, ends := bytes.Cut(rest, []byte(tableEnd))
		if !ok || !ends {
			return nil, fmt.Errorf("%s: expected the lines %q and %q around the table", quantizedPage, tableBegin, tableEnd)
		}
		return []byte(string(before) + tableBegin + shape.table() + tableEnd + string(after)), nil
	}
	return nil, nil
}

// table has a line for each dtype that gomamba ran.
func (s *speedShape) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "![Decode and prefill of every type in tokens per second, beside llama.cpp](../%s/speed-%s.svg)\n\n", measured, s.Shape)
	fmt.Fprintf(&b, "mamba-130m's shape on %s,\n%s, medians of %d rounds in turns.\n", s.Machine, s.Date, s.Rounds)
	b.WriteString("Bandwidth is the share of what only reading the weights reaches in the same run.\n\n")
	b.WriteString("| `--dtype` | weights | decode, tokens/s | bandwidth | over llama.cpp | prefill, tokens/s | over llama.cpp |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, r := range s.Results {
		if r.Peer != self || r.Decode == nil || r.Prefill == nil {
			continue
		}
		fmt.Fprintf(&b, "| %s | %.0f MB | %s | %.2f | %s | %s | %s |\n", r.DType, r.WeightBytes/1e6, speed(r.Decode.Median), r.OfBandwidth,
			times(r.DecodeOver), speed(r.Prefill.Median), times(r.PrefillOver))
	}
	return b.String()
}

// times writes a ratio, of which there is none if the other did not run.
func times(ratio float64) string {
	if ratio == 0 {
		return "not measured"
	}
	return fmt.Sprintf("%.2f", ratio)
}
