//go:build man

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/filenames"
)

// packagerCommands are those that a build for packaging has in addition; see make man.
func packagerCommands() []*cobra.Command { return []*cobra.Command{newManCmd()} }

func newManCmd() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages",
		Hidden: true, // it needs no page of its own
		Long: `man writes a manual page for gomamba and one for each of its commands into DIR, which is
made if it is not there.`,
		Example: `  gomamba man man1
  man -l man1/gomamba-convert.1`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o777); err != nil {
				return err
			}
			root := cmd.Root()
			eachCommand(root, func(cmd *cobra.Command) { cmd.Long = reflow(cmd.Long, helpWidth) })
			root.DisableAutoGenTag = true // no line about the tool that made them
			header := &doc.GenManHeader{Section: "1", Source: "gomamba " + version(), Manual: "gomamba"}
			dir, err := os.MkdirTemp("", "gomamba-man-")
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			if err := doc.GenManTree(root, header, dir); err != nil {
				return fmt.Errorf("manual pages: %w", err)
			}
			for _, page := range filenames.In(dir, "*") {
				if err := placeMan(page, filepath.Join(args[0], filepath.Base(page))); err != nil {
					return err
				}
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), args[0])
			return err
		},
	}
}

// placeMan copies a page to where it goes, over an older one if there is one.
func placeMan(page, dst string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	f, err := atomicfile.CreateFile(dst, atomicfile.Options{Replace: func(path string) error {
		head, err := beginning(path, 1024)
		if err == nil && !bytes.Contains(head, []byte(".TH \"GOMAMBA")) {
			err = notReplaced(path, "a manual page of gomamba")
		}
		return err
	}})
	if err != nil {
		return err
	}
	if _, err := f.Write(text); err != nil {
		return errors.Join(err, f.Abort())
	}
	return f.Commit()
}

// eachCommand visits cmd and all commands below it.
func eachCommand(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, sub := range cmd.Commands() {
		eachCommand(sub, visit)
	}
}
