//go:build man

package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
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
			root.DisableAutoGenTag = true // no line about the tool that made them
			header := &doc.GenManHeader{Section: "1", Source: "gomamba " + version(), Manual: "gomamba"}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("manual pages in %s: %w", args[0], err)
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), args[0])
			return err
		},
	}
}
