package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/hub"
)

// verification is what download --verify reports; its JSON form is a contract.
type verification struct {
	Path   string         `json:"path"`
	Commit string         `json:"commit"`
	Passed bool           `json:"passed"`
	Files  []verifiedFile `json:"files"`
}

type verifiedFile struct {
	Name    string      `json:"name"`
	Verdict hub.Verdict `json:"verdict"` // matches, differs, missing, extra; unchecked if the hub announces no hash
	Detail  string      `json:"detail,omitempty"`
}

// check compares what is on the disk with what the hub announces.
func (f *downloadFlags) check(cmd *cobra.Command, client *hub.Client, req *hub.Request, bars *downloadBars) error {
	req.Plan = func(res *hub.Result) { bars.start(res.Bytes()) }
	v, err := client.Verify(cmd.Context(), *req)
	bars.stop()
	if err != nil {
		return err
	}
	if v.Stale != nil {
		warn(cmd, fmt.Sprintf("the hub was not reached (%s): the hashes are those noted at the download", oneLine(v.Stale)))
	}
	report := verification{Path: v.Path, Commit: v.Commit, Passed: v.Passed(), Files: []verifiedFile{}}
	for _, file := range v.Files {
		report.Files = append(report.Files, verifiedFile{file.Path, file.Verdict, file.Detail})
	}
	if f.asJSON {
		err = printJSON(cmd.OutOrStdout(), report)
	} else {
		err = report.print(cmd.OutOrStdout(), f.quiet)
	}
	if err == nil && !report.Passed {
		err = errCheckFailed
	}
	return err
}

// print lists the files for people, with quiet those alone that are not as they should be.
func (r *verification) print(w io.Writer, quiet bool) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	counts := map[hub.Verdict]int{}
	for _, file := range r.Files {
		counts[file.Verdict]++
		if quiet && file.Verdict == hub.Matches {
			continue
		}
		fmt.Fprintf(tw, "%s\t%s", badfile.Printable(file.Name), file.Verdict)
		if file.Detail != "" {
			fmt.Fprintf(tw, "\t%s", file.Detail)
		}
		fmt.Fprintln(tw)
	}
	if err := tw.Flush(); err != nil || quiet {
		return err
	}
	_, err := fmt.Fprintf(w, "%s: %d match, %d differ, %d missing, %d extra", badfile.Printable(r.Path),
		counts[hub.Matches], counts[hub.Differs], counts[hub.Missing], counts[hub.Extra])
	if n := counts[hub.Unchecked]; n > 0 {
		fmt.Fprintf(w, ", %d without a hash on the hub", n)
	}
	fmt.Fprintln(w)
	return err
}
