package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gomamba/gomamba/internal/atomicfile"
)

// Signals of POSIX, which not every system that Go compiles for names.
const (
	hangup     = syscall.Signal(1)
	brokenPipe = syscall.Signal(13)
)

// signalError says that the user ended the work.
type signalError struct{ sig os.Signal }

func (e *signalError) Error() string { return fmt.Sprintf("stopped by a signal: %v", e.sig) }

func (e *signalError) code() int {
	if n, ok := e.sig.(syscall.Signal); ok {
		return 128 + int(n)
	}
	return exitFailed
}

// listen makes the first interrupt, termination or hangup cancel the work. A hangup that was ignored when the program
// began, as nohup does, stays ignored. Writing to a pipe that nobody reads is an error of the write, so that a command
// that meets it can clear up.
func listen(s *session, cancel context.CancelCauseFunc) {
	signal.Ignore(brokenPipe)
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(hangup) {
		signals = append(signals, hangup)
	}
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, signals...)
	go func() {
		sig := <-caught
		for s.takes(sig) {
			sig = <-caught
		}
		cancel(&signalError{sig})
		time.Sleep(twice)
		signal.Stop(caught) // a further one ends the process at once
	}()
}

// twice is how long a signal may come again and be the same: timeout sends it to the program, and to the group that it is in.
const twice = 100 * time.Millisecond

// patience is how long a command may take to end after a signal.
const patience = 600 * time.Millisecond

// finish runs a command. One that a signal stops while it waits for something that does not end, such as a disk far
// away, is left behind, and its unfinished outputs are removed.
func finish(ctx context.Context, s *session, command func() error) error {
	done := make(chan error, 1)
	go func() {
		err := command()
		if e := s.end(); err == nil {
			err = e
		}
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		atomicfile.Abandon()
		s.end()
		return context.Cause(ctx)
	}
}
