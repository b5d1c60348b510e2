// Command gomamba loads, runs and numerically verifies Mamba checkpoints.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
)

// Exit codes. A signal ends with 128 plus its number.
const (
	exitFailed = 1 // the work failed, or a check did not hold
	exitUsage  = 2
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// run executes the command line and returns the exit code.
func run(args []string) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	ctx, session := newSession(ctx)
	listen(session, cancel)
	broken := func() { cancel(&signalError{brokenPipe}) }
	stdout, stderr := newConsole(os.Stdout, broken), newConsole(os.Stderr, broken)
	defer stderr.end()
	defer stdout.end()

	root := newRootCmd()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := finish(ctx, session, func() error { return root.ExecuteContext(ctx) })
	if err == nil {
		return 0
	}
	if sig := (*signalError)(nil); errors.As(context.Cause(ctx), &sig) {
		if sig.sig != brokenPipe { // there is nobody to hear about that one
			fmt.Fprintf(stderr, "gomamba: %v\n", sig)
		}
		return sig.code()
	}
	if !errors.Is(err, errCheckFailed) {
		fmt.Fprintf(stderr, "%s %s\n", red.on(stderr, "gomamba:"), oneLine(err))
	}
	if usage := (*usageError)(nil); errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// usageError is a mistake on the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// errCheckFailed ends a command whose report already says what did not hold.
var errCheckFailed = errors.New("a check did not hold")

// maxMessage is how many bytes of a message are shown; only paths make longer ones.
const maxMessage = 1400

// oneLine joins the lines of a message: what is wrong fits on one. Paths in it may be anybody's.
func oneLine(err error) string {
	s := strings.Join(strings.Fields(strings.ReplaceAll(withHint(err), "\n", "; ")), " ")
	if len(s) > maxMessage {
		s = s[:maxMessage/2] + "…" + s[len(s)-maxMessage/2:]
	}
	return badfile.Printable(s)
}
