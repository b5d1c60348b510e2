package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/compare"
	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/find"
	"github.com/gomamba/gomamba/internal/stream"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/tensor"
)

// convertFlags are the flags of the convert command.
type convertFlags struct {
	to, dtype, shard       string
	imatrix, vocabulary    string
	tensorTypes            []string
	groups                 groupFlags
	requantize             bool
	dryRun, verify, asJSON bool
	trust, receipt         bool
	adapter                string       // that is merged; empty: none but one beside the weights
	prompt                 forwardFlags // of the receipt
	opts                   convert.Options
}

func newConvertCmd(s *settings) *cobra.Command {
	f := &convertFlags{}
	cmd := &cobra.Command{
		Use:   "convert SRC DST",
		Short: "Write a checkpoint in another layout, dtype or shard size",
		Long: fmt.Sprintf(`convert reads a checkpoint in any layout and writes it in another: a folder like those of
save_pretrained, mamba_ssm, mistral or mlx-lm (--to hf, original, mistral or mlx), or a
GGUF file like that of llama.cpp's converter (if DST ends in .gguf, or with --to gguf).
original-safetensors is the layout original with its weights in safetensors.

First it plans every tensor: where it comes from, what it is called, which dtype it gets
and what happens to its values. --dry-run prints that plan. If the target cannot hold
something, the error names the key, and nothing is written. Then the tensors are streamed,
in memory that does not grow with the model. DST appears complete or not at all. --force
replaces an existing checkpoint once the new one is complete: a GGUF file with its parts,
or a folder that contains nothing else, but never a file that SRC is read from. The same
input gives the same bytes. The tokenizer is copied too, and a folder made from a GGUF file
gets a tokenizer.json.

For GGUF, --dtype accepts llama-quantize's names. Each tensor gets the type that
llama-quantize chooses for that architecture, with the same fallbacks. From the largest:
%s
--tensor-type PATTERN=TYPE overrides the type of some matrices and can be repeated. The
first pattern (a regular expression) that matches a tensor's GGUF name wins. --imatrix uses
an importance matrix from gomamba imatrix or llama.cpp; some types below three bits need one.

For mlx, any of --q-bits, --q-group-size and --q-mode quantizes the matrices as
mlx_lm.convert does. --dtype then sets the dtype of the other weights and of the scales.

--vocab-size pads or cuts embedding and head together. New rows are the mean of the others.
Ids that the tokenizer or the configuration uses cannot be cut.

--receipt shows what the conversion cost: the error of every tensor whose values changed,
and the effect on the logits of a prompt. The prompt is built in, or comes from --ids,
--text or --in (a text file, or input_ids in safetensors).`, recipeLines()),
		Example: `  gomamba convert mamba-2.8b-hf mamba-2.8b-bf16 --dtype bf16 --verify
  gomamba convert mamba-2.8b-hf mamba-2.8b.gguf --dtype f16
  gomamba convert mamba-2.8b-hf mamba-2.8b-q4.gguf --dtype q4_k_m --receipt
  gomamba convert mamba-2.8b-hf m.gguf --dtype q4_k_m --tensor-type ssm_out=q6_k
  gomamba convert mamba-2.8b.gguf mamba-2.8b-hf
  gomamba convert mamba-2.8b-hf mamba-2.8b-4bit --to mlx --q-bits 4 --dtype bf16
  gomamba convert mamba-2.8b mamba-2.8b.gguf --tokenizer EleutherAI/gpt-neox-20b
  gomamba convert mamba-2.8b-hf sharded --max-shard-size 2GB
  gomamba convert mamba-2.8b-hf padded --vocab-size x64
  gomamba convert mamba-2.8b-hf anywhere --dtype f16 --dry-run`,
		Args: usage(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, s, args[0], args[1]) },
	}
	f.define(cmd)
	return cmd
}

