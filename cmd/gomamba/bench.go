package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/internal/prompt"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
)

// What bench does at most. A prompt is in memory, and so are the figures of all rounds.
const (
	maxBenchTokens = 1 << 24
	maxBenchRounds = 1 << 20
)

// benchFlags are the flags of the bench command.
type benchFlags struct {
	prompt, context, tokens, rounds int
	profile                         string
}

func newBenchCmd(s *settings) *cobra.Command {
	f := &benchFlags{}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "bench MODEL [-p 512] [-n 128] [-r 5]",
		Short: "Measure loading, prefill, decoding and memory",
		Long: `bench measures how long MODEL takes to load, how many tokens per second it reads (prefill)
and generates (decode, one sequence), and its peak memory. Decoding reads every weight once
per token, so its speed is also shown as a share of the read bandwidth, which is measured on
the same weights between the tokens. Prefill is also shown as a share of the peak rate of
multiply-adds. All numbers are medians over the rounds.`,
		Example: `  gomamba bench mamba-130m-hf
  gomamba bench mamba-130m-hf -p 2048 -n 64 -r 3 --threads 1 --json
  gomamba bench mamba-130m-hf -p 2048 --scan parallel
  gomamba bench nemotron-3-nano-4b --context 16000 -n 32 -r 1`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if asJSON && isStdout(f.profile) {
				return usagef("--profile %s with --json: stdout can have one of them; name a file", f.profile)
			}
			result, err := f.run(cmd, s, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), result)
			}
			return result.print(cmd)
		},
	}
	flags := cmd.Flags()
	intVar(flags, &f.prompt, "prompt", "p", 512, 1, maxBenchTokens, "", "tokens to prefill")
	intVar(flags, &f.context, "context", "", 0, 0, maxBenchTokens, "", "length of the context before decoding, in tokens")
	intVar(flags, &f.tokens, "n", "n", 128, 1, maxBenchTokens, "", "tokens to decode")
	intVar(flags, &f.rounds, "rounds", "r", 5, 1, maxBenchRounds, "", "rounds; results are medians")
	addScanFlag(cmd, s)
	addAdapterFlag(cmd, s)
	fileVar(flags, &f.profile, "profile", "", "write a CPU profile of the rounds to this file, - is stdout")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// benchResult is what bench reports; its JSON form is a contract.
type benchResult struct {
	Model          string  `json:"model"`
	Family         string  `json:"family"`
	DType          string  `json:"dtype"`               // of the largest weights
	FileType       string  `json:"file_type,omitempty"` // of a GGUF file, such as Q4_K_M
	Threads        int     `json:"threads"`
	ISA            string  `json:"isa"`
	Scan           string  `json:"scan"` // as --scan has it
	LoadS          float64 `json:"load_s"`
	FirstTokenS    float64 `json:"first_token_s"` // from opening the files to the first token's logits
	PrefillTokens  int     `json:"prefill_tokens"`
	PrefillTokS    float64 `json:"prefill_tok_s"`
	ContextTokens  int     `json:"context_tokens"` // before those that are decoded
	DecodeTokens   int     `json:"decode_tokens"`
	DecodeTokS     float64 `json:"decode_tok_s"`
	WeightBytes    int     `json:"weight_bytes"` // read for each token
	ReadBytesS     float64 `json:"read_bytes_s"`
	DecodeFraction float64 `json:"decode_fraction_of_bandwidth"`
	PeakRSSBytes   int64   `json:"peak_rss_bytes"`

	FMAFLOPS        float64 `json:"fma_flop_s"` // of all threads, measured around each prefill
	PrefillFraction float64 `json:"prefill_fraction_of_peak"`

	prefillFLOPs float64 // of the projections, for each token
	contextBytes int     // keys and values of the context, read for each token
}

