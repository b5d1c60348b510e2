package main

import (
	"bytes"
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
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
)

func newDemoCmd(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Take a tour with the built-in model, offline and in seconds",
		Long: `demo unpacks the built-in model into a temporary folder and runs the commands of this
program on it, as you would type them. The model is a small Mamba that learned Go's standard
library byte by byte and was saved by transformers.`,
		Example: "  gomamba demo",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			leave, err := enterTemporary(cmd)
			if err != nil {
				return err
			}
			defer func() {
				if e := leave(); err == nil {
					err = e
				}
			}()
			d := &demo{cmd: cmd, s: s, out: cmd.OutOrStdout()}
			return d.run()
		},
	}
}

// enterTemporary makes a new folder the working directory, until leave is called. It goes when the command has ended.
func enterTemporary(cmd *cobra.Command) (leave func() error, err error) {
	home, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "gomamba-demo-")
	if err != nil {
		return nil, err
	}
	sessionOf(cmd).atEnd(func() error { return os.RemoveAll(dir) })
	return func() error { return os.Chdir(home) }, os.Chdir(dir)
}

// demo is one run of the tour.
type demo struct {
	cmd *cobra.Command
	s   *settings
	out io.Writer
}

func (d *demo) run() error {
	for name, files := range map[string]fs.FS{"box": fixtures.Box(), "mamba2": fixtures.Mamba2()} {
		if err := os.CopyFS(name, files); err != nil {
			return err
		}
	}
	for _, step := range []func() error{
		func() error { return d.titled("What is in this checkpoint?", "inspect", "box") },
		func() error {
			return d.titled("Are the numbers those of Hugging Face? The reference is what transformers computed.", "verify", "box", "box/ref.safetensors")
		},
		d.oneBitPattern,
		d.layouts,
		d.greedy,
		func() error {
			return d.titled("How fast is it here?", "bench", "box", "-p", "512", "-n", "256", "-r", "3")
		},
		func() error {
			return d.titled("And some Go that nobody wrote. Another --seed, another text.",
				"generate", "box", "-p", "func TestRead(t *testing.T) {", "-n", "300", "--temp", "0.6", "--top-p", "0.9", "--seed", "1")
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprint(d.out, `
Done. "box" names this model in every command; yours are a folder, a file or OWNER/NAME on the Hugging Face hub:
  gomamba generate box -p '// Reverse returns ' --temp 0.6
  gomamba chat box --temp 0.7
  gomamba inspect state-spaces/mamba-130m-hf
`)
	return err
}

// title says what the next lines show.
func (d *demo) title(text string) { fmt.Fprintf(d.out, "\n%s\n", bold.on(d.out, "# "+text)) }

func (d *demo) titled(title string, args ...string) error {
	d.title(title)
	return d.command(d.out, args...)
}

// command shows a command line, runs it, and returns its error.
func (d *demo) command(out io.Writer, args ...string) error {
	line := "$ gomamba"
	for _, arg := range args {
		if strings.ContainsAny(arg, " (){}*") {
			arg = "'" + arg + "'"
		}
		line += " " + arg
	}
	fmt.Fprintln(d.out, line)
	if d.s.threads > 0 {
		args = append(args, fmt.Sprintf("--threads=%d", d.s.threads))
	}
	root := newRootCmd()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(d.cmd.ErrOrStderr())
	return root.ExecuteContext(d.cmd.Context())
}

// oneBitPattern runs the reference's prompt whole, in pieces and token by token.
func (d *demo) oneBitPattern() error {
	d.title("Is it the same computation, however the prompt is cut?")
	return withModel(d.cmd, d.s, "box", func(_ *loader.Checkpoint, m *model.Model) (err error) {
		ref, err := dump.Read("box/ref.safetensors")
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
			fmt.Fprintf(d.out, "%d tokens in pieces of %d: %s logits and states, all the same bits as whole\n", len(ids), piece, thousands(len(cut)))
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
	for l := range cache.Layers() {
		for _, s := range cache.States(l) {
			all = append(all, s.Values...)
		}
	}
	return all, nil
}

// layouts takes the checkpoint through every layout and back.
func (d *demo) layouts() error {
	for _, way := range []struct {
		title    string
		from, to string
		there    []string
	}{
		{"From Hugging Face's layout to the original one of state-spaces, every bit checked, and back.", "box", "box-back",
			[]string{"box-original", "--to", "original"}},
		{"To GGUF and back. It keeps A = -exp(A_log): two bf16 neighbours may have one A.", "box", "box-gguf-back", []string{"box.gguf"}},
		{"Mistral's layout is for Mamba-2, so a tiny one of random weights goes there and back.", "mamba2", "mamba2-back",
			[]string{"mamba2-mistral", "--to", "mistral"}},
	} {
		d.title(way.title)
		if err := d.command(d.out, slices.Concat([]string{"convert", way.from}, way.there, []string{"--verify"})...); err != nil {
			return err
		}
		if err := d.command(d.out, "convert", way.there[0], way.to, "--to", "hf", "--verify"); err != nil {
			return err
		}
		if err := d.command(d.out, "diff", way.from, way.to); err != nil {
			return err
		}
		if err := d.sameFile(way.from, way.to); err != nil {
			return err
		}
	}
	return nil
}

// sameFile says so if the weights that came back are the bytes that transformers wrote.
func (d *demo) sameFile(from, to string) error {
	a, err := os.ReadFile(filepath.Join(from, filenames.ModelFile))
	if err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(to, filenames.ModelFile))
	if err != nil {
		return err
	}
	if bytes.Equal(a, b) {
		_, err = fmt.Fprintf(d.out, "%s/model.safetensors is the file that transformers wrote, byte for byte\n", to)
	}
	return err
}

// greedy continues a prompt as transformers did.
func (d *demo) greedy() error {
	text, err := os.ReadFile("box/greedy.json")
	if err != nil {
		return err
	}
	var runs []fixtures.Greedy
	if err := json.Unmarshal(text, &runs); err != nil {
		return err
	}
	prompt, want := asBytes(runs[0].Prompt), asBytes(runs[0].Tokens)
	if err := os.WriteFile("prompt.txt", prompt, 0o666); err != nil {
		return err
	}
	d.title("Does it continue as transformers' generate() does?")
	fmt.Fprintf(d.out, "$ cat prompt.txt\n%s\n", prompt)
	var got bytes.Buffer
	if err := d.command(io.MultiWriter(d.out, &got), "generate", "box", "--file", "prompt.txt", "-n", fmt.Sprint(len(want))); err != nil {
		return err
	}
	if !bytes.Equal(got.Bytes(), append(want, '\n')) {
		return fmt.Errorf("transformers continued with %q", want)
	}
	_, err = fmt.Fprintf(d.out, "(the same %d bytes as transformers)\n", len(want))
	return err
}

// asBytes is the text of a model whose tokens are bytes.
func asBytes(ids []int64) []byte {
	text := make([]byte, len(ids))
	for i, id := range ids {
		text[i] = byte(id)
	}
	return text
}
