package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/text"
)

const (
	maxPromptFile = 1 << 30   // bytes of a file with a prompt
	maxTokens     = 1<<31 - 1 // to generate for one prompt
)

// generateFlags are the flags of the generate command.
type generateFlags struct {
	prompts, ids, stops []string
	file, tokenizer     string
	print               string
	n                   int
	ignoreEOS, json     bool
	sampling            samplingFlags
	seeded              bool // --seed is given
	cacheIn, cacheOut   string
	cacheTo             *destination // of cacheOut
	piece               int          // bytes of a long text that are encoded together; tests make it small
}

func newGenerateCmd(s *settings) *cobra.Command {
	f := &generateFlags{}
	cmd := &cobra.Command{
		Use:   "generate MODEL (-p TEXT | --ids 1,2,3) [-n N]",
		Short: "Continue a prompt",
		Long: `generate continues a prompt of text or token ids and prints new tokens as they come: as text
after text, as ids after ids. It is greedy unless --temp is above 0. It ends after n tokens,
at a stop string, which is not printed, or at a stop token: the tokens at which transformers
or, for a GGUF file, llama.cpp would stop, as listed by gomamba inspect. The same seed gives
the same tokens on every machine and for any number of threads.

The text can also come from a file or a pipe (--file). If there is no prompt and stdin is
not a terminal, it is read from stdin.

To continue several prompts at once, repeat -p or --ids. Each gives the same result as by
itself. The output separates texts with a line of ---, or use --json.

--cache-out saves the state after the last token, so that a long prompt has to be processed
only once. --cache-in continues from it, as often as you like, also with several prompts.
The result is the same as without the interruption: the repeat penalty knows the earlier
text, and random draws continue in sequence unless --seed starts a new one. A cache only
works with the model that wrote it.

` + orderHelp,
		Example: `  gomamba generate mamba-130m-hf -p 'Mamba is the' -n 32
  gomamba generate mamba-130m-hf -p 'Once upon' --temp 0.8 --top-p 0.95 --seed 7
  gomamba generate mamba-130m-hf --file manual.txt -n 0 --cache-out c.st
  gomamba generate mamba-130m-hf --cache-in c.st -p 'In short:' --stop .
  gomamba generate mamba-130m-hf -p Once --temp 1.5 --sampler-order transformers
  git diff | gomamba generate mamba-2.8b-hf -n 64
  gomamba generate mamba-2.8b --tokenizer EleutherAI/gpt-neox-20b -p 'Hello'
  gomamba generate mamba-130m-hf --ids 12092,13,619 -n 32`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if err := f.inputs(cmd); err != nil {
				return err
			}
			f.seeded = cmd.Flags().Changed("seed")
			return withModel(cmd, s, args[0], func(ck *loader.Checkpoint, m *model.Model) error {
				var err error
				if f.cacheTo, err = output(cmd, "--cache-out", f.cacheOut, dump.Replaceable, false); err != nil {
					return err
				}
				return f.run(cmd, s, ck, m)
			})
		},
	}
	f.define(cmd.Flags())
	addFloorFlag(cmd, s)
	addAdapterFlag(cmd, s)
	return cmd
}

func (f *generateFlags) define(flags *pflag.FlagSet) {
	flags.StringArrayVarP(&f.prompts, "prompt", "p", nil, "text to continue; can be repeated")
	fileVar(flags, &f.file, "file", "f", "file with the text to continue, - is stdin")
	flags.StringArrayVar(&f.ids, "ids", nil, "token ids to continue, such as 1,2,3; can be repeated")
	fileVar(flags, &f.tokenizer, "tokenizer", "", "tokenizer for a model without one: file, folder or OWNER/NAME")
	flags.StringVar(&f.print, "print", "", "what to print: text or ids (default: same as the prompt)")
	intVar(flags, &f.n, "n", "n", 128, 0, maxTokens, "", "maximum number of tokens to generate")
	pieceVar(flags, &f.piece)
	flags.StringArrayVar(&f.stops, "stop", nil, "text at which to stop; can be repeated")
	flags.BoolVar(&f.ignoreEOS, "ignore-eos", false, "do not stop at the end-of-sequence token")
	flags.BoolVar(&f.json, "json", false, "print one JSON object per prompt when all are done")
	fileVar(flags, &f.cacheIn, "cache-in", "", "continue from the cache in this file, - is stdin")
	fileVar(flags, &f.cacheOut, "cache-out", "", "save the cache to this file; replaces an older one")
	f.sampling.define(flags)
}

