package mmap

import (
	"reflect"

	"golang.org/x/sys/unix"
)

// populate maps pages before they are touched. Kernels before 5.14 do not know the request; then touching maps them.
func populate(data []byte) {
	skew := int(reflect.ValueOf(data).Pointer() % uintptr(pageSize))
	if whole := pageSize - skew; skew > 0 && len(data) > whole {
		data = data[whole:]
	} else if skew > 0 {
		return
	}
	_ = unix.Madvise(data, unix.MADV_POPULATE_READ)
}