// define adds the flags of the commands that write a checkpoint.
func (f *convertFlags) define(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.to, "to", "", "layout of DST: "+convert.Layouts()+" (default: gguf if DST ends in .gguf, else hf, or original for a model that hf cannot hold)")
	flags.StringVar(&f.dtype, "dtype", "keep", "dtype of the weights: "+plainChoices()+"; for gguf also the names listed by gomamba convert --help")
	flags.StringVar(&f.dtype, "outtype", "keep", "--dtype, as llama.cpp's converter calls it")
	flags.StringArrayVar(&f.tensorTypes, "tensor-type", nil, "PATTERN=TYPE: dtype of the matrices whose GGUF name matches; can be repeated")
	fileVar(flags, &f.imatrix, "imatrix", "", "importance matrix for quantizing, in either format of llama.cpp")
	f.groups.define(flags)
	flags.StringVar(&f.vocabulary, "vocab-size", "", "rows of embedding and head, such as 50304; x64 pads to a multiple of 64")
	flags.BoolVar(&f.requantize, "requantize", false, "allow quantizing weights again that are already quantized")
	flags.StringVar(&f.shard, "max-shard-size", "5GB", "largest weight file; a GGUF file is split only if this is given")
	flags.StringVar(&f.shard, "split-max-size", "5GB", "--max-shard-size, as llama.cpp's converter calls it")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print the plan and write nothing")
	flags.BoolVar(&f.verify, "verify", false, "read the result back and compare its bits")
	flags.BoolVar(&f.opts.Force, "force", false, "replace DST if it contains a checkpoint and nothing else")
	flags.BoolVar(&f.trust, "trust-tensors", false, "if config and tensors disagree, follow the tensors")
	flags.BoolVar(&f.opts.SkipChecksums, "skip-checksums", false, "do not verify the checksums of a PyTorch file first")
	flags.BoolVar(&f.receipt, "receipt", false, "print the error of each changed tensor and of the logits")
	flags.StringVar(&f.prompt.ids, "ids", "", "token ids of the receipt's prompt, separated by commas")
	flags.StringVar(&f.prompt.text, "text", "", "text of the receipt's prompt")
	fileVar(flags, &f.prompt.in, "in", "", "file with the receipt's prompt: a text, or input_ids in safetensors")
	fileVar(flags, &f.prompt.tokenizer, "tokenizer", "", "tokenizer for DST instead of SRC's: file, folder or OWNER/NAME")
	flags.BoolVar(&f.asJSON, "json", false, "print JSON: what was done, or the plan with --dry-run")
}

func (f *convertFlags) run(cmd *cobra.Command, s *settings, src, dst string) (err error) {
	sized := cmd.Flags().Changed("max-shard-size") || cmd.Flags().Changed("split-max-size")
	req, err := f.request(dst, sized)
	if err != nil {
		return err
	}
	if err := cmp.Or(checkDestination("DST", dst), f.checkReceipt()); err != nil {
		return err
	}
	ck, err := openCheckpoint(cmd, loader.Options{Strict: s.strict, TrustTensors: f.trust, Adapter: f.adapter}, src)
	if err != nil {
		return err
	}
	defer closing(&err, ck)
	if f.to == "" && convert.Guess(dst) != convert.GGUF {
		var refusal error
		if req.To, refusal = convert.Default(ck); refusal != nil {
			say(cmd, "gomamba: note: DST gets the layout %s, as hf cannot hold the model: %v", req.To, refusal)
		}
		if err := oneFile(req.To, sized); err != nil {
			return err
		}
	}
	prompt, err := f.read(cmd, s, ck, &req)
	if err != nil {
		return err
	}
	plan, err := interruptible(cmd, func() (*convert.Plan, error) { return convert.NewPlan(ck, req) }) // tokenizers may be large
	if err != nil {
		return err
	}
	for _, note := range plan.Notes {
		say(cmd, "gomamba: note: %s", note)
	}
	if _, err := plan.Files(f.opts.MaxShardSize); err != nil {
		return usagef("--max-shard-size %s: %w", f.shard, err)
	}
	f.opts.Inputs = sessionOf(cmd).files()
	if f.dryRun {
		if err := plan.CheckDestination(dst, f.opts); err != nil {
			return err
		}
		if f.asJSON {
			return printJSON(cmd.OutOrStdout(), plan)
		}
		return printPlan(cmd.OutOrStdout(), plan)
	}
	return f.write(cmd, s, ck, plan, req.To, dst, prompt)
}

