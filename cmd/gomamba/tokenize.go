package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/internal/tokenizer"
)

// tokenizeFlags are the flags of the tokenize command.
type tokenizeFlags struct {
	text           string
	jsonl, special bool
}

func newTokenizeCmd(s *settings) *cobra.Command {
	f := &tokenizeFlags{}
	cmd := &cobra.Command{
		Use:   "tokenize MODEL [--text S | --jsonl]",
		Short: "Show the token ids and pieces of a text",
		Long: `tokenize shows a text as the model gets it: one token a line, its id and what it stands
for. The text comes from --text or from stdin. MODEL may also be a tokenizer.json, a
SentencePiece tokenizer.model or a GGUF file. Ids are those of Hugging Face's
tokenizers library.

With --jsonl each line of stdin is a JSON string, and each line of stdout the array
of its ids.`,
		Example: `  gomamba tokenize mamba-130m-hf --text 'Mamba is a state space model'
  gomamba tokenize tokenizer.json <README.md
  gomamba tokenize mamba-codestral-7b --jsonl <texts.jsonl >ids.jsonl`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.jsonl && cmd.Flags().Changed("text") {
				return usagef("expected either --text or --jsonl")
			}
			t, err := openTokenizer(cmd, s, args[0])
			if err != nil {
				return err
			}
			if f.jsonl {
				return f.lines(cmd, t)
			}
			return f.show(cmd, t)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.text, "text", "", "the text (default: stdin)")
	flags.BoolVar(&f.jsonl, "jsonl", false, "one JSON string a line in, one JSON array of ids a line out")
	flags.BoolVar(&f.special, "special", false, "include the tokens that the tokenizer puts around a text, such as <s>")
	return cmd
}

// show prints one token a line.
func (f *tokenizeFlags) show(cmd *cobra.Command, t *tokenizer.Tokenizer) error {
	text := f.text
	if !cmd.Flags().Changed("text") {
		all, err := io.ReadAll(cmd.InOrStdin())
		if err != nil {
			return err
		}
		text = string(all)
	}
	w := bufio.NewWriter(cmd.OutOrStdout())
	for _, id := range t.Encode(text, f.special) {
		fmt.Fprintf(w, "%d\t%q\n", id, t.Piece(id))
	}
	return w.Flush()
}

// lines encodes one JSON string a line. An answer is written before the next line is waited for.
func (f *tokenizeFlags) lines(cmd *cobra.Command, t *tokenizer.Tokenizer) error {
	r, w := bufio.NewReaderSize(cmd.InOrStdin(), 1<<16), bufio.NewWriterSize(cmd.OutOrStdout(), 1<<16)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return w.Flush()
		}
		if err != nil && err != io.EOF {
			return err
		}
		var text *string
		if err := json.Unmarshal(line, &text); err != nil || text == nil {
			return errors.Join(w.Flush(), fmt.Errorf("line %d of stdin is not a JSON string such as \"Hello\"", n))
		}
		out := append(w.AvailableBuffer(), '[')
		for i, id := range t.Encode(*text, f.special) {
			if i > 0 {
				out = append(out, ',')
			}
			out = strconv.AppendInt(out, id, 10)
		}
		w.Write(append(out, ']', '\n'))
		if r.Buffered() == 0 {
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
}
