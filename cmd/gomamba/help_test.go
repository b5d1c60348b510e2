package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestHelp demands of every command what a user looks for in its --help.
func TestHelp(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		path := cmd.CommandPath()
		if cmd.Short == "" || cmd.Long == "" {
			t.Errorf("%s: does not say what it does", path)
		}
		found := false
		for line := range strings.Lines(cmd.Example) {
			found = found || strings.Contains(line, path)
			if len(strings.TrimRight(line, "\n")) > 100 {
				t.Errorf("%s: an example is too wide for a terminal: %s", path, line)
			}
		}
		if !found {
			t.Errorf("%s: has no example", path)
		}
		for line := range strings.Lines(cmd.Long) {
			if len([]rune(line)) > 101 {
				t.Errorf("%s: a line of its help is too wide for a terminal: %s", path, line)
			}
		}
	}
	walk(newRootCmd())
}
