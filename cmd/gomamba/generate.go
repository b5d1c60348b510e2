package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
)

// generateFlags are the flags of the generate command.
type generateFlags struct {
	ids               string
	n                 int
	ignoreEOS         bool
	how               model.Sampling
	cacheIn, cacheOut string
}

func newGenerateCmd(s *settings) *cobra.Command {
	f := &generateFlags{}
	cmd := &cobra.Command{
		Use:   "generate MODEL --ids 1,2,3 [-n N]",
		Short: "Continue a prompt of token ids",
		Long: `generate continues a prompt and prints the ids of the new tokens, one line, as they
come. Greedy unless --temp is above 0. It ends after n tokens or at the model's
end-of-sequence token, which is printed. The same seed gives the same tokens on any
machine and for any number of threads.

--cache-out keeps the state after the last token, so that a long prompt is paid for
once: --cache-in goes on from there, with more ids or without.`,
		Example: `  gomamba generate mamba-130m-hf --ids 12092,13,619 -n 32
  gomamba generate mamba-130m-hf --ids 12092 -n 32 --temp 0.8 --top-p 0.95 --seed 7
  gomamba generate mamba-130m-hf --ids 12092,13 -n 0 --cache-out prompt.safetensors
  gomamba generate mamba-130m-hf --cache-in prompt.safetensors -n 32`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.n < 0 {
				return usagef("-n %d: expected 0 or more tokens", f.n)
			}
			if f.ids == "" && f.cacheIn == "" {
				return usagef("expected --ids, --cache-in or both: there is nothing to continue")
			}
			return withModel(cmd, s, args[0], func(_ *loader.Checkpoint, m *model.Model) error {
				return f.run(cmd, m)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.ids, "ids", "", "token ids of the prompt, such as 1,2,3")
	flags.IntVarP(&f.n, "n", "n", 128, "tokens to generate at most")
	flags.Float64Var(&f.how.Temperature, "temp", 0, "temperature; 0 is greedy")
	flags.IntVar(&f.how.TopK, "top-k", 0, "draw from the k likeliest tokens; 0: all")
	flags.Float64Var(&f.how.TopP, "top-p", 1, "draw from the likeliest tokens that together reach this probability")
	flags.Float64Var(&f.how.MinP, "min-p", 0, "drop tokens less likely than this share of the likeliest")
	flags.Float64Var(&f.how.RepeatPenalty, "repeat-penalty", 1, "make the last tokens less likely; 1: off")
	flags.IntVar(&f.how.RepeatLast, "repeat-last-n", 64, "how many tokens the repeat penalty looks back")
	flags.Uint64Var(&f.how.Seed, "seed", 0, "seed of the draws")
	flags.BoolVar(&f.ignoreEOS, "ignore-eos", false, "do not stop at the end-of-sequence token")
	flags.StringVar(&f.cacheIn, "cache-in", "", "continue from the cache in this file")
	flags.StringVar(&f.cacheOut, "cache-out", "", "keep the cache after the last token in this file")
	return cmd
}

func (f *generateFlags) run(cmd *cobra.Command, m *model.Model) error {
	g, err := f.start(cmd, m)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	for i := range f.n {
		id, err := g.Next(cmd.Context())
		if err != nil {
			return err
		}
		if i > 0 {
			fmt.Fprint(out, ",")
		}
		if _, err := fmt.Fprint(out, id); err != nil {
			return err
		}
		if m.Config().EosTokenID.Contains(int(id)) && !f.ignoreEOS {
			break
		}
	}
	if f.n > 0 {
		fmt.Fprintln(out)
	}
	if f.cacheOut == "" {
		return nil
	}
	cache, logits, err := g.State(cmd.Context())
	if err != nil {
		return err
	}
	return m.SaveCache(f.cacheOut, cache, logits)
}

// start readies a generator that has seen the prompt.
func (f *generateFlags) start(cmd *cobra.Command, m *model.Model) (*model.Generator, error) {
	var cache *model.Cache
	var logits []float32
	var err error
	if f.cacheIn != "" {
		if cache, logits, err = m.LoadCache(f.cacheIn); err != nil {
			return nil, err
		}
	}
	g, err := m.NewGenerator(cache, f.how)
	if err != nil {
		return nil, &usageError{err}
	}
	if f.ids != "" {
		ids, err := parseIDs(f.ids)
		if err != nil {
			return nil, err
		}
		return g, g.Feed(cmd.Context(), ids)
	}
	if logits == nil {
		return nil, fmt.Errorf("%s holds no logits [1, 1, %d] to go on from: give --ids as well", f.cacheIn, m.Config().VocabSize)
	}
	return g, g.Resume(logits)
}
