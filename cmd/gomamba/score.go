package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/stream"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/text"
)

// scoreFlags are the flags of the score command.
type scoreFlags struct {
	ids, tokenizer string
	json           bool
	piece          int // bytes of text that are encoded together; tests make it small
}

func newScoreCmd(s *settings) *cobra.Command {
	f := &scoreFlags{}
	cmd := &cobra.Command{
		Use:   "score MODEL (FILE | --ids 1,2,3)",
		Short: "Show how well a model predicts a text: perplexity, bits per byte",
		Long: `score runs the network on a text, as a single sequence, and reports how likely it finds each
token given those before it: perplexity, bits per byte and bits per token. The text can be
far larger than memory, and the results do not depend on how it is split. FILE can be a
pipe, or - for stdin.

The first token is scored only if the tokenizer puts a token of its own, such as <s>, before
it. Perplexity is exp of the mean negative log-likelihood of the scored tokens. Bits per
byte is their total over all bytes of the text. --json lists every token with its
log-likelihood (natural logarithm; null if it is not scored).`,
		Example: `  gomamba score mamba-130m-hf book.txt
  gomamba score mamba-130m-hf book.txt --json >scores.json
  gomamba score mamba-2.8b book.txt --tokenizer EleutherAI/gpt-neox-20b
  gomamba score mamba-130m-hf --ids 510,3158,8516`,
		Args: usage(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 2) == (f.ids != "") {
				return usagef("expected either FILE or --ids")
			}
			file := ""
			if len(args) == 2 {
				var err error
				if file, err = input(cmd, "FILE", args[1]); err != nil {
					return err
				}
			}
			return withModel(cmd, s, args[0], func(ck *loader.Checkpoint, m *model.Model) error {
				return f.run(cmd, s, ck, m, file)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.ids, "ids", "", "token ids to score in place of a text, such as 1,2,3")
	fileVar(flags, &f.tokenizer, "tokenizer", "", "tokenizer for a model without one: file, folder or OWNER/NAME")
	flags.BoolVar(&f.json, "json", false, "print JSON, with the log-likelihood of every token")
	pieceVar(flags, &f.piece)
	addFloorFlag(cmd, s)
	addAdapterFlag(cmd, s)
	return cmd
}

// pieceVar is the flag of how much of a text is encoded at a time.
func pieceVar(flags *pflag.FlagSet, n *int) {
	intVar(flags, n, "piece", "", 1<<20, 1, 1<<30, "", "bytes of text to encode at a time; does not affect results")
}

func (f *scoreFlags) run(cmd *cobra.Command, s *settings, ck *loader.Checkpoint, m *model.Model, file string) error {
	w := bufio.NewWriterSize(cmd.OutOrStdout(), 1<<16)
	var list *bufio.Writer
	if f.json {
		list = w
	}
	r := newScorer(m, list)
	var err error
	if f.ids != "" {
		err = f.scoreIDs(cmd, r)
	} else {
		err = f.scoreFile(cmd, s, ck, r, file)
	}
	if err == nil {
		err = m.Changed()
	}
	if err != nil {
		return err
	}
	if r.Score().Scored == 0 {
		return errors.New("there is nothing to score: expected at least two tokens, so that the first predicts the second")
	}
	if err := r.report(w, f.json); err != nil {
		return err
	}
	return w.Flush()
}

func (f *scoreFlags) scoreIDs(cmd *cobra.Command, r *scorer) error {
	ids, err := parseIDs(f.ids)
	if err != nil {
		return err
	}
	ctx, stop := watched(cmd.Context(), cmd)
	defer stop()
	return r.Add(ctx, ids)
}

// scoreFile reads a text piece by piece and scores its tokens.
func (f *scoreFlags) scoreFile(cmd *cobra.Command, s *settings, ck *loader.Checkpoint, r *scorer, path string) (err error) {
	t, err := tokenizerOf(cmd, s, ck, f.tokenizer)
	if err != nil {
		return err
	}
	in, size, err := openText(cmd, path)
	if err != nil {
		return err
	}
	defer closing(&err, in)
	r.t = t
	_, r.bytes, err = runText(cmd, text.Past{All: true}, t, in, size, f.piece, r.Add)
	return err
}

// openText opens a regular file, and returns its size, or a stream.
func openText(cmd *cobra.Command, path string) (io.ReadCloser, int64, error) {
	if stream.Is(path) {
		r, err := stream.Open(path)
		return &waiter{ctx: cmd.Context(), r: r}, 0, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is not a regular file: expected a text", path)
	}
	file, err := os.Open(path)
	return file, info.Size(), err
}

// scorer counts the bytes of a text beside its score, and lists its tokens.
type scorer struct {
	*text.Scorer
	t     *text.Tokenizer // nil: ids alone
	out   *bufio.Writer   // where tokens are listed
	first bool            // no token is listed yet
	bytes int64
}

// newScorer lists tokens on out; nil: nowhere.
func newScorer(m *model.Model, out *bufio.Writer) *scorer {
	r := &scorer{out: out, first: true}
	if out == nil {
		r.Scorer = text.NewScorer(m, nil)
	} else {
		r.Scorer = text.NewScorer(m, r.list)
	}
	return r
}

// list lists a token.
func (r *scorer) list(id int64, logprob float64, scored bool) error {
	head := ",\n"
	if r.first {
		head, r.first = "{\n\"tokens\": [\n", false
	}
	line := append(r.out.AvailableBuffer(), head...)
	line = strconv.AppendInt(append(line, `{"id":`...), id, 10)
	if r.t != nil {
		token, _ := r.t.Token(id)
		line = jsonobj.AppendString(append(line, `,"token":`...), token)
	}
	line = append(line, `,"logprob":`...)
	if scored {
		line = strconv.AppendFloat(line, logprob, 'g', -1, 64)
	} else {
		line = append(line, "null"...)
	}
	_, err := r.out.Write(append(line, '}'))
	return err
}

// report writes the sums.
func (r *scorer) report(w io.Writer, asJSON bool) error {
	sum := r.Score()
	bits, perplexity := sum.Bits(), sum.Perplexity()
	perByte := math.NaN()
	if r.bytes > 0 {
		perByte = bits / float64(r.bytes)
	}
	if asJSON {
		sums := map[string]any{
			"count": sum.Tokens, "scored": sum.Scored, "log_likelihood": sum.LogLikelihood, "bits_per_token": bits / float64(sum.Scored),
			"perplexity": perplexity,
		}
		if math.IsInf(perplexity, 0) {
			sums["perplexity"] = nil // beyond JSON's numbers
		}
		if r.bytes > 0 {
			sums["bytes"], sums["bits_per_byte"] = r.bytes, perByte
		}
		encoded, err := json.MarshalIndent(sums, "", "")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "\n],%s\n", encoded[1:])
		return err
	}
	fmt.Fprintf(w, "tokens           %d, of which %d scored\n", sum.Tokens, sum.Scored)
	if r.bytes > 0 {
		fmt.Fprintf(w, "bytes            %d\n", r.bytes)
	}
	fmt.Fprintf(w, "log-likelihood   %.6f\nperplexity       %.6f\n", sum.LogLikelihood, perplexity)
	if r.bytes > 0 {
		fmt.Fprintf(w, "bits per byte    %.6f\n", perByte)
	}
	_, err := fmt.Fprintf(w, "bits per token   %.6f\n", bits/float64(sum.Scored))
	return err
}
