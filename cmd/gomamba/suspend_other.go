//go:build !unix

package main

// suspend does nothing: there is no shell that could continue the process.
func suspend() {}

// interruptSelf reports that the process cannot send itself an interrupt.
func interruptSelf() bool { return false }
