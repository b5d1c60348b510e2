package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/internal/stream"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/model/importance"
	"github.com/gomamba/gomamba/text"
)

// imatrixFlags are the flags of the imatrix command.
type imatrixFlags struct {
	out, tokenizer string
	chunk, piece   int
	to             *destination // of out
}

func newImatrixCmd(s *settings) *cobra.Command {
	f := &imatrixFlags{}
	cmd := &cobra.Command{
		Use:   "imatrix MODEL TEXT --out FILE",
		Short: "Measure which columns of the weights matter on a text",
		Long: `imatrix runs the network on a text and writes the mean square of every input column of the
matrices in its blocks. This is llama.cpp's importance matrix, a GGUF file that
llama-quantize can read too. convert --imatrix puts the quantization error into columns
where these values are small. The text is run in chunks, each from an empty state. TEXT can
be a pipe, or - for stdin. About 100 kB of text is enough; choose text similar to what the
model is used for. The output only replaces a file of the same kind.`,
		Example: `  gomamba imatrix mamba-2.8b calibration.txt --out mamba-2.8b.imatrix.gguf
  gomamba convert mamba-2.8b mamba-2.8b-iq3.gguf --dtype iq3_xxs \
      --imatrix mamba-2.8b.imatrix.gguf`,
		Args: usage(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.out == "" {
				return usagef("expected --out: there is nowhere to write to")
			}
			file, err := input(cmd, "TEXT", args[1])
			if err != nil {
				return err
			}
			return withModel(cmd, s, args[0], func(ck *loader.Checkpoint, m *model.Model) error {
				return f.run(cmd, s, ck, m, file)
			})
		},
	}
	flags := cmd.Flags()
	fileVar(flags, &f.out, "out", "", "file to write, - is stdout")
	fileVar(flags, &f.tokenizer, "tokenizer", "", "tokenizer for a model without one: file, folder or OWNER/NAME")
	intVar(flags, &f.chunk, "chunk", "", importance.Chunk, 1, 1<<20, "", "tokens to run at a time, from an empty state")
	pieceVar(flags, &f.piece)
	return cmd
}

func (f *imatrixFlags) run(cmd *cobra.Command, s *settings, ck *loader.Checkpoint, m *model.Model, path string) (err error) {
	if f.to, err = output(cmd, "--out", f.out, importance.Replaceable, false); err != nil {
		return err
	}
	t, err := tokenizerOf(cmd, s, ck, f.tokenizer)
	if err != nil {
		return err
	}
	in, size, err := openText(cmd, path)
	if err != nil {
		return err
	}
	defer closing(&err, in)
	c := importance.NewCollector(m, f.chunk)
	if _, _, err := runText(cmd, text.Past{All: true}, t, in, size, f.piece, c.Add); err != nil {
		return err
	}
	if err := m.Changed(); err != nil {
		return err
	}
	dataset := filepath.Base(path)
	if stream.Is(path) {
		dataset = "stdin"
	}
	if err := c.Write(cmd.Context(), f.to.path, dataset, sessionOf(cmd).files()...); err != nil {
		return err
	}
	if err := f.to.deliver(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(results(cmd), "%s: importance of %d matrices over %s tokens\n", f.to.name, c.Matrices(), thousands(int(c.Tokens())))
	return err
}
