package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/numcheck"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/model/reference"
	"github.com/gomamba/gomamba/tensor"
	"github.com/gomamba/gomamba/text"
)

// forwardFlags are the flags of the forward command.
type forwardFlags struct {
	ids, in, out      string
	logits, precision string
	hidden, cache     bool
	cacheIn, cacheOut string
	to, cacheTo       *destination // of out and cacheOut
	text, tokenizer   string
	encoded           []int64     // of text
	before, after     []text.Past // of the sequences; nil: they begin, and --text is not given
}

func newForwardCmd(s *settings) *cobra.Command {
	f := &forwardFlags{}
	cmd := &cobra.Command{
		Use:   "forward MODEL (--ids 1,2,3 | --text S | --in FILE) --out FILE",
		Short: "Run the network, write logits, hidden states and cache to a file",
		Long: `forward runs the network on a prompt and writes the results to a safetensors file: logits,
the hidden states of all layers, the cache. Memory does not grow with the length of the
prompt. A batch comes from a file with input_ids [B, T] of any integer type and, if the
sequences differ in length, attention_mask [B, T] of 0 and 1 in any dtype; [T] is a single
sequence. The output only replaces a file of the same kind.

--precision f64 runs the textbook recurrence in float64. This is the oracle that float32
results are compared with. It keeps all results in memory.`,
		Example: `  gomamba forward mamba-130m-hf --ids 510,3158,8516 --out out.safetensors
  gomamba forward mamba-130m-hf --in batch.safetensors --out out.safetensors \
      --hidden-states --cache
  gomamba forward mamba-130m-hf --ids 1,2,3 --logits none --cache-out c.st
  gomamba forward mamba-130m-hf --ids 4 --cache-in c.st --out o.st
  gomamba forward mamba-130m-hf --ids 1 --out - | gomamba verify mamba-130m-hf -`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			want, err := f.want()
			if err != nil {
				return err
			}
			if err := f.inputs(cmd); err != nil {
				return err
			}
			if f.precision == "f64" {
				if s.parallelScan {
					return usagef("--scan parallel with --precision f64: the oracle takes one token after the other")
				}
				return f.runOracle(cmd, s, args[0], want)
			}
			return withModel(cmd, s, args[0], func(ck *loader.Checkpoint, m *model.Model) error {
				return f.run(cmd, s, ck, m, want)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.ids, "ids", "", "token ids of one sequence, such as 1,2,3")
	flags.StringVar(&f.text, "text", "", "text of one sequence")
	fileVar(flags, &f.tokenizer, "tokenizer", "", "tokenizer for a model without one: file, folder or OWNER/NAME")
	fileVar(flags, &f.in, "in", "", "file with input_ids and attention_mask, - is stdin")
	fileVar(flags, &f.out, "out", "", "file to write, - is stdout; replaces an older one")
	flags.StringVar(&f.logits, "logits", "all", "positions to compute logits for: all, last or none")
	flags.BoolVar(&f.hidden, "hidden-states", false, "write the hidden states of all layers")
	flags.BoolVar(&f.cache, "cache", false, "write the cache after the last token")
	fileVar(flags, &f.cacheIn, "cache-in", "", "continue from the cache in this file, - is stdin")
	fileVar(flags, &f.cacheOut, "cache-out", "", "write the cache to a file of its own, - is stdout")
	flags.StringVar(&f.precision, "precision", "f32", "arithmetic: f32, or f64 for the oracle")
	addScanFlag(cmd, s)
	addFloorFlag(cmd, s)
	addAdapterFlag(cmd, s)
	return cmd
}

// want checks the flags against one another.
func (f *forwardFlags) want() (model.Want, error) {
	w := model.Want{HiddenStates: f.hidden}
	given := 0
	for _, input := range []string{f.ids, f.text, f.in} {
		if input != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return w, usagef("expected one of --ids, --text and --in")
	case f.out == "" && f.cacheOut == "":
		return w, usagef("expected --out, --cache-out or both: there is nowhere to write to")
	case f.out == "" && (f.hidden || f.cache):
		return w, usagef("--hidden-states and --cache go to --out, which is not given")
	case f.precision != "f32" && f.precision != "f64":
		return w, usagef("--precision %q: expected f32 or f64", f.precision)
	}
	for _, l := range []model.Logits{model.LogitsNone, model.LogitsLast, model.LogitsAll} {
		if l.String() == f.logits {
			w.Logits = l
			if f.out == "" && l == model.LogitsAll {
				w.Logits = model.LogitsLast // all that a cache file holds
			}
			return w, nil
		}
	}
	return w, usagef("--logits %q: expected all, last or none", f.logits)
}

// inputs notes the files to read.
func (f *forwardFlags) inputs(cmd *cobra.Command) (err error) {
	if f.in, err = input(cmd, "--in", f.in); err == nil {
		f.cacheIn, err = input(cmd, "--cache-in", f.cacheIn)
	}
	return err
}

// outputs readies the files to write.
func (f *forwardFlags) outputs(cmd *cobra.Command) (err error) {
	if f.to, err = output(cmd, "--out", f.out, dump.Replaceable, false); err != nil {
		return err
	}
	f.cacheTo, err = output(cmd, "--cache-out", f.cacheOut, dump.Replaceable, false)
	return err
}

// encode makes ids of --text, which begins a text unless it continues a cache.
func (f *forwardFlags) encode(cmd *cobra.Command, s *settings, ck *loader.Checkpoint) error {
	if f.text == "" {
		return nil
	}
	t, err := tokenizerOf(cmd, s, ck, f.tokenizer)
	if err != nil {
		return err
	}
	before := text.Past{All: f.cacheIn == ""}
	if len(f.before) == 1 {
		before = f.before[0]
	}
	ids, after, err := before.Encode(cmd.Context(), t, f.text, true)
	if err != nil {
		return err
	}
	f.encoded = ids
	if len(ids) == 0 {
		return fmt.Errorf("--text %q gives no tokens: a forward pass needs at least one", f.text)
	}
	f.after = []text.Past{after}
	return nil
}

// past returns what continues from the cache of a batch.
func (f *forwardFlags) past(b *model.Batch) []text.Past {
	if f.after != nil {
		return f.after
	}
	pasts := f.before
	if pasts == nil {
		pasts = text.Begun(b.Sequences)
	}
	for seq := range pasts {
		from, to := b.Real(seq)
		pasts[seq] = pasts[seq].Add(b.IDs[seq*b.Tokens:][from:to])
	}
	return pasts
}

// batch reads the prompt.
func (f *forwardFlags) batch(cmd *cobra.Command) (b model.Batch, err error) {
	if f.encoded != nil {
		return model.Single(f.encoded), nil
	}
	if f.ids != "" {
		ids, err := parseIDs(f.ids)
		return model.Single(ids), err
	}
	d, err := openDump(cmd, f.in)
	if err != nil {
		return b, err
	}
	defer closing(&err, d)
	return batchOf(d)
}

// batchOf takes the input of a dump.
func batchOf(d *dump.Dump) (b model.Batch, err error) {
	ids, ok := d.InputIDs()
	if !ok {
		return b, fmt.Errorf("%s: found no input_ids, expected them as integers [B, T], or [T] for one sequence", d.Path())
	}
	b = model.Batch{Sequences: d.Batch(), Tokens: d.Tokens(), IDs: ids}
	b.Mask, ok = d.AttentionMask()
	for _, name := range d.Unknown() {
		if meant, _ := dump.Meant(name); !ok && meant == dump.AttentionMask {
			return b, fmt.Errorf("%s: found %s, expected padding under the name attention_mask: rename it", d.Path(), badfile.Quote(name))
		}
	}
	return b, nil
}

// checkBatch refuses a prompt before anything is allocated for it.
func checkBatch(m *model.Model, b *model.Batch) error {
	if err := b.Check(m.Config().Shared().VocabSize); err != nil {
		return err
	}
	return model.CheckContext(m.Config(), b.Sequences, b.Tokens)
}

// prepare reads the prompt, checks it, and readies the files to write.
func (f *forwardFlags) prepare(cmd *cobra.Command, s *settings, ck *loader.Checkpoint, m *model.Model) (b model.Batch, err error) {
	if err := f.encode(cmd, s, ck); err != nil {
		return b, err
	}
	if err := f.outputs(cmd); err != nil {
		return b, err
	}
	if b, err = f.batch(cmd); err != nil {
		return b, err
	}
	return b, checkBatch(m, &b)
}

// run computes in float32, window by window.
func (f *forwardFlags) run(cmd *cobra.Command, s *settings, ck *loader.Checkpoint, m *model.Model, want model.Want) error {
	var state *model.Snapshot
	if f.cacheIn != "" {
		var err error
		if state, f.before, err = loadCache(cmd, m, f.cacheIn); err != nil {
			return err
		}
	}
	b, err := f.prepare(cmd, s, ck, m)
	if err != nil {
		return err
	}
	if state == nil {
		state = &model.Snapshot{Cache: m.NewCache(b.Sequences)}
	}
	cache := state.Cache
	out, err := f.create(m, &b, want, tensor.F32, after(cache.Tokens(), &b))
	if err != nil {
		return err
	}
	defer out.abort()
	var last []float32
	var bad *model.NonFiniteError
	ctx, stop := watched(cmd.Context(), cmd)
	err = m.Stream(ctx, b, cache, want, func(p *model.Part) error {
		if p.Width == 0 {
			last = append(last, p.Logits...)
		}
		if i := numcheck.NonFinite(p.Logits); i >= 0 && bad == nil {
			bad = &model.NonFiniteError{Token: i % m.Config().Shared().VocabSize, Logit: p.Logits[i]}
		}
		return writePart(out, &b, p, m.Config().Shared().HiddenSize, m.Config().Shared().VocabSize)
	})
	if stop(); err != nil {
		return err
	}
	if err := m.Changed(); err != nil {
		return err
	}
	warnNonFinite(cmd, s, ck, cache, bad)
	state.Logits = last
	if err := f.saveCache(m, state, &b); err != nil {
		return err
	}
	if f.cache {
		if err := writeStates(out.w, cache); err != nil {
			return err
		}
	}
	return out.commit(cmd)
}

// saveCache writes the state after a batch to the file of --cache-out, if that is given.
func (f *forwardFlags) saveCache(m *model.Model, state *model.Snapshot, b *model.Batch) (err error) {
	if f.cacheOut == "" {
		return nil
	}
	saved := *state
	if saved.Notes, err = text.WritePasts(f.past(b)); err != nil {
		return err
	}
	if err := m.SaveSnapshot(f.cacheTo.path, &saved); err != nil {
		return err
	}
	return f.cacheTo.deliver()
}

// runOracle computes in float64, whole.
func (f *forwardFlags) runOracle(cmd *cobra.Command, s *settings, path string, want model.Want) error {
	return withModel(cmd, s, path, func(ck *loader.Checkpoint, m *model.Model) error {
		b, err := f.prepare(cmd, s, ck, m)
		if err != nil {
			return err
		}
		if err := model.CheckResults(m.Config(), &b, want, 8); err != nil {
			return err
		}
		cache := reference.NewCache[float64](m.Config(), b.Sequences)
		if f.cacheIn != "" {
			if cache, err = open(cmd, f.cacheIn, func() (*reference.Cache[float64], error) {
				return reference.LoadCache(m.Config(), f.cacheIn)
			}); err != nil {
				return err
			}
		}
		ctx, stop := watched(cmd.Context(), cmd)
		res, err := reference.ForwardAs(ctx, ck, b, cache, want, reference.Variant{DtFloor: s.dtFloor})
		if stop(); err != nil {
			return err
		}
		if err := ck.Changed(); err != nil {
			return err
		}
		return f.writeOracle(cmd, m, &b, want, res, cache)
	})
}

// writeOracle writes float64 results.
func (f *forwardFlags) writeOracle(cmd *cobra.Command, m *model.Model, b *model.Batch, want model.Want, res *reference.Output[float64], cache *reference.Cache[float64]) error {
	out, err := f.create(m, b, want, tensor.F64, cache.Tokens())
	if err != nil {
		return err
	}
	defer out.abort()
	if f.cacheOut != "" {
		if err := reference.SaveCache(m.Config(), f.cacheTo.path, cache); err != nil {
			return err
		}
		if err := f.cacheTo.deliver(); err != nil {
			return err
		}
	}
	if out.w != nil {
		for i, h := range res.HiddenStates {
			if err := dump.Write(out.w, dump.HiddenState(i), 0, h); err != nil {
				return err
			}
		}
		if res.Logits != nil {
			if err := dump.Write(out.w, dump.Logits, 0, res.Logits); err != nil {
				return err
			}
		}
		if f.cache {
			if err := writeStates(out.w, cache); err != nil {
				return err
			}
		}
	}
	return out.commit(cmd)
}
