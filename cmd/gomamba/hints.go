package main

import (
	"errors"
	"fmt"

	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/hub"
	"github.com/gomamba/gomamba/internal/tokenizer"
)

// hintFix follows a problem that a copy would not have.
const hintFix = "; gomamba doctor --fix writes a copy that follows the tensors"

// withHint is the text of an error with the flag of this program that helps: libraries state facts.
func withHint(err error) string {
	text := err.Error()
	switch bad, isFormat := errors.AsType[*badfile.FormatError](err); {
	case isFormat && bad.Fixable:
		return text + hintFix
	case errors.Is(err, atomicfile.ErrExists):
		return text + "; use --force to replace it"
	case errors.Is(err, convert.ErrNoImportance):
		return text + "; give one with --imatrix, gomamba imatrix makes it"
	case errors.Is(err, convert.ErrRequantizes):
		return text + ", or allow it with --requantize"
	case errors.Is(err, tokenizer.ErrNone):
		return text + ": give a tokenizer with --tokenizer PATH; state-spaces' models use that of EleutherAI/gpt-neox-20b"
	case errors.Is(err, tokenizer.ErrKind):
		return text + ": give a tokenizer.json with --tokenizer"
	}
	return text
}

// byFlags selects the files of a repository by --include and --exclude.
func byFlags(include, exclude []string) hub.Select {
	choose := hub.Matching(include, exclude)
	return func(names []string) ([]string, error) {
		chosen, err := choose(names)
		if none, ok := errors.AsType[*hub.NoMatchError](err); ok {
			err = fmt.Errorf("none of the %d files matches --include %q --exclude %q", none.Files, none.Include, none.Exclude)
		}
		return chosen, err
	}
}
