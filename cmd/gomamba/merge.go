package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/compare"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/loader"
)

func newMergeCmd(s *settings) *cobra.Command {
	f := &convertFlags{}
	cmd := &cobra.Command{
		Use:   "merge [BASE] ADAPTER DST",
		Short: "Merge a LoRA adapter into its base model, in any layout",
		Long: `merge adds what an adapter of PEFT changes to the weights of its base model, and writes
the result as convert does: in any layout and dtype, streamed, whole or not at all. In
float32 the weights are those of PEFT's own merge_and_unload, to the bit, but for DoRA,
whose norms it sums in another order; other dtypes are rounded from these once.

ADAPTER is a folder with adapter_config.json and adapter_model.safetensors, or
OWNER/NAME on the hub. Without BASE it is the model that the adapter names, if that is
in the cache. Read are LoRA, rsLoRA and DoRA, patterns of ranks and alphas, adapters of
embeddings and of parameters, trained tokens, biases, and whole modules that were
saved (modules_to_save). What PEFT has beyond these is refused by name.

What each weight moved by is listed: the norm of the change beside that of the weight.
Where embedding and head are tied and the adapter changes only one of them, they are
written apart. A tokenizer in ADAPTER is taken with --tokenizer ADAPTER.

To compute with an adapter without merging it, see --adapter of generate, score and
verify.`,
		Example: `  gomamba merge mamba-130m-hf my-lora merged
  gomamba merge my-lora merged.gguf --dtype q4_k_m --receipt
  gomamba merge mamba-130m.gguf my-lora merged --dtype bf16 --verify
  gomamba merge mamba-130m-hf my-lora anywhere --dry-run`,
		Args: usage(cobra.RangeArgs(2, 3)),
		RunE: func(cmd *cobra.Command, args []string) error {
			base, dst := args[0], args[len(args)-1]
			if len(args) == 3 {
				f.adapter = args[1]
			}
			return f.run(cmd, s, base, dst)
		},
	}
	f.define(cmd)
	return cmd
}

// deltas measures what an adapter changes, if there is one.
func (f *convertFlags) deltas(cmd *cobra.Command, s *settings, ck *loader.Checkpoint) (list []compare.Delta, err error) {
	if len(ck.Adapted()) == 0 {
		return nil, nil
	}
	err = withBar(cmd, tensorBytes(ck), func(progress func(done, total int64)) (err error) {
		list, err = compare.Deltas(cmd.Context(), ck, loader.ReadOptions{Threads: s.threads, Progress: progress})
		return err
	})
	return list, err
}

// printDeltas lists what an adapter changed for people.
func printDeltas(w io.Writer, deltas []compare.Delta) error {
	if len(deltas) == 0 {
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(tw, "norm of change\tof weight\trank\t  weight\n")
	for _, d := range deltas {
		rank := "-"
		if d.Rank > 0 {
			rank = fmt.Sprint(d.Rank)
		}
		fmt.Fprintf(tw, "%.4g\t%.4g\t%s\t  %s\n", float64(d.Norm), float64(d.Base), rank, badfile.Printable(d.Name))
	}
	return tw.Flush()
}
