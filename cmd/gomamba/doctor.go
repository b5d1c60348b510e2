package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/doctor"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/loader"
)

// doctorFlags are the flags of the doctor command.
type doctorFlags struct {
	fix           string
	force, asJSON bool
}

func newDoctorCmd(s *settings) *cobra.Command {
	f := &doctorFlags{}
	cmd := &cobra.Command{
		Use:   "doctor MODEL [--fix OUT]",
		Short: "Report what is wrong with a checkpoint, and write a repaired copy",
		Long: `doctor reports what is wrong with a checkpoint, in one sentence per problem:
  - settings that are missing or unreadable, or that contradict the tensors
  - a FalconMamba model without its flag
  - tensors under names that programs do not look for, or weights in a file that
    they do not look for
  - an adapter next to the weights
  - a tied head that differs from the embedding
  - a missing or wrong index, or bytes after the last tensor
  - git-lfs pointers or web pages in place of weights, and incomplete downloads
  - infinities and NaN

--fix writes a repaired copy in the same layout, if the files contain enough information.
It keeps every setting that can be read from a damaged configuration, takes sizes and family
from the tensors, and uses defaults only where results do not depend on them. The copy
appears complete or not at all, and MODEL is only read. The exit status is 0 if nothing is
wrong or everything was repaired.`,
		Example: `  gomamba doctor mamba-130m-hf
  gomamba doctor broken --fix whole
  gomamba doctor broken --json | jq -r '.findings[].problem'`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, s, args[0]) },
	}
	flags := cmd.Flags()
	fileVar(flags, &f.fix, "fix", "", "write a repaired copy here")
	flags.BoolVar(&f.force, "force", false, "replace OUT if it contains a checkpoint and nothing else")
	flags.BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

func (f *doctorFlags) run(cmd *cobra.Command, s *settings, model string) (err error) {
	if err := checkDestination("--fix", f.fix); err != nil {
		return err
	}
	path, err := modelPath(cmd, model)
	if err != nil {
		return err
	}
	ck, d, err := f.examine(cmd, s, path)
	if err != nil {
		return err
	}
	if ck != nil {
		defer closing(&err, ck)
	}
	if f.fix != "" && len(d.Findings) > 0 && d.Repairable {
		if err := f.repair(cmd, s, ck); err != nil {
			return err
		}
		d.Fixed = f.fix
	}
	if f.asJSON {
		err = printJSON(cmd.OutOrStdout(), d)
	} else {
		err = printDiagnosis(cmd.OutOrStdout(), d)
	}
	if err == nil && len(d.Findings) > 0 && d.Fixed == "" {
		err = errCheckFailed
	}
	return err
}

// examine collects what is wrong with the files and what is in them.
func (f *doctorFlags) examine(cmd *cobra.Command, s *settings, path string) (*loader.Checkpoint, *doctor.Diagnosis, error) {
	d := &doctor.Diagnosis{Path: path}
	d.Add(unfinished(path)...)
	ck, found, err := doctor.Examine(path)
	if err != nil {
		return nil, nil, err
	}
	d.Add(found...)
	if ck != nil {
		sessionOf(cmd).reads(ck.Files()...)
		var unsound []doctor.Finding
		err := withBar(cmd, tensorBytes(ck), func(progress func(done, total int64)) (err error) {
			unsound, err = doctor.Unsound(cmd.Context(), ck, loader.ReadOptions{Threads: s.threads, Progress: progress})
			return err
		})
		if err != nil {
			return nil, nil, errors.Join(err, ck.Close())
		}
		d.Add(unsound...)
	}
	d.Conclude(ck)
	return ck, d, nil
}

// unfinished adds to each file of a download that is not complete how to complete it.
func unfinished(path string) (found []doctor.Finding) {
	for _, file := range doctor.Unfinished(path) {
		again := "download it again"
		if file.Repo != "" {
			again = "gomamba download " + file.Repo + " completes it"
		}
		found = append(found, doctor.Finding{Problem: file.Problem() + "; " + again})
	}
	return found
}

// repair writes the copy.
func (f *doctorFlags) repair(cmd *cobra.Command, s *settings, ck *loader.Checkpoint) error {
	to := convert.Layout(ck.Layout())
	if !to.Valid() {
		to, _ = convert.Default(ck) // of a layout that is only read
	}
	plan, err := convert.NewPlan(ck, convert.Request{To: to})
	if err != nil {
		return err
	}
	for _, work := range []func(progress func(done, total int64)) error{
		func(progress func(done, total int64)) error {
			return plan.Write(cmd.Context(), f.fix, convert.Options{Force: f.force, Progress: progress, Threads: s.threads})
		},
		func(progress func(done, total int64)) error {
			return plan.Verify(cmd.Context(), f.fix, loader.ReadOptions{Threads: s.threads, Progress: progress})
		},
	} {
		if err := withBar(cmd, plan.Bytes(), work); err != nil {
			return err
		}
	}
	return nil
}

// printDiagnosis writes the diagnosis for people.
func printDiagnosis(w io.Writer, d *doctor.Diagnosis) error {
	for i, f := range d.Findings {
		remedy := "no repair"
		tint := red
		if f.Remedy != "" {
			remedy, tint = "repair: "+f.Remedy, yellow
		}
		if _, err := fmt.Fprintf(w, "%s %s\n   %s\n", tint.on(w, fmt.Sprintf("%d.", i+1)), badfile.Printable(f.Problem), badfile.Printable(remedy)); err != nil {
			return err
		}
		for _, list := range []struct {
			what string
			keys []string
		}{{"kept", f.Kept}, {"from the tensors", f.Inferred}, {"by default, as no result depends on it", f.Defaults}} {
			if len(list.keys) == 0 {
				continue
			}
			if _, err := fmt.Fprintf(w, "   %s: %s\n", list.what, badfile.Printable(strings.Join(list.keys, ", "))); err != nil {
				return err
			}
		}
	}
	problems, them := badfile.Count(len(d.Findings), "problem"), "it"
	if len(d.Findings) > 1 {
		them = "them"
	}
	last := problems + "; --fix OUT writes a copy without " + them
	switch {
	case len(d.Findings) == 0:
		last = green.on(w, "nothing is wrong")
	case d.Fixed != "":
		last = green.on(w, "repaired") + ": " + d.Fixed
	case !d.Repairable:
		last = problems + "; not repairable from these files"
	}
	_, err := fmt.Fprintf(w, "%s: %s\n", badfile.Printable(d.Path), last)
	return err
}