// read reads the other files that the flags name: the prompt of the receipt, which it returns, the importance matrix and the
// tokenizer.
func (f *convertFlags) read(cmd *cobra.Command, s *settings, ck *loader.Checkpoint, req *convert.Request) (prompt *model.Batch, err error) {
	if f.prompt.in, err = input(cmd, "--in", f.prompt.in); err != nil {
		return nil, err
	}
	if req.Importance, err = input(cmd, "--imatrix", f.imatrix); err != nil {
		return nil, err
	}
	if prompt, err = f.batch(cmd, s, ck); err != nil {
		return nil, err
	}
	req.Tokenizer, err = f.givenTokenizer(cmd, s)
	return prompt, err
}

// write carries the plan out and says what was done.
func (f *convertFlags) write(cmd *cobra.Command, s *settings, ck *loader.Checkpoint, plan *convert.Plan, to convert.Layout, dst string, prompt *model.Batch) (err error) {
	start := time.Now()
	deltas, err := f.deltas(cmd, s, ck)
	if err != nil {
		return err
	}
	if err := withBar(cmd, plan.Bytes(), func(progress func(done, total int64)) error {
		f.opts.Progress, f.opts.Threads = progress, s.threads
		return plan.Write(cmd.Context(), dst, f.opts)
	}); err != nil {
		return err
	}
	done := converted{Path: plan.Result(dst), Layout: to, Tensors: len(plan.Steps), Bytes: plan.Bytes(),
		Seconds: time.Since(start).Seconds(), Verified: f.verify, Deltas: deltas}
	if f.verify {
		if err := withBar(cmd, plan.Bytes(), func(progress func(done, total int64)) error {
			return plan.Verify(cmd.Context(), dst, loader.ReadOptions{Threads: s.threads, Progress: progress})
		}); err != nil {
			return err
		}
	}
	if f.receipt {
		after, err := loader.Open(done.Path, loader.Options{})
		if err != nil {
			return err
		}
		defer closing(&err, after)
		ctx, stop := watched(cmd.Context(), cmd)
		done.Receipt, err = compare.NewReceipt(ctx, ck, after, compare.ReceiptOptions{Batch: prompt, Threads: s.threads})
		if stop(); err != nil {
			return err
		}
	}
	if f.asJSON {
		return printJSON(cmd.OutOrStdout(), done)
	}
	return done.print(cmd.OutOrStdout())
}

// givenTokenizer returns the path of --tokenizer; none for a model of bytes, which does not have files to copy.
func (f *convertFlags) givenTokenizer(cmd *cobra.Command, s *settings) (string, error) {
	name := f.prompt.tokenizer
	switch name {
	case "":
		return "", nil
	case "-":
		return stream.Stdin, nil // which the plan refuses
	}
	t, err := openTokenizer(cmd, s, name)
	if err != nil || t.Path() == "" {
		return "", err
	}
	return hubPath(cmd, name, find.TokenizerFiles)
}

