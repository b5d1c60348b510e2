package main

import (
	"cmp"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/loader"
)

// settings are the flags that every command has.
type settings struct {
	threads int
	strict  bool

	parallelScan bool   // of the commands that have --scan
	dtFloor      bool   // of those that have --dt-floor
	adapter      string // of those that have --adapter
}

// loading are the settings as the loader takes them.
func (s *settings) loading() loader.Options { return loader.Options{Strict: s.strict} }

// rootHelp says what all commands have in common.
const rootHelp = `gomamba loads, runs, converts and numerically verifies Mamba checkpoints: one binary, without
Python or a GPU.

MODEL is a checkpoint of Mamba, FalconMamba, Mamba-2 or Mamba-3, or of the hybrids
Nemotron-H, Granite 4.0, Jamba, Falcon-H1, Bamba, Zamba and Zamba2. It can be a folder or
file in one of these layouts, which are recognised by their content:
  hf         a folder written by transformers' save_pretrained
  mlx        a folder written by mlx-lm
  original   a folder written by mamba_ssm (state-spaces), or the same with the
             weights in safetensors; Mamba-3 exists only in this layout
  mistral    a folder like that of Mamba-Codestral
  gguf       a .gguf file, or the first of its parts
It can also be a repository on the Hugging Face hub: OWNER/NAME, OWNER/NAME@REVISION or a
URL, or OWNER/NAME:Q4_K_M for one of its GGUF files. Files that are not in the cache are
downloaded. Finally, it can be box, the small model that is built into the program.

An input file can be - for stdin, or a pipe. An output never overwrites a file that is
being read, and only replaces output of the same kind. --force replaces a checkpoint folder
only if it contains nothing else.

Results go to stdout, everything else to stderr. The exit status is 0 for success, 1 if
the work or a check failed, 2 for wrong usage, and 128 plus the signal's number after a
signal: 130 for Ctrl-C, 129 for a hangup, 143 for kill, 141 if nobody reads the output.`

func newRootCmd() *cobra.Command {
	s := &settings{}
	root := &cobra.Command{
		Use:   "gomamba",
		Short: "Load, run and numerically verify Mamba checkpoints",
		Long:  rootHelp,
		Example: `  gomamba demo                                   a tour with the built-in model
  gomamba inspect mamba-130m-hf
  gomamba convert mamba-130m-hf mamba-130m.gguf
  gomamba merge mamba-130m-hf my-lora merged
  gomamba verify mamba-130m-hf
  gomamba generate state-spaces/mamba-130m-hf -p 'Mamba is' -n 20
  gomamba chat falcon-mamba-7b-instruct.gguf`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          usage(cobra.NoArgs),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(flagError)
	root.SetVersionTemplate("gomamba {{.Version}}\n")
	intVar(root.PersistentFlags(), &s.threads, "threads", "", 0, 1, parallel.MaxThreads, "", "threads to use (default: all cores)")
	root.PersistentFlags().BoolVar(&s.strict, "strict", false, "treat unknown tensors as an error")
	root.AddCommand(
		newInspectCmd(s),
		newConvertCmd(s),
		newMergeCmd(s),
		newDiffCmd(s),
		newForwardCmd(s),
		newVerifyCmd(s),
		newGenerateCmd(s),
		newChatCmd(s),
		newTokenizeCmd(s),
		newScoreCmd(s),
		newImatrixCmd(s),
		newInitCmd(s),
		newBenchCmd(s),
		newDoctorCmd(s),
		newDownloadCmd(),
		newDemoCmd(s),
	)
	root.AddCommand(packagerCommands()...)
	addCompletions(root)
	dressHelp(root)
	return root
}

// flagError makes a flag that cannot be read a usage error that says what was expected.
func flagError(cmd *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		flag := invalid.GetFlag()
		name := "--" + flag.Name
		if flag.Shorthand != "" {
			name = "-" + flag.Shorthand
		}
		kind, ok := kindsOfValue[flag.Value.Type()]
		if own, has := flag.Value.(expects); has {
			kind, ok = own.expected(), true
		}
		if ok {
			return usagef("%s %s: expected %s (see gomamba %s --help)", name, cmp.Or(invalid.GetValue(), `""`), kind, cmd.Name())
		}
	}
	return usagef("%w (see gomamba %s --help)", err, cmd.Name())
}

// usage makes a mistake in the number of arguments a usage error that names the command. So it does an empty one, as a shell makes
// of a variable that is not set: as a path it would mean the current folder.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err, empty := check(cmd, args), slices.Index(args, "")
		switch {
		case err == nil && empty >= 0:
			return usagef("argument %d is empty (see %s --help)", empty+1, cmd.CommandPath())
		case err == nil:
			return nil
		case !cmd.HasParent() && len(args) > 0:
			return usagef("unknown command %q%s", args[0], suggestion(cmd, args[0]))
		}
		return usagef("found %s, expected %s (see %s --help)", badfile.Count(len(args), "argument"), cmd.UseLine(), cmd.CommandPath())
	}
}

// suggestion names the commands that look like a mistyped one.
func suggestion(root *cobra.Command, name string) string {
	root.SuggestionsMinimumDistance = 2
	near := root.SuggestionsFor(name)
	if len(near) == 0 {
		return " (see gomamba --help)"
	}
	return fmt.Sprintf(": did you mean %q?", near[0])
}

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}

// kindsOfValue say what flags of a type take. Types of our own say so themselves.
var kindsOfValue = map[string]string{
	"uint64": "a whole number from 0 to 18446744073709551615", "float64": "a number", "bool": "true or false",
}
