package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/convert"
)

func newDiffCmd(s *settings) *cobra.Command {
	var asJSON, all bool
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Compare the weights and settings of two checkpoints, across layouts",
		Long: `diff compares two checkpoints tensor by tensor, whatever layouts they are in: the same
bits, the same values in another dtype, or by how much they differ. Only what differs
is listed, unless --all. The exit status is 0 if they hold the same model.`,
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
			d, err := convert.Diff(cmd.Context(), a, b)
			if err != nil {
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
	cmd.Flags().BoolVar(&all, "all", false, "list tensors that do not differ as well")
	return cmd
}

// printDiff writes what differs, and a summary.
func printDiff(w io.Writer, d *convert.Difference, all bool) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	bits, values := 0, 0
	for _, t := range d.Tensors {
		what := fmt.Sprintf("differs by at most %.3g", float64(t.MaxAbs))
		switch {
		case t.SameBits:
			bits++
			what = "same bits"
		case t.SameValues:
			values++
			what = "same values"
		}
		if all || !t.SameValues {
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", t.Name, t.A, t.B, what)
		}
	}
	for _, name := range d.OnlyInA {
		fmt.Fprintf(tw, "%s\tonly in the first\n", name)
	}
	for _, name := range d.OnlyInB {
		fmt.Fprintf(tw, "%s\tonly in the second\n", name)
	}
	for _, k := range d.Config {
		fmt.Fprintf(tw, "%s\t%s\t%s\tsetting\n", k.Key, k.A, k.B)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	verdict := "different"
	if d.Identical {
		verdict = "the same model"
	}
	_, err := fmt.Fprintf(w, "%s: %d tensors of the same bits, %d of the same values, %d that differ, %d on one side only, %d settings that differ\n",
		verdict, bits, values, len(d.Tensors)-bits-values, len(d.OnlyInA)+len(d.OnlyInB), len(d.Config))
	return err
}
