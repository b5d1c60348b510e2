// Command fakehub serves the folders OWNER/NAME below a folder as a hub would, on loopback, and prints its address. It
// runs until its standard input ends. fixtures/interop_hub.py starts it.
package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gomamba/gomamba/internal/hub/hubtest"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "fakehub:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("expected one folder, found %d arguments", len(args))
	}
	dirs, err := fs.Glob(os.DirFS(args[0]), "*/*")
	if err != nil {
		return err
	}
	repos := map[string]*hubtest.Repo{}
	for _, name := range dirs {
		if repos[name], err = hubtest.FromFS(os.DirFS(filepath.Join(args[0], filepath.FromSlash(name)))); err != nil {
			return err
		}
	}
	h := hubtest.New(repos)
	defer h.Close()
	fmt.Println(h.URL)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