// check compares the flags with one another.
func (f *generateFlags) check() error {
	kinds := 0
	for _, given := range []bool{len(f.prompts) > 0, f.file != "", len(f.ids) > 0} {
		if given {
			kinds++
		}
	}
	switch {
	case kinds > 1:
		return usagef("expected one of -p, --file and --ids")
	case kinds == 0 && f.cacheIn == "" && !stdinWaits():
		return errNothing
	case f.print != "" && f.print != "text" && f.print != "ids":
		return usagef("--print %q: expected text or ids", f.print)
	case slices.Contains(f.stops, ""):
		return usagef("--stop is empty: expected text at which to end")
	case isStdout(f.cacheOut) && (f.n > 0 || f.json):
		return usagef("--cache-out %s: stdout has what is generated; name a file, or generate nothing with -n 0", f.cacheOut)
	case f.print == "ids" && len(f.stops) > 0:
		return usagef("--stop needs text, and --print says ids")
	}
	return nil
}

// errNothing says that the prompt is missing.
var errNothing = usagef("expected -p, --file, --ids or --cache-in, or a prompt on stdin: there is nothing to continue")

// inputs notes the files to read, and reads the one with the prompt. A program that finds stdin waiting, and no other
// prompt, takes it from there.
func (f *generateFlags) inputs(cmd *cobra.Command) (err error) {
	if f.cacheIn, err = input(cmd, "--cache-in", f.cacheIn); err != nil {
		return err
	}
	what, file := "--file", f.file
	if len(f.prompts)+len(f.ids) == 0 && f.file == "" && f.cacheIn == "" {
		what, file = "the prompt", "-"
	}
	if file, err = input(cmd, what, file); file == "" || err != nil {
		return err
	}
	prompt, err := readInput(cmd, file, maxPromptFile)
	if err == nil && len(prompt) == 0 && f.file == "" {
		err = errNothing
	}
	f.prompts = []string{string(prompt)}
	return err
}

func (f *generateFlags) run(cmd *cobra.Command, s *settings, ck *loader.Checkpoint, m *model.Model) error {
	t, err := f.openTokenizer(cmd, s, ck)
	if err != nil {
		return err
	}
	g, pasts, err := f.start(cmd, m, t)
	if err != nil {
		return err
	}
	all := f.continuations(stopTokens(cmd, ck, t), t, pasts)
	if err := f.generate(cmd, g, all, t != nil); err != nil {
		return err
	}
	if err := m.Changed(); err != nil {
		return err
	}
	if f.json {
		for _, c := range all {
			if err := printContinuation(cmd, c, t != nil); err != nil {
				return err
			}
		}
	}
	if f.cacheOut == "" {
		return m.Changed()
	}
	state, err := g.Snapshot(cmd.Context())
	if err != nil {
		return err
	}
	for i, c := range all {
		pasts[i] = c.Past()
	}
	if state.Notes, err = text.WritePasts(pasts); err != nil {
		return err
	}
	if err := m.SaveSnapshot(f.cacheTo.path, state); err != nil {
		return err
	}
	return f.cacheTo.deliver()
}

// openTokenizer opens the tokenizer. If all input is ids it is not needed, and a model may lack it.
func (f *generateFlags) openTokenizer(cmd *cobra.Command, s *settings, ck *loader.Checkpoint) (*text.Tokenizer, error) {
	t, err := tokenizerOf(cmd, s, ck, f.tokenizer)
	if err == nil {
		return t, nil
	}
	needed := len(f.prompts) > 0 || len(f.stops) > 0 || f.print == "text" || f.tokenizer != ""
	if needed {
		return nil, err
	}
	if !errors.Is(err, text.ErrNoTokenizer) {
		warn(cmd, oneLine(err))
	}
	return nil, nil
}

// start readies a generator that has seen the prompts, and returns what its texts continue.
func (f *generateFlags) start(cmd *cobra.Command, m *model.Model, t *text.Tokenizer) (*model.Generator, []text.Past, error) {
	n := len(f.prompts) + len(f.ids)
	pasts, state, err := text.Begun(n), (*model.Snapshot)(nil), error(nil)
	if f.cacheIn != "" {
		if state, pasts, err = f.resume(cmd, m, n); err != nil {
			return nil, nil, err
		}
		n = state.Cache.Sequences
	}
	how := f.sampling.sampling()
	if t != nil {
		how.Drawable = t.Drawable
	}
	cache := m.NewCache(n)
	if state != nil {
		cache = state.Cache
	}
	g, err := m.NewGenerator(cache, how)
	if err != nil {
		return nil, nil, err
	}
	if state != nil {
		if err := g.Restore(state); err != nil {
			return nil, nil, err
		}
	}
	some, err := f.feed(cmd, g, t, pasts)
	if err == nil && !some && state.Logits == nil {
		err = fmt.Errorf("%s holds no logits [%d, 1, %d] to continue from: give -p or --ids as well", f.cacheIn, n, m.Config().Shared().VocabSize)
	}
	return g, pasts, err
}

