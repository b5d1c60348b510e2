package mmap

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// memoryRange is WIN32_MEMORY_RANGE_ENTRY of memoryapi.h.
type memoryRange struct {
	address unsafe.Pointer
	size    uintptr
}

var prefetchMemory = windows.NewLazySystemDLL("kernel32.dll").NewProc("PrefetchVirtualMemory") // from Windows 8 on

// readAhead is a wish: a refusal changes nothing but speed.
func readAhead(data []byte) {
	if len(data) == 0 || prefetchMemory.Find() != nil {
		return
	}
	part := memoryRange{unsafe.Pointer(unsafe.SliceData(data)), uintptr(len(data))}
	_, _, _ = prefetchMemory.Call(uintptr(windows.CurrentProcess()), 1, uintptr(unsafe.Pointer(&part)), 0)
}
