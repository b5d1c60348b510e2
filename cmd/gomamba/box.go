package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/fixtures"
)

// boxName is the MODEL that is in the program itself, unless there is a file or folder of that name.
const boxName = "box"

// boxPath unpacks the model in the box into a temporary folder, which goes when the command has ended.
func boxPath(cmd *cobra.Command) (string, error) {
	dir, err := os.MkdirTemp("", "gomamba-")
	if err != nil {
		return "", err
	}
	sessionOf(cmd).atEnd(func() error { return os.RemoveAll(dir) })
	path := filepath.Join(dir, boxName)
	return path, os.CopyFS(path, fixtures.Box())
}
