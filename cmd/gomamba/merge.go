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
		Long: `merge applies a PEFT adapter to the weights of its base model and writes the result as
convert does: in any layout and dtype, streamed, complete or not at all. In float32 the
weights match PEFT's own merge_and_unload bit for bit, except for DoRA, whose norms are
summed in another order. Other dtypes are rounded from the float32 values once.

ADAPTER is a folder with adapter_config.json and adapter_model.safetensors, or OWNER/NAME
on the hub. Without BASE, the base model is the one that the adapter names, if it is in the
cache. merge supports LoRA, rsLoRA and DoRA, rank and alpha patterns, adapters of
embeddings and of single parameters, trained tokens, biases, and modules that were saved
whole (modules_to_save). Other features of PEFT are refused by name.

The output lists the norm of every change next to the norm of the weight. If embedding and
head are tied and the adapter changes only one of them, they are written separately. If
ADAPTER contains a tokenizer, --tokenizer ADAPTER uses it.

To run a model with an adapter without merging it, use --adapter of generate, score and
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