func (f *benchFlags) run(cmd *cobra.Command, s *settings, path string) (*benchResult, error) {
	start := time.Now()
	var r *benchResult
	err := withModel(cmd, s, path, func(ck *loader.Checkpoint, m *model.Model) error {
		r = &benchResult{
			Model: path, Family: string(m.Config().Family()), Threads: m.Threads(), ISA: kernel.ISA(),
			FileType: ck.FileType(), Scan: scanValue{&s.parallelScan}.String(),
			LoadS: time.Since(start).Seconds(), PrefillTokens: f.prompt, ContextTokens: f.context, DecodeTokens: f.tokens,
		}
		if err := benchStep(cmd.Context(), m, m.NewCache(1), prompt.ID(0, m.Config().Shared().VocabSize)); err != nil {
			return err
		}
		r.FirstTokenS = time.Since(start).Seconds()
		if err := r.weigh(ck, m); err != nil {
			return err
		}
		_, grown := stateBytes(m.Config())
		r.contextBytes = grown * f.context
		to, err := output(cmd, "--profile", f.profile, replaceableProfile, false)
		if err != nil {
			return err
		}
		if err := profiled(to, func() error { return f.measure(cmd, ck, m, r) }); err != nil {
			return err
		}
		return m.Changed()
	})
	if err != nil {
		return nil, err
	}
	r.PeakRSSBytes, err = peakRSS()
	return r, err
}

// weigh counts the bytes that decoding reads and the operations that projections do for each token, and finds the dtype of
// the largest weights.
func (r *benchResult) weigh(ck *loader.Checkpoint, m *model.Model) error {
	specs, err := names.Table(m.Config())
	if err != nil {
		return err
	}
	largest, share := 0, blocks.Shares(m.Config())
	for _, spec := range specs {
		switch {
		case spec.Name == names.Embedding && !ck.Tied():
			continue // one row of it
		case spec.Name == names.Head && ck.Tied():
			continue // the embedding
		}
		t, ok := ck.Tensor(spec.Name)
		if !ok {
			continue // optional
		}
		r.WeightBytes += int(share(spec.Name) * float64(t.Size()))
		if size := t.Size(); size > largest {
			largest, r.DType = size, t.Type()
		}
		if strings.HasSuffix(spec.Name, "_proj.weight") || strings.HasSuffix(spec.Name, "_linear.weight") {
			r.prefillFLOPs += 2 * share(spec.Name) * float64(t.Elems())
		}
	}
	return nil
}

// measure runs the rounds and keeps medians. The kinds of measurement take turns, so that a machine whose speed drifts
// drifts for all of them.
func (f *benchFlags) measure(cmd *cobra.Command, ck *loader.Checkpoint, m *model.Model, r *benchResult) error {
	pool := parallel.NewPool(m.Threads())
	defer pool.Close()
	bar := newBar(cmd, "", "rounds", int64(f.rounds))
	defer bar.stop()
	var reads, prefill, decode, peak, ofRead, ofPeak []float64
	weights, size := parts(ck)
	read := func() int {
		kernel.Read(pool, weights)
		return size
	}
	read() // into memory
	for range f.rounds {
		before := multiplyAdds(pool)
		seconds, err := f.prefill(cmd.Context(), m)
		if err != nil {
			return err
		}
		peak = append(peak, (before+multiplyAdds(pool))/2)
		prefill = append(prefill, float64(f.prompt)/seconds)
		ofPeak = append(ofPeak, r.prefillFLOPs*float64(f.prompt)/seconds/last(peak))

		seconds, rate, err := f.decode(cmd.Context(), m, read)
		if err != nil {
			return err
		}
		reads = append(reads, rate)
		decode = append(decode, float64(f.tokens)/seconds)
		ofRead = append(ofRead, float64(r.WeightBytes+r.contextBytes)*last(decode)/rate)
		bar.add(1)
	}
	r.ReadBytesS, r.PrefillTokS, r.DecodeTokS, r.FMAFLOPS = median(reads), median(prefill), median(decode), median(peak)
	r.DecodeFraction, r.PrefillFraction = median(ofRead), median(ofPeak)
	return nil
}

func last(v []float64) float64 { return v[len(v)-1] }

// multiplyAdds returns how many float32 operations a second all threads do when nothing holds them up.
func multiplyAdds(pool *parallel.Pool) float64 {
	start := time.Now()
	n := kernel.MultiplyAdds(pool, 5e9)
	return float64(n) / time.Since(start).Seconds()
}

