package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A process that ends at once leaves what is complete, and nothing else.
func TestAbandon(t *testing.T) {
	t.Cleanup(func() { unfinished.abandoned = false })
	parent := t.TempDir()
	complete, err := CreateFile(filepath.Join(parent, "complete"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := complete.Commit(); err != nil {
		t.Fatal(err)
	}
	file, err := CreateFile(filepath.Join(parent, "file"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := CreateDir(filepath.Join(parent, "dir"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	inside, err := dir.Create("inside")
	if err != nil {
		t.Fatal(err)
	}
	inside.Close()
	Abandon()
	entries, err := os.ReadDir(parent)
	if err != nil || len(entries) != 1 || entries[0].Name() != "complete" {
		t.Errorf("left: %v, %v", entries, err)
	}
	if err := file.Commit(); !errors.Is(err, errAbandoned) {
		t.Errorf("the file was committed: %v", err)
	}
	if err := dir.Commit(); err == nil {
		t.Error("the folder was committed")
	}
}
