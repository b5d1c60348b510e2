package main

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// processMemory is PROCESS_MEMORY_COUNTERS of psapi.h.
type processMemory struct {
	size, pageFaults                   uint32
	peakWorkingSet, workingSet         uintptr
	peakPagedPool, pagedPool           uintptr
	peakNonPagedPool, nonPagedPool     uintptr
	pagefileUsage, peakOfPagefileUsage uintptr
}

var getProcessMemory = windows.NewLazySystemDLL("kernel32.dll").NewProc("K32GetProcessMemoryInfo")

// peakRSS returns the largest working set of the process so far, in bytes.
func peakRSS() (int64, error) {
	m := processMemory{}
	m.size = uint32(unsafe.Sizeof(m))
	if err := getProcessMemory.Find(); err != nil {
		return 0, err
	}
	if ok, _, err := getProcessMemory.Call(uintptr(windows.CurrentProcess()), uintptr(unsafe.Pointer(&m)), uintptr(m.size)); ok == 0 {
		return 0, err
	}
	return int64(m.peakWorkingSet), nil
}
