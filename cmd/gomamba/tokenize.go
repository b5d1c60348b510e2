package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/internal/stream"
	"github.com/gomamba/gomamba/text"
)

// tokenizeFlags are the flags of the tokenize command.
type tokenizeFlags struct {
	text                 string
	template             templateFlags
	jsonl, special, chat bool
}

func newTokenizeCmd(s *settings) *cobra.Command {
	f := &tokenizeFlags{}
	cmd := &cobra.Command{
		Use:   "tokenize MODEL [--text S | --jsonl]",
		Short: "Show the token ids and pieces of a text",
		Long: `tokenize shows how the model sees a text: one token per line, with its id and the text it
stands for. The text comes from --text or from stdin. MODEL can also be a tokenizer.json, a
SentencePiece tokenizer.model or a GGUF file. The ids match Hugging Face's tokenizers
library.

With --jsonl, each line of stdin is a JSON string, and each line of stdout is the array of
its ids.

With --chat, the text is a conversation in JSON, such as
[{"role": "user", "content": "Hello"}], and the tokens are those that gomamba chat gives the
model: the output of the chat template, up to where the assistant's answer begins.

` + templateHelp,
		Example: `  gomamba tokenize mamba-130m-hf --text 'Mamba is a state space model'
  gomamba tokenize tokenizer.json <README.md
  gomamba tokenize mamba-codestral-7b --jsonl <texts.jsonl >ids.jsonl
  gomamba tokenize falcon-mamba-7b-instruct --chat \
      --text '[{"role": "user", "content": "Hello"}]'
  gomamba tokenize NVIDIA-Nemotron-3-Nano-4B --chat --tools tools.json \
      --chat-var enable_thinking=false <conversation.json`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.jsonl && cmd.Flags().Changed("text") {
				return usagef("expected either --text or --jsonl")
			}
			if f.template.given() && !f.chat || f.special && f.chat {
				return usagef("--chat-template, --tools, --documents and --chat-var are for --chat, and --special for texts without a template")
			}
			if !cmd.Flags().Changed("text") {
				if err := takeStdin(cmd, "the text"); err != nil {
					return err
				}
			}
			t, err := openTokenizer(cmd, s, args[0])
			if err != nil {
				return err
			}
			encode, err := f.encoder(cmd, t, args[0])
			if err != nil {
				return err
			}
			if f.jsonl {
				return f.lines(cmd, encode)
			}
			return f.show(cmd, t, encode)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.text, "text", "", "the text (default: stdin)")
	flags.BoolVar(&f.jsonl, "jsonl", false, "read one JSON string per line, write one JSON array of ids per line")
	flags.BoolVar(&f.special, "special", false, "include the tokens that the tokenizer puts around a text, such as <s>")
	flags.BoolVar(&f.chat, "chat", false, "the text is a conversation, for the chat template")
	f.template.define(flags)
	return cmd
}

// encoder returns what makes ids of a text, or of a JSON value that is a conversation.
func (f *tokenizeFlags) encoder(cmd *cobra.Command, t *text.Tokenizer, name string) (func(string) ([]int64, error), error) {
	if !f.chat {
		return func(s string) ([]int64, error) { return t.EncodeContext(cmd.Context(), s, f.special) }, nil
	}
	template, err := f.template.open(cmd, t)
	if err != nil {
		return nil, err
	}
	if template == nil {
		return nil, fmt.Errorf("%s does not have a chat template: give one with --chat-template FILE", name)
	}
	return func(conversation string) ([]int64, error) {
		prompt, err := template.RenderJSON(conversation, true)
		if err != nil {
			return nil, err
		}
		return t.EncodeTemplateContext(cmd.Context(), prompt)
	}, nil
}

// show prints one token a line.
func (f *tokenizeFlags) show(cmd *cobra.Command, t *text.Tokenizer, encode func(string) ([]int64, error)) error {
	w := bufio.NewWriterSize(cmd.OutOrStdout(), 1<<16)
	prompt := f.text
	if !cmd.Flags().Changed("text") {
		if !f.chat {
			return errors.Join(f.showStream(cmd, w, t), w.Flush())
		}
		all, err := readInput(cmd, stream.Stdin, maxPromptFile)
		if err != nil {
			return err
		}
		prompt = string(all)
	}
	ids, err := encode(prompt)
	if err != nil {
		return err
	}
	return errors.Join(showIDs(cmd, w, t, ids), w.Flush())
}

// showStream prints the tokens of stdin, however long it is, as they come.
func (f *tokenizeFlags) showStream(cmd *cobra.Command, w io.Writer, t *text.Tokenizer) (err error) {
	in, _, err := openText(cmd, stream.Stdin)
	if err != nil {
		return err
	}
	defer closing(&err, in)
	show := func(ids []int64) error { return showIDs(cmd, w, t, ids) }
	if f.special {
		if err := show(t.Begin()); err != nil {
			return err
		}
	}
	var past *text.Past // of the pieces before
	err = text.EachPiece(in, t, 1<<20, func(piece string) (err error) {
		var ids []int64
		if past == nil {
			past = &text.Past{}
			ids, err = t.EncodeContext(cmd.Context(), piece, false)
			*past = past.Add(ids)
		} else {
			ids, *past, err = past.Encode(cmd.Context(), t, piece, false)
		}
		if err != nil {
			return err
		}
		return show(ids)
	})
	if err == nil && f.special {
		err = show(t.End())
	}
	return err
}

// showIDs prints one token a line.
func showIDs(cmd *cobra.Command, w io.Writer, t *text.Tokenizer, ids []int64) error {
	for _, id := range ids {
		if _, err := fmt.Fprintf(w, "%d\t%q\n", id, t.Piece(id)); err != nil || cmd.Context().Err() != nil {
			return cmp.Or(err, cmd.Context().Err())
		}
	}
	return nil
}

// lines encodes one JSON string, or conversation, a line. An answer is written before the next line is waited for.
func (f *tokenizeFlags) lines(cmd *cobra.Command, encode func(string) ([]int64, error)) error {
	r, w := bufio.NewReaderSize(&waiter{ctx: cmd.Context(), r: os.Stdin}, 1<<16), bufio.NewWriterSize(cmd.OutOrStdout(), 1<<16)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return w.Flush()
		}
		if err != nil && err != io.EOF {
			return err
		}
		var text *string
		switch err := json.Unmarshal(line, &text); {
		case f.chat:
			whole := string(line)
			text = &whole
		case err != nil || text == nil:
			return errors.Join(w.Flush(), fmt.Errorf("line %d of stdin is not a JSON string such as \"Hello\"", n))
		}
		ids, err := encode(*text)
		if err != nil {
			return errors.Join(w.Flush(), fmt.Errorf("line %d of stdin: %w", n, err))
		}
		out := append(w.AvailableBuffer(), '[')
		for i, id := range ids {
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
