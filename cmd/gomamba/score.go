package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/numcheck"
	"github.com/gomamba/gomamba/internal/samebits"
	"github.com/gomamba/gomamba/internal/stream"
	"github.com/gomamba/gomamba/internal/tokenizer"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
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
		Short: "Tell how well a model predicts a text: perplexity, bits per byte",
		Long: `score runs the network over a text, the whole of it as one sequence, and reports how likely
it finds each token after those before it: perplexity, bits per byte and per token. A
text may be far longer than memory; the figures do not depend on how it is cut. FILE
may be a pipe, or - for stdin.

The first token is scored where the tokenizer begins texts with one of its own, such
as <s>. Perplexity is exp of the mean negative log-likelihood of the tokens scored;
bits per byte is their total over all bytes of the text. --json lists every token
with its log-likelihood (natural logarithm; null where it is not scored).`,
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
	flags.StringVar(&f.tokenizer, "tokenizer", "", "tokenizer for a model without: a file, a folder or OWNER/NAME")
	flags.BoolVar(&f.json, "json", false, "print JSON, with the log-likelihood of every token")
	pieceVar(flags, &f.piece)
	return cmd
}

// pieceVar is the hidden flag of how much of a text is encoded together.
func pieceVar(flags *pflag.FlagSet, n *int) {
	intVar(flags, n, "piece", "", 1<<20, 1, 1<<30, "", "bytes of text to encode together")
	if err := flags.MarkHidden("piece"); err != nil {
		panic(err) // the flag is defined above
	}
}