// request reads the flags. A GGUF file is split only if a size is given.
func (f *convertFlags) request(dst string, sized bool) (convert.Request, error) {
	req := convert.Request{To: convert.Layout(strings.ToLower(f.to))}
	if f.to == "" {
		req.To = convert.Guess(dst)
	}
	if !req.To.Valid() {
		return req, usagef("--to %q: expected one of %s", f.to, convert.Layouts())
	}
	if req.To != convert.GGUF && convert.Guess(dst) == convert.GGUF {
		return req, usagef("--to %s: %q is the name of a GGUF file; leave out --to, or name a folder", req.To, dst)
	}
	if err := oneFile(req.To, sized); err != nil {
		return req, err
	}
	if !strings.EqualFold(f.dtype, "keep") {
		var ok bool
		if req.Recipe, ok = convert.ParseRecipe(f.dtype); !ok {
			return req, usagef("--dtype %q: expected %s%s", f.dtype, dtypeChoices(), badfile.DidYouMean(f.dtype, recipeNames()))
		}
	}
	req.Requantize = f.requantize
	var err error
	if req.Groups, err = f.groups.parse(req.To); err != nil {
		return req, err
	}
	if f.vocabulary != "" {
		if req.Vocabulary, err = convert.ParseVocabulary(f.vocabulary); err != nil {
			return req, usagef("--vocab-size %w", err)
		}
		if f.receipt {
			return req, usagef("--receipt with --vocab-size: logits of two vocabularies cannot be compared; do one after the other")
		}
	}
	for _, text := range f.tensorTypes {
		t, err := convert.ParseTensorType(text)
		if err != nil {
			return req, usagef("--tensor-type: %w", err)
		}
		req.TensorTypes = append(req.TensorTypes, t)
	}
	if f.shard == "0" || req.To == convert.GGUF && !sized {
		return req, nil
	}
	limit, err := convert.ParseSize(f.shard)
	if err != nil {
		return req, usagef("--max-shard-size: %w", err)
	}
	f.opts.MaxShardSize = limit
	return req, nil
}

// oneFile refuses a size for the shards of a layout that does not have any.
func oneFile(to convert.Layout, sized bool) error {
	if sized && to.OneFile() {
		return usagef("--max-shard-size: the layout %s keeps all weights in one file", to)
	}
	return nil
}

// plainChoices lists the values of --dtype for every layout.
func plainChoices() string {
	choices := []string{"keep"}
	for _, r := range plainRecipes() {
		choices = append(choices, r.String())
	}
	return strings.Join(choices, ", ")
}

// blockRecipes are those for GGUF alone.
func blockRecipes() []convert.Recipe {
	return slices.DeleteFunc(convert.Recipes(), func(r convert.Recipe) bool { return !r.Quantizes() })
}

// dtypeChoices lists the values of --dtype.
func dtypeChoices() string { return plainChoices() + ", or for gguf " + badfile.Or(blockRecipes()) }

// recipeNames are the names that --dtype takes.
func recipeNames() []string {
	var names []string
	for _, r := range convert.Recipes() {
		names = append(names, r.String())
	}
	return names
}

// recipeLines lists the recipes for GGUF in lines for a help text.
func recipeLines() string {
	lines := []string{" "}
	for _, r := range blockRecipes() {
		if last := &lines[len(lines)-1]; len(*last)+len(r.String()) < 78 {
			*last += " " + r.String()
		} else {
			lines = append(lines, "  "+r.String())
		}
	}
	return strings.Join(lines, "\n")
}

// printPlan writes the plan for people.
func printPlan(w io.Writer, plan *convert.Plan) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "from\tdtype\tto\tdtype\tshape\tchange\n")
	for _, s := range plan.Steps {
		change := s.Transform
		if change == "" && s.FromDType == s.DType {
			change = "same bytes"
		} else if change == "" {
			change = "cast"
			switch {
			case s.DType == tensor.F32 && s.FromDType != tensor.F64, s.DType == tensor.F64:
				change = "widened exactly"
			case s.DType.Quantized() && s.FromDType.Quantized():
				change = "quantized again"
			case s.DType.Quantized():
				change = "quantized"
			}
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%v\t%s\n", badfile.Printable(s.From), cmp.Or(s.Coding, s.FromDType.String()), badfile.Printable(s.To), s.DType, s.Shape, change)
	}
	fmt.Fprintf(tw, "%d tensors, %s\n", len(plan.Steps), bytesText(plan.Bytes()))
	return tw.Flush()
}
