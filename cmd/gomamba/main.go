// Command gomamba loads, runs and numerically verifies Mamba checkpoints.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

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
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, os.Interrupt, syscall.SIGTERM)
	go func() {
		sig := <-caught
		for session.takes(sig) {
			sig = <-caught
		}
		signal.Stop(caught) // a further one ends the process at once
		cancel(&signalError{sig})
	}()

	root := newRootCmd()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if e := session.end(); err == nil {
		err = e
	}
	if err == nil {
		return 0
	}
	if sig := (*signalError)(nil); errors.As(context.Cause(ctx), &sig) {
		fmt.Fprintf(os.Stderr, "gomamba: %v\n", sig)
		return sig.code()
	}
	if !errors.Is(err, errCheckFailed) {
		fmt.Fprintf(os.Stderr, "%s %s\n", red.on(os.Stderr, "gomamba:"), oneLine(err))
	}
	if usage := (*usageError)(nil); errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// signalError says that the user ended the work.
type signalError struct{ sig os.Signal }

func (e *signalError) Error() string { return fmt.Sprintf("stopped by %v", e.sig) }

func (e *signalError) code() int {
	if n, ok := e.sig.(syscall.Signal); ok {
		return 128 + int(n)
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

// oneLine joins the lines of a message: what is wrong fits on one. Paths in it may be of strangers.
func oneLine(err error) string {
	s := strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "\n", "; ")), " ")
	if len(s) > maxMessage {
		s = s[:maxMessage/2] + "…" + s[len(s)-maxMessage/2:]
	}
	return badfile.Printable(s)
}
