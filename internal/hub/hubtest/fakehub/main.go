// Command fakehub serves the folders OWNER/NAME below a folder as a hub would, on loopback, and prints its address. It
// runs until its standard input ends. fixtures/interop_hub.py starts it.
package main

import (
	"fmt"
	"io"
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
	dirs, err := filepath.Glob(filepath.Join(args[0], "*", "*"))
	if err != nil {
		return err
	}
	repos := map[string]*hubtest.Repo{}
	for _, dir := range dirs {
		name, err := filepath.Rel(args[0], dir)
		if err != nil {
			return err
		}
		if repos[filepath.ToSlash(name)], err = hubtest.FromFS(os.DirFS(dir)); err != nil {
			return err
		}
	}
	h := hubtest.New(repos)
	defer h.Close()
	fmt.Println(h.URL)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
