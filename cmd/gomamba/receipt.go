package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/compare"
	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/internal/stream"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/tensor"
)

// converted is what convert reports; its JSON form is a contract.
type converted struct {
	Path     string           `json:"path"`
	Layout   convert.Layout   `json:"layout"`
	Tensors  int              `json:"tensors"`
	Bytes    int64            `json:"bytes"`
	Seconds  float64          `json:"seconds"`
	Verified bool             `json:"verified"`
	Deltas   []compare.Delta  `json:"deltas,omitempty"`  // of an adapter that was merged
	Receipt  *compare.Receipt `json:"receipt,omitempty"` // when asked for
}

// maxText bounds the text of a receipt, so that a mistaken path does not fill the memory.
const maxText = 1 << 26

// checkReceipt checks the flags of the receipt against one another.
func (f *convertFlags) checkReceipt() error {
	given := 0
	for _, input := range []string{f.prompt.ids, f.prompt.text, f.prompt.in} {
		if input != "" {
			given++
		}
	}
	switch {
	case f.receipt && f.dryRun:
		return usagef("--receipt with --dry-run: there is nothing to compare; leave one out")
	case given > 0 && !f.receipt:
		return usagef("--ids, --text and --in are for --receipt, which is not given")
	case given > 1:
		return usagef("expected one of --ids, --text and --in")
	}
	return nil
}

// batch reads the prompt of the receipt, nil for the fixed one.
func (f *convertFlags) batch(cmd *cobra.Command, s *settings, ck *loader.Checkpoint) (*model.Batch, error) {
	if f.prompt.ids == "" && f.prompt.text == "" && f.prompt.in == "" {
		return nil, nil
	}
	if in := f.prompt.in; in != "" && (stream.Is(in) || !strings.EqualFold(filepath.Ext(in), ".safetensors")) {
		data, err := readInput(cmd, in, maxText)
		if err != nil {
			return nil, err
		}
		if safetensors.Is(data) {
			return f.piped(in, data, ck)
		}
		if f.prompt.in, f.prompt.text = "", string(data); len(data) == 0 {
			return nil, fmt.Errorf("%s is empty, expected a text", in)
		}
	}
	if err := f.prompt.encode(cmd, s, ck); err != nil {
		return nil, err
	}
	b, err := f.prompt.batch(cmd)
	if err != nil {
		return nil, err
	}
	return &b, b.Check(ck.Config().Shared().VocabSize)
}

// piped takes the prompt from a dump without the name of one.
func (f *convertFlags) piped(name string, data []byte, ck *loader.Checkpoint) (*model.Batch, error) {
	d, err := dump.Parse(name, data)
	if err != nil {
		return nil, err
	}
	b, err := batchOf(d)
	if err != nil {
		return nil, err
	}
	return &b, b.Check(ck.Config().Shared().VocabSize)
}

// print writes the report for people.
func (c *converted) print(w io.Writer) error {
	if err := printDeltas(w, c.Deltas); err != nil {
		return err
	}
	verified := ""
	if c.Verified {
		verified = ", verified bit by bit"
	}
	_, err := fmt.Fprintf(w, "%s: %s, %d tensors, %s in %.1f s%s\n", c.Path, c.Layout, c.Tensors, bytesText(c.Bytes), c.Seconds, verified)
	if err != nil || c.Receipt == nil {
		return err
	}
	return printReceipt(w, c.Receipt)
}

// kind is all tensors of one name, whatever their block, that changed alike.
type kind struct {
	name, from, to string
	tensors        int
	maxRel, rmsRel tensor.Number // the largest
}

// printReceipt writes a receipt for people, the tensors of all blocks together.
func printReceipt(w io.Writer, r *compare.Receipt) error {
	var kinds []*kind
	find := func(l compare.Loss) *kind {
		name := anyBlock(l.Name)
		for _, k := range kinds {
			if k.name == name && k.from == l.From && k.to == l.To {
				return k
			}
		}
		k := &kind{name: name, from: l.From, to: l.To}
		kinds = append(kinds, k)
		return k
	}
	for _, l := range r.Tensors {
		k := find(l)
		k.tensors++
		k.maxRel, k.rmsRel = max(k.maxRel, l.MaxRel), max(k.rmsRel, l.RMSRel)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(kinds) > 0 {
		fmt.Fprintf(tw, "changed\tfrom\tto\ttensors\tmax error\trms error\n")
	}
	for _, k := range kinds {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%.2e\t%.2e\n", badfile.Printable(k.name), k.from, k.to, k.tensors, k.maxRel, k.rmsRel)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	l := r.Logits
	_, err := fmt.Fprintf(w, "%d tensors keep their values; errors are relative to a tensor's largest value, and to its root mean square\n"+
		"logits after %d tokens: off by %.2e of the largest at most; KL divergence %.2e nats in the mean, %.2e at most; "+
		"the same likeliest token after %.1f %%\n", r.Same, l.Tokens, l.MaxRel, l.MeanKL, l.MaxKL, 100*l.SameTop)
	return err
}

// anyBlock replaces the number of the block in a tensor's name by a star.
func anyBlock(name string) string {
	parts := strings.Split(name, ".")
	for i, part := range parts {
		if _, err := strconv.Atoi(part); err == nil {
			parts[i] = "*"
		}
	}
	return strings.Join(parts, ".")
}
