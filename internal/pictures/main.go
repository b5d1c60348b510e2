// Pictures draws the pictures and badges of README.md, and the table of speeds in docs/quantization.md, from the measurements
// in fixtures/measured.
//
//	pictures          measures parity again, and draws everything
//	pictures memory   measures memory before; needs Linux, the binary ./gomamba and Python in .venv
//	pictures tests    runs and counts the tests before
//
// It runs at the top of the repository. Parity is the same on every machine, memory and speed are those of the machine that
// memory.json and peers.json name; make peers and make quants write the latter.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
)

// measured is the folder of measurements and pictures.
const measured = "fixtures/measured"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

func run(args []string) (err error) {
	switch {
	case len(args) == 0:
	case len(args) == 1 && args[0] == "memory":
		err = measureMemory()
	case len(args) == 1 && args[0] == "tests":
		err = countTests()
	default:
		return fmt.Errorf("%q: expected nothing, memory or tests", args)
	}
	if err != nil {
		return err
	}
	parity, err := measureParity(".")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(measured, "parity.json"), parity.text(), 0o666); err != nil {
		return err
	}
	files, err := draw(".", parity)
	if err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(name, data, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// draw draws the pictures of what is measured in the repository at root, and the table of a page, by the paths of their files.
func draw(root string, p *parityFile) (map[string][]byte, error) {
	pictures, pages := map[string][]byte{"parity.svg": p.picture(), "badge-parity.svg": p.badge()}, map[string][]byte{}
	var memory memoryFile
	if found, err := read(root, "memory.json", &memory); err != nil {
		return nil, err
	} else if found {
		pictures["memory.svg"] = memory.picture()
	}
	var speed speedFile
	if found, err := read(root, "peers.json", &speed); err != nil {
		return nil, err
	} else if found {
		maps.Copy(pictures, speed.pictures())
		pictures["badge-speed.svg"] = speed.badge()
		page, err := speed.page(root)
		if err != nil {
			return nil, err
		}
		if page != nil {
			pages[quantizedPage] = page
		}
	}
	var tests testsFile
	if found, err := read(root, "tests.json", &tests); err != nil {
		return nil, err
	} else if found {
		pictures["badge-tests.svg"] = tests.badge()
	}
	for name, picture := range pictures {
		pages[filepath.Join(measured, name)] = picture
	}
	return pages, nil
}

// read reads a measurement, and reports whether there is one yet.
func read(root, name string, value any) (found bool, err error) {
	text, err := os.ReadFile(filepath.Join(root, measured, name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, value)
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	return true, nil
}

// writeJSON writes a measurement.
func writeJSON(name string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(measured, name), append(text, '\n'), 0o666)
}
