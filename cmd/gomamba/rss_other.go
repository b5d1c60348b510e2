//go:build !unix && !windows

package main

import "runtime"

// peakRSS returns the memory that the Go runtime has taken from the system, in bytes, which leaves out mapped weights:
// the standard library offers no more here.
func peakRSS() (int64, error) {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.Sys), nil
}
