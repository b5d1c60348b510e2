package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/compare"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/loader"
)

func newDiffCmd(s *settings) *cobra.Command {
	var asJSON, all bool
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Compare weights and settings of two checkpoints, across layouts",
		Long: `diff compares two checkpoints tensor by tensor, in whatever layouts they are. Tensors have
the same bits, the same values in another dtype, or differ by some amount. Only those that
differ are listed, unless you pass --all. The exit status is 0 if both hold the same model,
that is, if no weight or setting makes a difference to a result. A tied head counts as its
embedding and a missing bias as zero, and A_log is compared as -exp(A_log), which is what
GGUF stores.`,
		Example: `  gomamba diff mamba-130m-hf mamba-130m.gguf
  gomamba diff base tuned --json`,
		Args: usage(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			opts := s.loading()
			a, err := openCheckpoint(cmd, opts, args[0])
			if err != nil {
				return err
			}
			defer closing(&err, a)
			b, err := openCheckpoint(cmd, opts, args[1])
			if err != nil {
				return err
			}
			defer closing(&err, b)
			var d *compare.Difference
			if err := withBar(cmd, tensorBytes(a), func(progress func(done, total int64)) (err error) {
				d, err = compare.Diff(cmd.Context(), a, b, loader.ReadOptions{Threads: s.threads, Progress: progress})
				return err
			}); err != nil {
				return err
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), d)
			} else {
				err = printDiff(cmd.OutOrStdout(), d, all)
			}
			if err == nil && !d.Identical {
				err = errCheckFailed
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&all, "all", false, "also list tensors that do not differ")
	return cmd
}

// printDiff writes what differs, and a summary.
func printDiff(w io.Writer, d *compare.Difference, all bool) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	bits, values, sameA := 0, 0, 0
	for _, t := range d.Tensors {
		what := fmt.Sprintf("differs by at most %.3g", float64(t.MaxAbs))
		switch {
		case t.OtherShape:
			what = "has another shape"
		case t.SameBits:
			bits++
			what = "same bits"
		case t.SameValues:
			values++
			what = "same values"
		case t.SameA:
			sameA++
			what = fmt.Sprintf("same A, differs by at most %.3g", float64(t.MaxAbs))
		}
		if all || !t.Same() {
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", t.Name, t.A, t.B, what)
		}
	}
	for _, name := range d.OnlyInA {
		fmt.Fprintf(tw, "%s\tonly in the first\n", badfile.Printable(name))
	}
	for _, name := range d.OnlyInB {
		fmt.Fprintf(tw, "%s\tonly in the second\n", badfile.Printable(name))
	}
	settings := 0
	for _, k := range d.Config {
		what := "setting"
		if k.Results {
			settings++
		} else {
			what = "setting that does not affect results"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", badfile.Printable(k.Key), badfile.Printable(orNone(k.A)), badfile.Printable(orNone(k.B)), what)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	summary := "different"
	if d.Identical {
		summary = "the same model"
	}
	_, err := fmt.Fprintf(w, "%s: %s of the same bits, %d of the same values, %d of the same A, %s, %d on one side only, %s\n",
		verdict(d.Identical).on(w, summary), badfile.Count(bits, "tensor"), values, sameA,
		thatDiffer(fmt.Sprint(len(d.Tensors)-bits-values-sameA)), len(d.OnlyInA)+len(d.OnlyInB), thatDiffer(badfile.Count(settings, "setting")))
	return err
}

// thatDiffer says of a number of things that they differ.
func thatDiffer(count string) string {
	if n, _, _ := strings.Cut(count, " "); n == "1" {
		return count + " that differs"
	}
	return count + " that differ"
}

// orNone stands in for the value of a key that is not there.
func orNone(value string) string {
	if value == "" {
		return "none"
	}
	return value
}
