//go:build !unix

package hostile

// What stands for a file, and links, are made where the system has them as Unix does.

func objectEntries() []Entry { return nil }

func hubEntries() []Entry { return nil }
