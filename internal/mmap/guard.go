package mmap

import (
	"reflect"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/gomamba/gomamba/internal/badfile"
)

// live lists the open mappings, so that a faulting address can be traced back to its file.
var live struct {
	sync.RWMutex
	files map[*File]struct{}
}

func register(f *File) {
	live.Lock()
	defer live.Unlock()
	if live.files == nil {
		live.files = make(map[*File]struct{})
	}
	live.files[f] = struct{}{}
}

func unregister(f *File) {
	live.Lock()
	defer live.Unlock()
	delete(live.files, f)
}

// owner returns the open file whose mapping holds the address, or nil.
func owner(addr uintptr) *File {
	live.RLock()
	defer live.RUnlock()
	for f := range live.files {
		if start := reflect.ValueOf(f.data).Pointer(); addr >= start && addr-start < uintptr(len(f.data)) {
			return f
		}
	}
	return nil
}

// Guard runs fn and turns a memory fault inside a mapped file, as happens when the file shrinks or its
// disk fails, into an error that names the file. Without it such a fault ends the process.
// It covers fn on this goroutine only: every goroutine that reads mapped data needs its own Guard.
// Any other panic, a fault outside open mappings included, goes on unchanged.
func Guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		// The runtime gives faults, and only those, an address.
		fault, ok := r.(interface {
			runtime.Error
			Addr() uintptr
		})
		if !ok {
			panic(r)
		}
		f := owner(fault.Addr())
		if f == nil {
			panic(r)
		}
		if err = f.Changed(); err == nil {
			err = &badfile.FormatError{File: f.path,
				Detail: "could not be read while in use: the disk or network behind it failed, or it was truncated for a moment"}
		}
	}()
	return fn()
}
