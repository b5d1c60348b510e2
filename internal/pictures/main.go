// Pictures draws the pictures and badges of README.md from the measurements that lie beside them in fixtures/measured.
//
//	pictures          measures parity again, and draws everything
//	pictures memory   measures memory before; needs Linux, the binary ./gomamba and Python in .venv
//	pictures tests    runs and counts the tests before
//
// It runs at the top of the repository. Parity is the same on every machine, memory and speed are those of the machine that
// memory.json and peers.json name; make peers writes the latter.
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
	pictures, err := draw(".", parity)
	if err != nil {
		return err
	}
	for name, picture := range pictures {
		if err := os.WriteFile(filepath.Join(measured, name), picture, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// draw draws the pictures of what is measured in the repository at root, by the names of their files.
func draw(root string, p *parityFile) (map[string][]byte, error) {
	pictures := map[string][]byte{"parity.svg": p.picture(), "badge-parity.svg": p.badge()}
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
	}
	var tests testsFile
	if found, err := read(root, "tests.json", &tests); err != nil {
		return nil, err
	} else if found {
		pictures["badge-tests.svg"] = tests.badge()
	}
	return pictures, nil
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
