package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// TestWheel reads a wheel as pip does: everything is in RECORD with its hash, the command is executable, and there is no Python.
func TestWheel(t *testing.T) {
	papers := []file{{"LICENSE", 0o644, []byte("Apache")}}
	for _, p := range platforms {
		b := build{p, []byte("binary"), "v1.2.3", time.Date(2026, 11, 29, 8, 0, 0, 0, time.FixedZone("", 3600))}
		name, data, err := wheel(b, papers)
		if err != nil {
			t.Fatal(err)
		}
		if want := "gomamba-1.2.3-py3-none-" + p.wheel + ".whl"; name != want {
			t.Errorf("%s, want %s", name, want)
		}
		contents := unzip(t, data)
		rows, err := csv.NewReader(bytes.NewReader(contents["gomamba-1.2.3.dist-info/RECORD"])).ReadAll()
		if err != nil || len(rows) != len(contents) {
			t.Fatalf("%d rows of RECORD for %d files: %v", len(rows), len(contents), err)
		}
		for _, row := range rows {
			hash := sha256.Sum256(contents[row[0]])
			want := "sha256=" + base64.RawURLEncoding.EncodeToString(hash[:])
			if size := fmt.Sprint(len(contents[row[0]])); !strings.HasSuffix(row[0], "/RECORD") && (row[1] != want || row[2] != size) {
				t.Errorf("%s of %s bytes, want %s, %s", row, size, want, size)
			}
		}
		if string(contents["gomamba-1.2.3.data/scripts/"+p.exe()]) != "binary" {
			t.Errorf("%v: the binary is not where pip looks for scripts", p)
		}
		for tag := range strings.SplitSeq(p.wheel, ".") {
			if !strings.Contains(string(contents["gomamba-1.2.3.dist-info/WHEEL"]), "\nTag: py3-none-"+tag+"\n") {
				t.Errorf("%v: WHEEL lacks the tag %s", p, tag)
			}
		}
	}
}

// unzip returns the files of a zip and holds scripts to be executable.
func unzip(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	contents := map[string][]byte{}
	for _, f := range z.File {
		if script := strings.Contains(f.Name, "/scripts/"); script != (f.Mode().Perm() == 0o755) || !f.Mode().IsRegular() {
			t.Errorf("%s has mode %v", f.Name, f.Mode())
		}
		if strings.HasSuffix(f.Name, ".py") {
			t.Errorf("%s is Python", f.Name)
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if contents[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return contents
}

func TestPythonVersion(t *testing.T) {
	for version, want := range map[string]string{
		"v1.2.3":                               "1.2.3",
		"v1.2.3+dirty":                         "1.2.3+dirty",
		"v1.2.3-rc.1":                          "1.2.3rc1",
		"v1.2.3-beta.2":                        "1.2.3b2",
		"v1.2.3-alpha4+dirty":                  "1.2.3a4+dirty",
		"v0.0.0-20261129074800-8b318fa01234":   "0.0.0.dev20261129074800+8b318fa01234",
		"v1.2.4-0.20261129074800-8b318fa01234": "1.2.4.dev20261129074800+8b318fa01234",
		"v1.2.3-rc.1.0.20261129074800-8b318fa01234+dirty": "1.2.3.dev20261129074800+8b318fa01234.dirty",
		"(devel)":      "",
		"v1.2.3-final": "",
	} {
		got, err := pythonVersion(version)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v, want %q", version, got, err, want)
		}
	}
}
