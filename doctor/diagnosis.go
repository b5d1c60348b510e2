package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/gomamba/gomamba/internal/hub"
	"github.com/gomamba/gomamba/loader"
)

// Diagnosis is everything that was found. Its JSON form is a contract of the doctor command.
type Diagnosis struct {
	Path       string    `json:"path"`
	Layout     string    `json:"layout,omitempty"` // empty if no weights could be opened
	Family     string    `json:"family,omitempty"`
	Findings   []Finding `json:"findings"`
	Repairable bool      `json:"repairable"`      // every finding has a remedy
	Fixed      string    `json:"fixed,omitempty"` // the repaired copy
}

// Add adds findings.
func (d *Diagnosis) Add(found ...Finding) { d.Findings = append(d.Findings, found...) }

// Conclude records what was examined, and whether all findings have a remedy. ck is nil if the files do not contain enough
// information.
func (d *Diagnosis) Conclude(ck *loader.Checkpoint) {
	if d.Findings == nil {
		d.Findings = []Finding{} // [] in JSON, never null
	}
	if ck == nil {
		return
	}
	d.Layout, d.Family = ck.Layout(), string(ck.Config().Family())
	d.Repairable = !slices.ContainsFunc(d.Findings, func(f Finding) bool { return f.Remedy == "" })
}

// Unsound reads all weights and reports non-finite values and checksums that do not match. The error is ctx.Err, or that of a
// file that was truncated in the meantime.
func Unsound(ctx context.Context, ck *loader.Checkpoint, opts loader.ReadOptions) (found []Finding, err error) {
	lines, err := NonFinite(ctx, ck, opts)
	if err != nil {
		return nil, err
	}
	for _, line := range lines {
		found = append(found, Finding{Problem: line})
	}
	if err := ck.CheckSums(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		found = append(found, Finding{Problem: err.Error()})
	}
	return found, nil
}

// Partial is a file that was only downloaded in part.
type Partial struct {
	File            string
	Found, Expected int64  // bytes
	Repo            string // on the hub; empty if that is not known
}

// Problem describes the file in one line.
func (p Partial) Problem() string {
	return fmt.Sprintf("%s: found %d bytes, the hub has %d: the download is not complete", p.File, p.Found, p.Expected)
}

// Unfinished compares downloaded files with what the hub announced, and returns those that are incomplete.
func Unfinished(path string) (partial []Partial) {
	expected := hub.Expected(path)
	if expected == nil {
		return nil
	}
	for _, file := range expected.Files {
		name := filepath.Join(path, filepath.FromSlash(file.Path))
		if info, err := os.Stat(name); err == nil && info.Size() < file.Size {
			partial = append(partial, Partial{name, info.Size(), file.Size, expected.Repo})
		}
	}
	return partial
}
