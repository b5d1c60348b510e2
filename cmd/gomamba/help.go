package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// helpWidth is the width of help texts: that of a terminal nobody has widened.
const helpWidth = 80

// dressHelp sets help texts in lines that fit, and makes unknown topics and shells usage errors.
func dressHelp(root *cobra.Command) {
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 80"))
	root.SetHelpCommand(&cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		Long:  "help shows what a command does, its flags and examples, as COMMAND --help does.",
		Example: `  gomamba help
  gomamba help convert`,
		RunE: func(_ *cobra.Command, args []string) error {
			topic, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usagef("unknown command %q%s", strings.Join(args, " "), suggestion(root, args[0]))
			}
			topic.InitDefaultHelpFlag()
			return topic.Help()
		},
	})
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			cmd.Args = nil
			cmd.RunE = completionUsage
		}
	}
	help := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		cmd.Long = reflow(cmd.Long, helpWidth)
		help(cmd, args)
	})
}

// completionUsage answers completion without a shell that it knows.
func completionUsage(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	var shells []string
	for _, sub := range cmd.Commands() {
		shells = append(shells, sub.Name())
	}
	return usagef("completion %s: expected one of %s", args[0], strings.Join(shells, ", "))
}

// reflow breaks the paragraphs of a text again, so that no line is longer than width. Indented lines stay as they are.
func reflow(text string, width int) string {
	var out strings.Builder
	column := 0 // 0: at the start of a line
	end := func() {
		if column > 0 {
			out.WriteByte('\n')
			column = 0
		}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == ' ' || line[0] == '\t' {
			end()
			out.WriteString(line + "\n")
			continue
		}
		for word := range strings.FieldsSeq(line) {
			n := len([]rune(word))
			if column+1+n > width {
				end()
			}
			if column > 0 {
				out.WriteByte(' ')
				column++
			}
			out.WriteString(word)
			column += n
		}
	}
	return strings.TrimRight(out.String(), "\n")
}
