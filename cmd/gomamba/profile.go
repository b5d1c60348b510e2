package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"runtime/pprof"

	"github.com/gomamba/gomamba/internal/atomicfile"
)

// profiled does work and writes a CPU profile of it; a nil destination is for none.
func profiled(to *destination, work func() error) (err error) {
	if to == nil {
		return work()
	}
	file, err := atomicfile.CreateFile(to.path, atomicfile.Options{Replace: replaceableProfile})
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return errors.Join(err, file.Abort())
	}
	err = work()
	pprof.StopCPUProfile()
	if err != nil {
		return errors.Join(err, file.Abort())
	}
	if err := file.Commit(); err != nil {
		return err
	}
	return to.deliver()
}

// maxProfile bounds what is read of a file to know that it is a profile.
const maxProfile = 1 << 26

// replaceableProfile refuses to replace a file that is not a CPU profile: a gzipped message in whose table of strings, field
// 6, stands the name of what is counted (github.com/google/pprof, proto/profile.proto).
func replaceableProfile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // it was only read
	if z, err := gzip.NewReader(f); err == nil {
		text, _ := io.ReadAll(io.LimitReader(z, maxProfile)) // as much as there is
		if bytes.Contains(text, []byte("\x32\x07samples")) {
			return nil
		}
	}
	return notReplaced(path, "a CPU profile")
}
