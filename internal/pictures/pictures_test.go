package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestUpToDate measures parity and draws the pictures, and compares with the files that are checked in.
func TestUpToDate(t *testing.T) {
	const root = "../.."
	p, err := measureParity(root)
	if err != nil {
		t.Fatal(err)
	}
	files, err := draw(root, p)
	if err != nil {
		t.Fatal(err)
	}
	files[filepath.Join(measured, "parity.json")] = p.text()
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what is measured and drawn now: run make pictures", name)
		}
	}
	pictures, err := filepath.Glob(filepath.Join(root, measured, "*.svg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range pictures {
		if files[filepath.Join(measured, filepath.Base(path))] == nil {
			t.Errorf("%s: nothing draws it", path)
		}
	}
}
