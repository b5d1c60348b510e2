package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/stream"
)

// input notes a file that a flag or an argument names, and returns the path to open: - is stdin, which one input can have.
// An empty path stays empty.
func input(cmd *cobra.Command, what, path string) (string, error) {
	if path == "-" || path == stream.Stdin {
		return stream.Stdin, takeStdin(cmd, what)
	}
	if path == "" {
		return "", nil
	}
	if _, err := files.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: %s: %w", what, path, syscall.ENOENT)
	}
	sessionOf(cmd).reads(path)
	return path, nil
}

// takeStdin says what stdin is read for.
func takeStdin(cmd *cobra.Command, what string) error {
	l := &sessionOf(cmd).ledger
	if l.stdin != "" && l.stdin != what {
		return usagef("%s and %s are both read from stdin: expected one of them there", l.stdin, what)
	}
	l.stdin = what
	return nil
}

// readInput reads a file or stream whole, at most limit bytes.
func readInput(cmd *cobra.Command, path string, limit int64) ([]byte, error) {
	return open(cmd, path, func() ([]byte, error) { return stream.ReadFile(path, limit) })
}

// openDump opens a dump, from a file or a stream.
func openDump(cmd *cobra.Command, path string) (*dump.Dump, error) {
	return open(cmd, path, func() (*dump.Dump, error) { return dump.Read(path) })
}

// open does what reads path. A stream may keep it waiting for ever, so it is left alone when the command is interrupted.
func open[T any](cmd *cobra.Command, path string, do func() (T, error)) (T, error) {
	if !stream.Is(path) {
		return do()
	}
	return interruptible(cmd, do)
}

// interruptible does what may take long and knows no context. It is left alone when the command is interrupted.
func interruptible[T any](cmd *cobra.Command, do func() (T, error)) (T, error) {
	var v, none T
	err := waiting(cmd.Context(), func() (err error) {
		v, err = do()
		return err
	})
	if err != nil {
		return none, err
	}
	return v, nil
}

// waiting does what may take long, or wait for another program, until ctx is done; then nobody may look at what it does.
func waiting(ctx context.Context, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// waiter reads from a stream, until the command is interrupted.
type waiter struct {
	ctx context.Context
	r   io.ReadCloser
	buf []byte // of a reading that may outlast the command
}

func (p *waiter) Read(into []byte) (n int, err error) {
	if len(p.buf) < len(into) {
		p.buf = make([]byte, len(into))
	}
	buf := p.buf[:len(into)]
	var got int
	err = waiting(p.ctx, func() (err error) {
		got, err = p.r.Read(buf)
		return err
	})
	if p.ctx.Err() != nil {
		return 0, err
	}
	return copy(into, buf[:got]), err
}

func (p *waiter) Close() error {
	if p.ctx.Err() != nil {
		return nil // somebody may still be reading
	}
	return p.r.Close()
}

// stdinWaits reports whether a program or a file waits at stdin, rather than somebody who types, or nothing.
func stdinWaits() bool {
	info, err := os.Stdin.Stat()
	return err == nil && (info.Mode().IsRegular() || info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) != 0)
}
