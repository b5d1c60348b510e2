package main

import (
	"context"
	"os"
	"sync"

	"github.com/spf13/cobra"
)

// session is what a command leaves to the program: what to do when it has ended, and what an interrupt means.
type session struct {
	ledger
	mu        sync.Mutex
	todo      []func() error
	interrupt func() // of what is at work; nil: the command
}

// sessionKey finds it in a command's context.
type sessionKey struct{}

func newSession(ctx context.Context) (context.Context, *session) {
	s := &session{}
	return context.WithValue(ctx, sessionKey{}, s), s
}

func sessionOf(cmd *cobra.Command) *session { return cmd.Context().Value(sessionKey{}).(*session) }

// atEnd does something when the command has ended, well or not.
func (s *session) atEnd(do func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.todo = append(s.todo, do)
}

// end does it, once, and returns the first error.
func (s *session) end() (err error) {
	s.mu.Lock()
	todo := s.todo
	s.todo = nil
	s.mu.Unlock()
	for _, do := range todo {
		if e := do(); err == nil {
			err = e
		}
	}
	return err
}

// interruptible returns a context that an interrupt ends in place of the command; a second one ends the command. done
// ends that.
func (s *session) interruptible(ctx context.Context) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancel(ctx)
	s.set(cancel)
	return ctx, func() {
		s.set(nil)
		cancel()
	}
}

func (s *session) set(interrupt func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.interrupt = interrupt
}

// takes reports whether a signal was for what is at work, and ends that.
func (s *session) takes(sig os.Signal) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sig != os.Interrupt || s.interrupt == nil {
		return false
	}
	s.interrupt()
	s.interrupt = nil
	return true
}
