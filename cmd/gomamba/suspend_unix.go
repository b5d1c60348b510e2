//go:build unix

package main

import (
	"os"
	"syscall"
)

// suspend stops the process until the shell continues it, as Ctrl-Z does when the terminal handles it.
func suspend() { syscall.Kill(os.Getpid(), syscall.SIGTSTP) }

// interruptSelf sends the process what Ctrl-C sends when the terminal handles it.
func interruptSelf() bool { return syscall.Kill(os.Getpid(), syscall.SIGINT) == nil }
