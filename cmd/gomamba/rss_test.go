package main

import (
	"runtime"
	"testing"
)

// TestPeakRSS touches memory, which the system must have noticed.
func TestPeakRSS(t *testing.T) {
	const size = 64 << 20
	memory := make([]byte, size)
	for i := 0; i < size; i += 4096 {
		memory[i] = 1
	}
	peak, err := peakRSS()
	if err != nil || peak < size || peak > 1<<40 {
		t.Errorf("%d bytes, %v after touching %d", peak, err, size)
	}
	runtime.KeepAlive(memory)
}
