package mmap

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// populate maps pages before they are touched. Kernels before 5.14 do not know the request; then touching maps them.
func populate(data []byte) {
	skew := int(uintptr(unsafe.Pointer(unsafe.SliceData(data))) % uintptr(pageSize))
	if whole := pageSize - skew; skew > 0 && len(data) > whole {
		data = data[whole:]
	} else if skew > 0 {
		return
	}
	_ = unix.Madvise(data, unix.MADV_POPULATE_READ)
}
