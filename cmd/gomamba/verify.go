package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/model/parity"
)

// verifyFlags are the flags of the command.
type verifyFlags struct {
	tolerance parity.Tolerance
	html      string
	asJSON    bool
}

func newVerifyCmd(s *settings) *cobra.Command {
	f := &verifyFlags{}
	cmd := &cobra.Command{
		Use:   "verify MODEL [REF]",
		Short: "Prove that an implementation computes the right numbers",
		Long: `verify compares a reference file with this checkpoint, tensor by tensor in the order in
which the network computes them, and reports the first one that fails. REF is a safetensors
file from forward, or from a few lines of Python that dump what transformers computes:
input_ids, and any of logits, hidden_states.{i}, cache.conv_states.{l} and
cache.ssm_states.{l}. - reads it from stdin. Without REF, verify checks gomamba's own
float32 results on a built-in prompt.

The comparison is with a float64 run of the textbook recurrence. How much rounding can
change a result is measured on the model itself, so a model that amplifies rounding errors
gets a wide tolerance and a well-behaved one a narrow one. With --atol or --rtol, verify
instead compares the reference with our float32 results:
|ours - reference| <= atol + rtol * |reference|.

A reference whose values are all BF16 or F16 was computed in that arithmetic and is judged
accordingly, to a few digits. To check it in float32, load the model with
dtype=torch.float32 and dump it again.

On a CPU, transformers raises dt to time_step_min in full passes of Nemotron-H and Zamba2,
although training does not. Such a reference passes, and verify says so. --dt-floor makes
gomamba do the same.

Other tensors in REF are listed as not compared. If a name looks misspelt and REF has
nothing under the right name, the verdict is "not comparable". It is also "not comparable"
if the model computes NaN or infinities and no earlier tensor differs.

The verdict is identical, rounding only, different or not comparable. The exit status is 0
for the first two and 1 for the others.`,
		Example: `  gomamba verify mamba-130m-hf
  gomamba verify mamba-130m-hf reference.safetensors
  gomamba verify mamba-130m-hf reference.safetensors --html report.html
  gomamba verify mamba-130m-hf reference.safetensors --atol 1e-4 --json`,
		Args: usage(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, s, args) },
	}
	cmd.Flags().Float64Var(&f.tolerance.Abs, "atol", 0, "absolute tolerance, instead of calibration")
	cmd.Flags().Float64Var(&f.tolerance.Rel, "rtol", 0, "relative tolerance, instead of calibration")
	fileVar(cmd.Flags(), &f.html, "html", "", "also write the report as an HTML page; - is stdout")
	addScanFlag(cmd, s)
	addFloorFlag(cmd, s)
	addAdapterFlag(cmd, s)
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

func (f *verifyFlags) run(cmd *cobra.Command, s *settings, args []string) error {
	tolerance := &f.tolerance
	if !cmd.Flags().Changed("atol") && !cmd.Flags().Changed("rtol") {
		tolerance = nil
	} else if !(tolerance.Abs >= 0 && tolerance.Rel >= 0) {
		return usagef("--atol %v --rtol %v: expected numbers of at least 0", tolerance.Abs, tolerance.Rel)
	}
	ref := ""
	if len(args) > 1 {
		var err error
		if ref, err = input(cmd, "REF", args[1]); err != nil {
			return err
		}
	}
	if f.asJSON && isStdout(f.html) {
		return usagef("--html %s with --json: stdout can have one of them; name a file", f.html)
	}
	return withModel(cmd, s, args[0], func(ck *loader.Checkpoint, m *model.Model) error {
		to, err := output(cmd, "--html", f.html, replaceablePage, true)
		if err != nil {
			return err
		}
		report, err := verify(cmd, ck, m, ref, tolerance)
		if err == nil {
			err = m.Changed()
		}
		if err != nil {
			return err
		}
		if to != nil {
			if err := writeHTML(to, newPage(ck, m, args, report)); err != nil {
				return err
			}
		}
		if report.NonFinite != "" {
			warn(cmd, ck.Path()+": "+report.NonFinite+blame(cmd, s, ck))
		}
		return f.print(cmd, report)
	})
}

// print writes the report to stdout. A check that does not hold is an error.
func (f *verifyFlags) print(cmd *cobra.Command, report *parity.Report) (err error) {
	if f.asJSON {
		err = printJSON(cmd.OutOrStdout(), report)
	} else {
		err = printReport(results(cmd), report)
	}
	if err == nil && !report.Passed {
		err = errCheckFailed
	}
	return err
}

// verify compares with the reference file, if there is one, or with the oracle.
func verify(cmd *cobra.Command, ck *loader.Checkpoint, m *model.Model, ref string, tol *parity.Tolerance) (_ *parity.Report, err error) {
	ctx, stop := watched(cmd.Context(), cmd)
	defer stop()
	if ref == "" {
		return parity.SelfCheck(ctx, ck, m, tol)
	}
	d, err := open(cmd, ref, func() (*parity.Reference, error) { return parity.OpenReference(ref) })
	if err != nil {
		return nil, err
	}
	defer closing(&err, d)
	return parity.Verify(ctx, ck, m, d, tol)
}

// limits says what a verdict that passes does not cover.
func limits(r *parity.Report) string {
	var text string
	if r.Arithmetic != "" {
		text = " in " + r.Arithmetic
	}
	switch n := len(r.NotCompared); {
	case !r.Passed || n == 0:
	case n == 1:
		text += ", but 1 tensor of the reference is not compared"
	default:
		text += fmt.Sprintf(", but %d tensors of the reference are not compared", n)
	}
	return text
}

// printReport writes the table and the verdict for people.
func printReport(w io.Writer, r *parity.Report) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	if len(r.Tensors) > 0 {
		fmt.Fprintf(tw, "tensor\tmax abs\tmax rel\tallowed\tours\t\t\n")
	}
	for _, t := range r.Tensors {
		mark := "ok"
		switch {
		case !t.Passed:
			mark = "FAIL"
		case t.Identical:
			mark = "same"
		}
		fmt.Fprintf(tw, "%s\t%.2e\t%.2e\t%.2e\t%.2e\t%s\t\n",
			t.Name, float64(t.MaxAbs), float64(t.MaxRel), float64(t.Allowed), float64(t.OwnMaxAbs), verdict(t.Passed).on(w, mark))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if len(r.Tensors) > 0 {
		fmt.Fprintf(w, "distances from: %s\n", badfile.Printable(r.Judge))
	}
	for _, t := range r.NotCompared {
		fmt.Fprintf(w, "not compared: %s", badfile.Quote(t.Name))
		if t.Meant != "" {
			fmt.Fprintf(w, ", did you mean %s?", t.Meant)
		}
		fmt.Fprintln(w)
	}
	if r.Arithmetic != "" {
		fmt.Fprintf(w, "the reference was computed in %s and is judged by what that explains; for float32, load it with dtype=torch.float32\n", r.Arithmetic)
	}
	fmt.Fprintf(w, "verdict: %s%s", verdict(r.Passed).on(w, fmt.Sprint(r.Verdict)), limits(r))
	if r.Reason != "" {
		fmt.Fprintf(w, ": %s", badfile.Printable(r.Reason))
	}
	if d := r.FirstDivergence; d != nil {
		fmt.Fprintf(w, ": %s first, %s, at %v: got %.9g, the reference has %.9g", d.Tensor, d.Where(), d.Index, float64(d.Got), float64(d.Want))
	}
	if r.Hint != "" {
		fmt.Fprintf(w, "\nexplanation: %s", r.Hint)
	}
	_, err := fmt.Fprintln(w)
	return err
}