func (f *scoreFlags) run(cmd *cobra.Command, s *settings, ck *loader.Checkpoint, m *model.Model, file string) error {
	r := newScorer(m)
	w := bufio.NewWriterSize(cmd.OutOrStdout(), 1<<16)
	if f.json {
		r.out = w
	}
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
	if r.scored == 0 {
		return errors.New("there is nothing to score: expected at least two tokens, of which the first predicts the second")
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
	return r.add(ctx, ids)
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
	_, r.bytes, err = past{All: true}.run(cmd, t, in, size, f.piece, r.add)
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

// eachPiece hands a text on in pieces of about n bytes, cut where that changes no token.
func eachPiece(in io.Reader, t *tokenizer.Tokenizer, n int, use func(text string) error) error {
	var rest []byte
	for {
		have := len(rest)
		rest = append(rest, make([]byte, max(n, have))...) // twice as much where no cut was found
		got, err := io.ReadFull(in, rest[have:])
		rest = rest[:have+got]
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			if len(rest) == 0 {
				return nil
			}
			return use(string(rest))
		}
		if err != nil {
			return err
		}
		text := string(rest)
		if at := t.Cut(text); at > 0 {
			if err := use(text[:at]); err != nil {
				return err
			}
			rest = append(rest[:0], text[at:]...)
		}
	}
}

// scorer adds up how likely tokens are, each after all before it.
type scorer struct {
	m      *model.Model
	t      *tokenizer.Tokenizer // nil: ids alone
	cache  *model.Cache
	last   []float32     // logits after the last token; nil before the first
	out    *bufio.Writer // where tokens are listed; nil: nowhere
	tokens int64
	scored int64
	bytes  int64
	sum    float64 // of log-likelihoods
	lost   float64 // what rounding took from sum, see Kahan
}

func newScorer(m *model.Model) *scorer { return &scorer{m: m, cache: m.NewCache(1)} }

// add runs the next tokens.
func (r *scorer) add(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	b := model.Single(ids)
	vocab := r.m.Config().Shared().VocabSize
	if err := b.Check(vocab); err != nil {
		return err
	}
	if err := r.tell(ids[0], r.last); err != nil {
		return err
	}
	return r.m.Stream(ctx, b, r.cache, model.Want{Logits: model.LogitsAll}, func(p *model.Part) error {
		rows := make([]float64, p.Width)
		if i := numcheck.NonFinite(p.Logits); i >= 0 {
			return &model.NonFiniteError{Token: i % vocab, Logit: p.Logits[i], Where: r.cache.NonFinite()}
		}
		var each errgroup.Group
		each.SetLimit(r.m.Threads())
		for j := range rows {
			if next := p.Start + j + 1; next < len(ids) {
				each.Go(func() error {
					rows[j] = logLikelihood(p.Logits[j*vocab:][:vocab], ids[next])
					return nil
				})
			}
		}
		if err := each.Wait(); err != nil {
			return err
		}
		for j, v := range rows {
			if next := p.Start + j + 1; next < len(ids) {
				if err := r.note(ids[next], v, true); err != nil {
					return err
				}
			}
		}
		r.last = append(r.last[:0], p.Logits[(p.Width-1)*vocab:][:vocab]...)
		return nil
	})
}

// tell scores a token by the logits before it; without any it is only counted.
func (r *scorer) tell(id int64, logits []float32) error {
	if logits == nil {
		return r.note(id, 0, false)
	}
	return r.note(id, logLikelihood(logits, id), true)
}

// logLikelihood is the natural logarithm of the probability of one id among all, in float64.
func logLikelihood(logits []float32, id int64) float64 {
	top := logits[0]
	for _, v := range logits {
		top = max(top, v)
	}
	sum := 0.0
	for _, v := range logits {
		sum += kernel.Exp(float64(v) - float64(top))
	}
	return float64(logits[id]) - float64(top) - samebits.Log(sum)
}

// note adds a token to the sums and lists it.
func (r *scorer) note(id int64, v float64, scored bool) error {
	r.tokens++
	if scored {
		r.scored++
		y := v - r.lost
		next := r.sum + y
		r.lost = (next - r.sum) - y
		r.sum = next
	}
	if r.out == nil {
		return nil
	}
	head := ",\n"
	if r.tokens == 1 {
		head = "{\n\"tokens\": [\n"
	}
	line := append(r.out.AvailableBuffer(), head...)
	line = strconv.AppendInt(append(line, `{"id":`...), id, 10)
	if r.t != nil {
		token, _ := r.t.Token(id)
		line = jsonobj.AppendString(append(line, `,"token":`...), token)
	}
	line = append(line, `,"logprob":`...)
	if scored {
		line = strconv.AppendFloat(line, v, 'g', -1, 64)
	} else {
		line = append(line, "null"...)
	}
	_, err := r.out.Write(append(line, '}'))
	return err
}

// report writes the sums.
func (r *scorer) report(w io.Writer, asJSON bool) error {
	bits := -r.sum / math.Ln2
	perplexity := samebits.Exp(-r.sum / float64(r.scored))
	perByte := math.NaN()
	if r.bytes > 0 {
		perByte = bits / float64(r.bytes)
	}
	if asJSON {
		sums := map[string]any{
			"count": r.tokens, "scored": r.scored, "log_likelihood": r.sum, "bits_per_token": bits / float64(r.scored),
			"perplexity": perplexity,
		}
		if math.IsInf(perplexity, 0) {
			sums["perplexity"] = nil // beyond JSON's numbers
		}
		if r.bytes > 0 {
			sums["bytes"], sums["bits_per_byte"] = r.bytes, perByte
		}
		text, err := json.MarshalIndent(sums, "", "")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "\n],%s\n", text[1:])
		return err
	}
	fmt.Fprintf(w, "tokens           %d, of which %d scored\n", r.tokens, r.scored)
	if r.bytes > 0 {
		fmt.Fprintf(w, "bytes            %d\n", r.bytes)
	}
	fmt.Fprintf(w, "log-likelihood   %.6f\nperplexity       %.6f\n", r.sum, perplexity)
	if r.bytes > 0 {
		fmt.Fprintf(w, "bits per byte    %.6f\n", perByte)
	}
	_, err := fmt.Fprintf(w, "bits per token   %.6f\n", bits/float64(r.scored))
	return err
}
