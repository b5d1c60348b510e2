package main

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/fixtures"
	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
)

func newDemoCmd(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show everything on a tiny embedded checkpoint, offline and in seconds",
		Long: `demo unpacks a tiny Mamba checkpoint, made and saved by transformers, into a temporary
folder and runs the commands of this program on it, as you would type them.`,
		Example: "  gomamba demo",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			dir, err := os.MkdirTemp("", "gomamba-demo-")
			if err != nil {
				return err
			}
			defer func() {
				if e := os.RemoveAll(dir); err == nil {
					err = e
				}
			}()
			d := &demo{cmd: cmd, s: s, dir: dir, out: cmd.OutOrStdout()}
			return d.run()
		},
	}
}

// demo is one run of the tour.
type demo struct {
	cmd *cobra.Command
	s   *settings
	dir string
	out io.Writer
}

func (d *demo) run() error {
	if err := os.CopyFS(filepath.Join(d.dir, "demo"), fixtures.Demo()); err != nil {
		return err
	}
	var greedy fixtures.Greedy
	text, err := fs.ReadFile(fixtures.Demo(), "greedy.json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &greedy); err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error {
			return d.command("What is in this checkpoint?", "inspect", "demo")
		},
		func() error {
			return d.command("Are the numbers those of Hugging Face? The reference is its own output.", "verify", "demo", "demo/ref.safetensors")
		},
		func() error {
			return d.command("And without a reference: float32 against float64.", "verify", "demo")
		},
		d.oneBitPattern,
		func() error { return d.generate(greedy) },
		func() error {
			return d.command("Into the original state-spaces layout, every bit checked.", "convert", "demo", "demo-original", "--to", "original", "--verify")
		},
		func() error { return d.command("Is that still the same model?", "diff", "demo", "demo-original") },
		func() error {
			return d.command("And from there to GGUF.", "convert", "demo-original", "demo.gguf", "--verify")
		},
		func() error {
			return d.command("How fast? This checkpoint is tiny; give bench a real one.", "bench", "demo", "-p", "256", "-n", "64", "-r", "3")
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(d.out, "\nDone. Now try your own: gomamba inspect FOLDER")
	return err
}

// command shows a command line, runs it with the demo's folder as working directory, and returns its error.
func (d *demo) command(title string, args ...string) error {
	fmt.Fprintf(d.out, "\n# %s\n$ gomamba %s\n", title, strings.Join(args, " "))
	return d.execute(d.out, args)
}

func (d *demo) execute(out io.Writer, args []string) error {
	args = slices.Clone(args)
	for i, a := range args {
		if strings.HasPrefix(a, "demo") {
			args[i] = filepath.Join(d.dir, filepath.FromSlash(a))
		}
	}
	if d.s.threads > 0 {
		args = append(args, fmt.Sprintf("--threads=%d", d.s.threads))
	}
	root := newRootCmd()
	root.SetArgs(args)
	root.SetOut(&shortened{out, d.dir + string(filepath.Separator)})
	root.SetErr(d.cmd.ErrOrStderr())
	return root.ExecuteContext(d.cmd.Context())
}

// shortened writes text without the path of the temporary folder.
type shortened struct {
	w   io.Writer
	dir string
}

func (s *shortened) Write(p []byte) (int, error) {
	_, err := io.WriteString(s.w, strings.ReplaceAll(string(p), s.dir, ""))
	return len(p), err
}

// oneBitPattern runs the reference's prompt whole, in pieces and token by token.
func (d *demo) oneBitPattern() error {
	fmt.Fprintf(d.out, "\n# Is it the same computation, however the prompt is cut?\n")
	return withModel(d.cmd, d.s, filepath.Join(d.dir, "demo"), func(_ *loader.Checkpoint, m *model.Model) (err error) {
		ref, err := dump.Read(filepath.Join(d.dir, "demo", "ref.safetensors"))
		if err != nil {
			return err
		}
		defer closing(&err, ref)
		ids, _ := ref.InputIDs()
		whole, err := d.cut(m, ids, len(ids))
		if err != nil {
			return err
		}
		for _, piece := range []int{7, 1} {
			cut, err := d.cut(m, ids, piece)
			if err != nil {
				return err
			}
			if !slices.Equal(cut, whole) {
				return fmt.Errorf("%d tokens in pieces of %d: other bits than whole", len(ids), piece)
			}
			fmt.Fprintf(d.out, "%d tokens in pieces of %d: %d logits and states, all the same bits as whole\n", len(ids), piece, len(cut))
		}
		return nil
	})
}

// cut runs ids in pieces and returns all logits and the final states.
func (d *demo) cut(m *model.Model, ids []int64, piece int) ([]float32, error) {
	cache := m.NewCache(1)
	var all []float32
	for part := range slices.Chunk(ids, piece) {
		out, err := m.Forward(d.cmd.Context(), model.Single(part), cache, model.Want{Logits: model.LogitsAll})
		if err != nil {
			return nil, err
		}
		all = append(all, out.Logits...)
	}
	for l := range cache.SSMStates {
		all = append(append(all, cache.ConvStates[l]...), cache.SSMStates[l]...)
	}
	return all, nil
}

// generate continues a prompt as transformers did.
func (d *demo) generate(greedy fixtures.Greedy) error {
	args := []string{"generate", "demo", "--ids", formatIDs(greedy.Prompt), "-n", fmt.Sprint(len(greedy.Tokens))}
	var got strings.Builder
	if err := d.execute(&got, args); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\n# Does it continue as transformers' generate() does?\n$ gomamba %s\n%s", strings.Join(args, " "), got.String())
	if strings.TrimSpace(got.String()) != formatIDs(greedy.Tokens) {
		return fmt.Errorf("transformers continued with %s", formatIDs(greedy.Tokens))
	}
	_, err := fmt.Fprintf(d.out, "the same %d tokens as transformers\n", len(greedy.Tokens))
	return err
}
