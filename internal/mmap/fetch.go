package mmap

import "os"

// Fetch makes the bytes of a mapped file present: with one request where the system takes one, and by a look at every
// page, so that a fault comes here, under a Guard, and not in a system call that is handed the bytes. Memory that is not a
// mapped file is left alone.
func Fetch(data []byte) {
	if len(data) == 0 {
		return
	}
	populate(data)
	var seen byte
	for at := 0; at < len(data); at += pageSize {
		seen ^= data[at]
	}
	discard(seen ^ data[len(data)-1])
}

var pageSize = os.Getpagesize()

//go:noinline
func discard(byte) {}