// parts returns what all tensors are stored in, and its size.
func parts(ck *loader.Checkpoint) (all [][]byte, size int) {
	for _, t := range ck.Tensors() {
		for _, part := range t.Parts() {
			all, size = append(all, part), size+len(part)
		}
	}
	return all, size
}

// prefill takes a prompt in, with logits for its last token, and returns the seconds it took.
func (f *benchFlags) prefill(ctx context.Context, m *model.Model) (float64, error) {
	ids := prompt.IDs(f.prompt, m.Config().Shared().VocabSize)
	cache := m.NewCache(1)
	start := time.Now()
	err := m.Stream(ctx, model.Single(ids), cache, model.Want{Logits: model.LogitsLast}, nil)
	return time.Since(start).Seconds(), err
}

// decode runs single tokens with full logits, after the context and some to warm up, and returns the seconds they took. A few tokens take
// turns with reading all weights, whose bytes a second are returned too: what memory gives changes by the second where
// a machine is shared.
func (f *benchFlags) decode(ctx context.Context, m *model.Model, read func() int) (seconds, rate float64, err error) {
	const warmUp, turn = 8, 16
	cache, vocabulary := m.NewCache(1), m.Config().Shared().VocabSize
	if f.context > 0 {
		if err := m.Stream(ctx, model.Single(prompt.IDs(f.context, vocabulary)), cache, model.Want{}, nil); err != nil {
			return 0, 0, err
		}
	}
	var reading, decoding time.Duration
	var bytes int
	for t := range warmUp + f.tokens {
		if t >= warmUp && (t-warmUp)%turn == 0 {
			start := time.Now()
			bytes += read()
			reading += time.Since(start)
		}
		start := time.Now()
		if err := benchStep(ctx, m, cache, prompt.ID(f.context+t, vocabulary)); err != nil {
			return 0, 0, err
		}
		if t >= warmUp {
			decoding += time.Since(start)
		}
	}
	return decoding.Seconds(), float64(bytes) / reading.Seconds(), nil
}

// benchStep takes one id in, with its logits.
func benchStep(ctx context.Context, m *model.Model, cache *model.Cache, id int64) error {
	return m.Stream(ctx, model.Single([]int64{id}), cache, model.Want{Logits: model.LogitsLast}, nil)
}

// median returns the middle of v, which it sorts.
func median(v []float64) float64 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// speedText writes tokens a second with about four digits, and never with an exponent.
func speedText(v float64) string {
	if v >= 1000 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.4g", v)
}

// print writes the figures for people.
func (r *benchResult) print(cmd *cobra.Command) error {
	tw := tabwriter.NewWriter(results(cmd), 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "%s\t%s, %s, %s, %s, %s scan\n", r.Model, r.Family, cmp.Or(r.FileType, r.DType), badfile.Count(r.Threads, "thread"), r.ISA, r.Scan)
	fmt.Fprintf(tw, "load\t%.1f ms, %.1f ms to the first token\n", 1000*r.LoadS, 1000*r.FirstTokenS)
	fmt.Fprintf(tw, "prefill\t%s tokens/s (%d tokens), %.0f %% of %.0f GFLOP/s of multiply-adds\n", speedText(r.PrefillTokS), r.PrefillTokens, 100*r.PrefillFraction, r.FMAFLOPS/1e9)
	after := ""
	if r.ContextTokens > 0 {
		after = fmt.Sprintf(" after %d", r.ContextTokens)
	}
	fmt.Fprintf(tw, "decode\t%s tokens/s (%d tokens%s), reading %s per token\n", speedText(r.DecodeTokS), r.DecodeTokens, after, bytesText(r.WeightBytes+r.contextBytes))
	fmt.Fprintf(tw, "bandwidth\t%s/s read, decode reaches %.0f %% of it\n", bytesText(int64(r.ReadBytesS)), 100*r.DecodeFraction)
	fmt.Fprintf(tw, "memory\t%s at the peak, mapped weights included\n", bytesText(r.PeakRSSBytes))
	return tw.Flush()
}
