package mmap

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/gomamba/gomamba/internal/badfile"
)

// ErrClosed says that the bytes of a file were asked for after it was closed.
var ErrClosed = errors.New("used after it was closed")

// live lists the open mappings, and those closed last, so that a faulting address can be traced back to its file.
var live struct {
	sync.RWMutex
	files  map[*File]struct{}
	closed [64]formerly
	next   int // of closed, which is a ring
}

// formerly is where a file was mapped.
type formerly struct {
	path  string
	start uintptr
	size  int
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
	live.closed[live.next] = formerly{f.path, reflect.ValueOf(f.data).Pointer(), len(f.data)}
	live.next = (live.next + 1) % len(live.closed)
}

// formerOwner returns the path of a closed file whose mapping held the address.
func formerOwner(addr uintptr) (path string, ok bool) {
	live.RLock()
	defer live.RUnlock()
	for i := range live.closed { // the last one first
		was := live.closed[(live.next-1-i+2*len(live.closed))%len(live.closed)]
		if addr >= was.start && addr-was.start < uintptr(was.size) {
			return was.path, true
		}
	}
	return "", false
}

// readable reports whether the byte at an address in f can be read. Faults must be panics.
func (f *File) readable(addr uintptr) (ok bool) {
	defer func() { ok = recover() == nil }()
	b := f.data[addr-reflect.ValueOf(f.data).Pointer()]
	runtime.KeepAlive(&b)
	return true
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
// So is a write, for the bytes are read-only. It covers fn on this goroutine only: every goroutine that reads mapped data
// needs its own Guard.
// Any other panic, a fault outside open mappings included, goes on unchanged.
func Guard(fn func() error) error { return guard(fn, false) }

// GuardClosed is Guard that also makes ErrClosed of a fault where a file was mapped before it was closed, as long as
// nothing else is mapped there.
func GuardClosed(fn func() error) error { return guard(fn, true) }

func guard(fn func() error, closed bool) (err error) {
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
			path, ok := formerOwner(fault.Addr())
			if !ok || !closed {
				panic(r)
			}
			err = fmt.Errorf("%s: %w", path, ErrClosed)
			return
		}
		if err = f.Changed(); err != nil {
			return
		}
		detail := "could not be read while in use: the disk or network behind it failed, or it was truncated for a moment"
		if f.readable(fault.Addr()) {
			detail += "; or its bytes were written to, which are read-only"
		}
		err = &badfile.FormatError{File: f.path, Detail: detail}
	}()
	return fn()
}