// feed runs the prompts, which continue pasts, and reports whether there are any. A long text goes through in pieces.
func (f *generateFlags) feed(cmd *cobra.Command, g *model.Generator, t *text.Tokenizer, pasts []text.Past) (some bool, err error) {
	var prompts [][]int64
	if len(pasts) == 1 && len(f.prompts) == 1 && len(f.prompts[0]) > f.piece {
		feed := func(ctx context.Context, ids []int64) error { return g.Feed(ctx, ids) }
		in := strings.NewReader(f.prompts[0])
		some = true
		pasts[0], _, err = runText(cmd, pasts[0], t, in, in.Size(), f.piece, feed)
	} else {
		prompts, err = f.tokens(cmd.Context(), t, pasts)
	}
	if err != nil {
		return false, err
	}
	if len(prompts) == 0 && f.n > 0 {
		prompts = text.Endings(t, pasts)
	}
	if len(prompts) == 0 {
		return some, nil
	}
	ctx, stop := watched(cmd.Context(), cmd)
	defer stop()
	return true, g.Feed(ctx, prompts...)
}

// resume reads --cache-in for a number of prompts; 0: as many sequences as it holds continue without one. Draws continue in
// their stream unless a seed begins another.
func (f *generateFlags) resume(cmd *cobra.Command, m *model.Model, prompts int) (*model.Snapshot, []text.Past, error) {
	state, pasts, err := loadCache(cmd, m, f.cacheIn)
	if err != nil {
		return nil, nil, err
	}
	if f.seeded {
		state.Random = nil
	}
	n := state.Cache.Sequences
	switch {
	case n == 1 && prompts > 1:
		return state.Repeat(prompts), slices.Repeat(pasts, prompts), nil
	case prompts != 0 && prompts != n:
		return nil, nil, fmt.Errorf("%s holds %d sequences: expected as many prompts, found %d", f.cacheIn, n, prompts)
	}
	return state, pasts, nil
}

// tokens returns the prompts as ids, which continue pasts, and adds them there.
func (f *generateFlags) tokens(ctx context.Context, t *text.Tokenizer, pasts []text.Past) ([][]int64, error) {
	var prompts [][]int64
	for i, list := range f.ids {
		ids, err := parseIDs(list)
		if err != nil {
			return nil, err
		}
		prompts, pasts[i] = append(prompts, ids), pasts[i].Add(ids)
	}
	for i, prompt := range f.prompts {
		ids, after, err := pasts[i].Encode(ctx, t, prompt, f.n > 0)
		if err != nil {
			return nil, err
		}
		if len(ids) == 0 {
			return nil, errors.New("the prompt is empty: generation needs at least one token to start from")
		}
		prompts, pasts[i] = append(prompts, ids), after
	}
	return prompts, nil
}

// continuations readies what is kept for each prompt.
func (f *generateFlags) continuations(stops []int64, t *text.Tokenizer, pasts []text.Past) []*text.Continuation {
	limits := text.Limits{Tokens: f.n, Stops: f.stops}
	if !f.ignoreEOS {
		limits.StopTokens = stops
	}
	all := make([]*text.Continuation, len(pasts))
	for i, p := range pasts {
		all[i] = text.NewContinuation(t, p, limits)
	}
	return all
}

// generate draws tokens until every continuation has ended.
func (f *generateFlags) generate(cmd *cobra.Command, g *model.Generator, all []*text.Continuation, decoded bool) error {
	inText := decoded && (f.print == "text" || f.print == "" && len(f.ids) == 0)
	p := &printer{w: textOut(cmd), all: all, text: inText, lines: f.n > 0}
	if f.json {
		p.all = nil
	}
	wanted := make([]bool, len(all))
	for {
		going := false
		for i, c := range all {
			wanted[i] = c.Finish() == ""
			going = going || wanted[i]
		}
		if err := p.update(); err != nil || !going {
			return err
		}
		ids, err := g.NextOf(cmd.Context(), wanted)
		if err != nil {
			return err
		}
		for i, c := range all {
			if wanted[i] {
				c.Add(ids[i])
			}
		}
	}
}

// printContinuation prints a continuation as a line of JSON.
func printContinuation(cmd *cobra.Command, c *text.Continuation, decoded bool) error {
	out := struct {
		IDs  []int64           `json:"ids"`
		Text *string           `json:"text,omitempty"`
		End  text.FinishReason `json:"end"`
	}{IDs: append([]int64{}, c.IDs()...), End: c.Finish()}
	if decoded {
		whole := c.Text()
		out.Text = &whole
	}
	return printJSONLine(cmd.OutOrStdout(), out)
}
