// Package files opens what is to be read: from the disk, or from folders in memory that stand among its paths.
//
// A folder in memory is seen if the disk has nothing of its name, so it hides nothing, and what is written to that
// name later is what is read from then on. Its files are not copied: see Bytes.
package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// mounted are the folders in memory by their paths.
var mounted struct {
	sync.RWMutex
	folders map[string]fs.FS
}

// Mount makes files seen as the folder at a path, which is relative and local. Files whose fs.File has a method
// Bytes() []byte are not copied.
func Mount(path string, files fs.FS) {
	mounted.Lock()
	defer mounted.Unlock()
	if mounted.folders == nil {
		mounted.folders = map[string]fs.FS{}
	}
	mounted.folders[filepath.Clean(path)] = files
}

// inMemory finds the folder in memory that a path is in, and the name there. ok is false if there is none, or the disk
// has something of the folder's name.
func inMemory(path string) (files fs.FS, name string, ok bool) {
	mounted.RLock()
	defer mounted.RUnlock()
	clean := filepath.Clean(path)
	for root, files := range mounted.folders {
		rel, err := filepath.Rel(root, clean)
		if err != nil || !filepath.IsLocal(rel) {
			continue
		}
		if _, err := os.Lstat(root); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return nil, "", false
		}
		return files, filepath.ToSlash(rel), true
	}
	return nil, "", false
}

// InMemory reports whether a path leads into a folder in memory, which no output can touch.
func InMemory(path string) bool {
	_, _, ok := inMemory(path)
	return ok
}

// Stat describes what is at a path, as os.Stat.
func Stat(path string) (fs.FileInfo, error) {
	if files, name, ok := inMemory(path); ok {
		info, err := fs.Stat(files, name)
		return info, named(err, path)
	}
	return os.Stat(path)
}

// Lstat describes what is at a path, as os.Lstat.
func Lstat(path string) (fs.FileInfo, error) {
	if files, name, ok := inMemory(path); ok {
		info, err := fs.Stat(files, name)
		return info, named(err, path)
	}
	return os.Lstat(path)
}

// Open opens a file, as os.Open.
func Open(path string) (fs.File, error) {
	if files, name, ok := inMemory(path); ok {
		f, err := files.Open(name)
		return f, named(err, path)
	}
	return os.Open(path)
}

// NamesIn is Names of what is a folder and can be listed; else it is empty, and whatever opens it says why.
func NamesIn(path string, most int) []string {
	if info, err := Stat(path); err != nil || !info.IsDir() {
		return nil
	}
	found, _ := Names(path, most)
	return found
}

// Line returns the contents of a regular file that is not longer than most bytes, without white space around them. It is empty if the
// file is longer or cannot be read.
func Line(path string, most int64) string {
	if info, err := Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() > most {
		return ""
	}
	f, err := Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, most))
	return strings.TrimSpace(string(text))
}

// Names returns the names in a folder, sorted; of more than most, any that many. With -1 it returns all.
func Names(path string, most int) (found []string, err error) {
	if files, name, ok := inMemory(path); ok {
		entries, err := fs.ReadDir(files, name)
		if most >= 0 {
			entries = entries[:min(len(entries), most)]
		}
		for _, e := range entries {
			found = append(found, e.Name())
		}
		return found, named(err, path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	found, err = f.Readdirnames(most)
	if errors.Is(err, io.EOF) {
		err = nil // an empty folder
	}
	if e := f.Close(); err == nil {
		err = e
	}
	slices.Sort(found)
	return found, err
}

// Bytes returns the content of a file in memory, without a copy. It must not be changed. ok is false for one on the disk.
func Bytes(path string) (data []byte, info fs.FileInfo, ok bool, err error) {
	files, name, ok := inMemory(path)
	if !ok {
		return nil, nil, false, nil
	}
	f, err := files.Open(name)
	if err != nil {
		return nil, nil, true, named(err, path)
	}
	defer f.Close() // it is in memory
	if info, err = f.Stat(); err != nil || info.IsDir() {
		return nil, info, true, err
	}
	if there, can := f.(interface{ Bytes() []byte }); can {
		return there.Bytes(), info, true, nil
	}
	data, err = fs.ReadFile(files, name)
	return data, info, true, named(err, path)
}

// named puts a path into an error that names the file in its folder.
func named(err error, path string) error {
	if of, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: of.Op, Path: path, Err: of.Err}
	}
	return err
}
