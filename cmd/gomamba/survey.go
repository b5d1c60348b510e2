package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/doctor"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// isUnsupported reports whether err says that files are sound and beyond this program.
func isUnsupported(err error) bool {
	_, ok := errors.AsType[*badfile.UnsupportedError](err)
	return ok
}

// survey reports what a checkpoint holds that cannot be opened for this reason. If the files cannot even be listed,
// the reason is the error.
func survey(w io.Writer, path string, reason error, asJSON, tensors bool) error {
	s, err := doctor.NewSurvey(path)
	if err != nil {
		return reason
	}
	l := newListing(s.Path, s.Layout, s.Model, cmp.Or(s.Config, "{}"))
	for _, t := range s.Tensors {
		l.add(tensorInfo(t), t.Name)
		n, _ := tensor.Count(t.Shape) // of a file that was read
		l.Parameters += n
	}
	l.Problems = append(l.Problems, fmt.Sprintf("%v: %v", loader.Error, reason))
	if asJSON {
		return printJSON(w, l)
	}
	return l.printLines(w, slices.Concat([][2]string{
		{"layout", l.Layout},
		{"family", cmp.Or(shortName(l.Family), "not stated")},
		{"elements", thousands(l.Parameters)},
		{"weights", l.weights()},
	}, l.kindLines(), [][2]string{{"blocks", blocksText(s)}}), tensors)
}

// shortName is a name from somebody's file: as it is if it is plain, else quoted.
func shortName(s string) string {
	if quoted := badfile.Quote(s); quoted != `"`+s+`"` {
		return quoted
	}
	return s
}

// blocksText says which blocks have a state space model.
func blocksText(s *doctor.Survey) string {
	if len(s.SSM) == s.Blocks {
		return fmt.Sprintf("%d, all with a state space model", s.Blocks)
	}
	const shown = 16
	list := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(s.SSM[:min(len(s.SSM), shown)])), ", "), "[]")
	if len(s.SSM) > shown {
		list += ", ..."
	}
	return fmt.Sprintf("%d, of which %d have a state space model: %s", s.Blocks, len(s.SSM), cmp.Or(list, "none"))
}
