package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/gomamba/gomamba/internal/hostile"
)

// testsFile is fixtures/measured/tests.json: what go test ./... ran.
type testsFile struct {
	Tests   int `json:"tests"`         // that passed, each case of a table for itself, those of hostile files apart
	Hostile int `json:"hostile_files"` // that the binary was given and had to refuse
}

// corpusCase is what the names of the tests on internal/hostile's corpus begin with.
const corpusCase = "github.com/gomamba/gomamba/internal/hostile TestCorpus/entries/"

// countTests runs all tests. It is an error if one fails, or if files of the corpus were not tried.
func countTests() error {
	cmd := exec.Command("go", "test", "-json", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	passed, err := passedTests(out)
	if err = errors.Join(err, cmd.Wait()); err != nil {
		return err
	}
	var counted testsFile
	cases := 0
	for name, leaf := range passed {
		switch {
		case strings.HasPrefix(name, corpusCase):
			cases++
		case leaf:
			counted.Tests++
		}
	}
	corpus := hostile.Corpus()
	for _, e := range corpus {
		if !e.Valid {
			counted.Hostile++
		}
	}
	if cases != len(corpus) {
		return fmt.Errorf("%d files of internal/hostile passed of %d", cases, len(corpus))
	}
	return writeJSON("tests.json", counted)
}

// passedTests reads what go test -json prints: the tests that passed, and whether they have no tests below them.
func passedTests(r io.Reader) (map[string]bool, error) {
	passed, parents := map[string]bool{}, map[string]bool{}
	d := json.NewDecoder(r)
	for {
		var event struct{ Action, Package, Test, Output string }
		if err := d.Decode(&event); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		switch {
		case event.Action == "fail":
			fmt.Fprintln(os.Stderr, "failed:", event.Package, event.Test)
		case event.Action == "pass" && event.Test != "":
			passed[event.Package+" "+event.Test] = true
			for at, c := range event.Test { // a case's name may hold slashes, too
				if c == '/' {
					parents[event.Package+" "+event.Test[:at]] = true
				}
			}
		}
	}
	for name := range passed {
		passed[name] = !parents[name]
	}
	return passed, nil
}

func (t *testsFile) badge() []byte {
	return badge("tests", count(t.Tests)+" pass, "+count(t.Hostile)+" hostile files refused", "All tests of the repository, and files that the program must refuse.")
}
