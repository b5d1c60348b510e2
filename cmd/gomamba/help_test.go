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
		if cmd.Name() == "completion" {
			return // a text of cobra's own
		}
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
		}
		if !found {
			t.Errorf("%s: has no example", path)
		}
		var text strings.Builder
		cmd.SetOut(&text)
		if err := cmd.Help(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(text.String()) {
			if line = strings.TrimRight(line, "\n"); len([]rune(line)) > 80 {
				t.Errorf("%s: a line of its help is too wide for a terminal: %s", path, line)
			}
		}
	}
	walk(newRootCmd())
}
