package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A file of an archive.
type file struct {
	name string
	mode fs.FileMode
	data []byte
}

// archive packs the binary with its papers: a zip for Windows, a compressed tar for the others.
func archive(b build, papers []file) (name string, data []byte, err error) {
	folder := fmt.Sprintf("gomamba-%s-%s-%s", strings.TrimPrefix(b.version, "v"), b.os, b.arch)
	readme, err := os.ReadFile("README.md")
	if err != nil {
		return "", nil, err
	}
	files := []file{{b.exe(), 0o755, b.binary}, {"README.md", 0o644, readme}}
	files = append(files, papers...)
	for i := range files {
		files[i].name = folder + "/" + files[i].name
	}
	if b.os == "windows" {
		data, err = zipped(files, b.time)
		return folder + ".zip", data, err
	}
	data, err = tarred(files, b.time)
	return folder + ".tar.gz", data, err
}

func zipped(files []file, modified time.Time) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range files {
		header := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: modified.UTC()}
		header.SetMode(f.mode)
		w, err := z.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return out.Bytes(), err
}

func tarred(files []file, modified time.Time) ([]byte, error) {
	var out bytes.Buffer
	compressed := gzip.NewWriter(&out)
	t := tar.NewWriter(compressed)
	for _, f := range files {
		header := &tar.Header{Name: f.name, Mode: int64(f.mode), Size: int64(len(f.data)), ModTime: modified.UTC(), Format: tar.FormatUSTAR}
		if err := t.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := t.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	err := compressed.Close()
	return out.Bytes(), err
}

// papersFor returns the project's license, and in one file those of everything that is linked into the binary for p: Go itself
// and the modules.
func papersFor(p platform) ([]file, error) {
	own, err := os.ReadFile("LICENSE")
	if err != nil {
		return nil, err
	}
	c := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}", "./cmd/gomamba")
	c.Env, c.Stderr = p.environment(), os.Stderr
	list, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%v: %w", c, err)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	modules := strings.Split(strings.TrimSpace(string(list)), "\n")
	slices.Sort(modules)
	modules = append([]string{"Go " + runtime.Version() + "\t" + strings.TrimSpace(string(root))}, slices.Compact(modules)...)
	var all bytes.Buffer
	for _, module := range modules {
		title, dir, _ := strings.Cut(module, "\t")
		text, err := licenses(dir)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", title, err)
		}
		fmt.Fprintf(&all, "%s\n%s\n\n%s\n", title, strings.Repeat("=", len(title)), text)
	}
	return []file{{"LICENSE", 0o644, own}, {"LICENSES-OF-OTHERS", 0o644, all.Bytes()}}, nil
}

// licenses returns the texts about licenses and patents at the top of a module.
func licenses(dir string) ([]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var text []byte
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		if !e.Type().IsRegular() || !slices.ContainsFunc([]string{"LICENSE", "UNLICENSE", "NOTICE", "PATENTS"}, func(start string) bool {
			return strings.HasPrefix(name, start)
		}) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		text = append(append(text, data...), '\n')
	}
	if text == nil {
		return nil, fmt.Errorf("%s: no license found", dir)
	}
	return text, nil
}
