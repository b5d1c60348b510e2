package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/compare"
	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// inspectFlags are the flags of the inspect command.
type inspectFlags struct {
	asJSON, tensors, fingerprint bool
}

func newInspectCmd(s *settings) *cobra.Command {
	f := &inspectFlags{}
	cmd := &cobra.Command{
		Use:   "inspect MODEL",
		Short: "Show what a checkpoint holds and what is wrong with it",
		Long: `inspect reads the configuration and the headers of a checkpoint, but not its weights. It
prints the layout, family, sizes, dtypes by kind of tensor and bits per weight. It also
shows how much state a sequence needs (a fixed amount, except for the keys and values of a
hybrid's attention), how much memory it takes to run one sequence (the mapped weights and
the state), and every problem found. Checkpoints that no other command can use, for example
with weights in an unknown scheme, are listed too, with the reason. The exit status is 1 if
files are damaged or contradict each other.

--fingerprint also reads the weights. Two checkpoints with the same fingerprint hold the
same model, whatever their layouts, dtypes and shards.`,
		Example: `  gomamba inspect mamba-130m-hf
  gomamba inspect mamba-130m-hf --tensors
  gomamba inspect mamba-130m.gguf --fingerprint
  gomamba inspect mamba-130m-hf --json | jq .config`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, s, args[0]) },
	}
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&f.tensors, "tensors", false, "list every tensor")
	cmd.Flags().BoolVar(&f.fingerprint, "fingerprint", false, "read all weights and print a hash that does not depend on layout or dtype")
	return cmd
}

func (f *inspectFlags) run(cmd *cobra.Command, s *settings, arg string) (err error) {
	path, err := modelPath(cmd, arg)
	if err != nil {
		return err
	}
	ck, err := loader.Open(path, s.loading())
	if isUnsupported(err) {
		return survey(cmd.OutOrStdout(), path, err, f.asJSON, f.tensors)
	}
	if err != nil {
		return err
	}
	defer closing(&err, ck)
	info, err := inspect(ck)
	if err != nil {
		return err
	}
	if f.fingerprint && ck.Check() == nil {
		if err := withBar(cmd, int64(info.Bytes), func(progress func(done, total int64)) (err error) {
			info.Fingerprint, err = compare.Fingerprint(cmd.Context(), ck, loader.ReadOptions{Threads: s.threads, Progress: progress})
			return err
		}); err != nil {
			return err
		}
	}
	if f.asJSON {
		err = printJSON(cmd.OutOrStdout(), info)
	} else {
		err = info.print(cmd.OutOrStdout(), f.tensors)
	}
	if err != nil {
		return err
	}
	if err := ck.Check(); !isUnsupported(err) {
		return err
	}
	return nil // the report says so
}

// inspection is what inspect reports; its JSON form is a contract.
type inspection struct {
	listing
	Tied       bool   `json:"tied"`
	FileType   string `json:"file_type,omitempty"`      // of a GGUF file, such as Q4_K_M
	StateBytes int    `json:"state_bytes_per_sequence"` // conv and SSM states in float32
	TokenBytes int    `json:"state_bytes_per_token"`    // keys and values in float32, of all layers with attention
	Memory     int    `json:"memory_bytes"`             // the weights that every token reads, and the state of one sequence

	Schemes     []loader.Scheme `json:"schemes,omitempty"`           // by which other programs quantized weights
	Activations []string        `json:"activation_scales,omitempty"` // tensors beside them that are not used

	Blocks map[config.Block]int `json:"blocks"` // of each kind

	StopTokens []int64 `json:"stop_tokens"` // the ids that end a text

	Fingerprint string `json:"fingerprint,omitempty"` // when asked for

	cfg config.Config
}

// listing is the part of the report that needs no model that the program knows.
type listing struct {
	Layout     string          `json:"layout"`
	Family     string          `json:"family"`
	Parameters int             `json:"parameters"` // a tied head counts once
	Bytes      int             `json:"bytes"`      // of tensor data, as stored
	Config     json.RawMessage `json:"config"`
	DTypes     map[string]int  `json:"dtypes"` // tensors of each dtype
	Tensors    []tensorInfo    `json:"tensors"`
	Problems   []string        `json:"problems"`
	Notes      []string        `json:"notes,omitempty"` // with these nothing is wrong

	BitsPerWeight float64      `json:"bits_per_weight"` // of all tensors
	Kinds         []tensorKind `json:"kinds"`           // in the order of the tensors

	path     string
	elements int
}

type tensorInfo struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
	Bytes int    `json:"bytes"`
	File  string `json:"file"`
}

func inspect(ck *loader.Checkpoint) (*inspection, error) {
	cfg := ck.Config()
	keys, err := config.Render(cfg)
	if err != nil {
		return nil, err
	}
	info := &inspection{listing: newListing(ck.Path(), ck.Layout(), string(cfg.Family()), string(keys)), Tied: ck.Tied(), FileType: ck.FileType(), Blocks: map[config.Block]int{}, cfg: cfg,
		Schemes: ck.Schemes(), Activations: ck.Activations()}
	ids, err := ck.StopTokens()
	if info.StopTokens = append([]int64{}, ids...); err != nil {
		info.Problems = append(info.Problems, fmt.Sprintf("%v: %s", loader.Warning, oneLine(err)))
	}
	info.StateBytes, info.TokenBytes = stateBytes(cfg)
	for _, layer := range config.Blocks(cfg) {
		for _, b := range layer {
			info.Blocks[b]++
		}
	}
	canonical := canonicalNames(ck)
	for _, t := range ck.Tensors() {
		info.add(tensorInfo{t.Name, t.Type(), t.Shape, t.Size(), t.File}, cmp.Or(canonical[t.Name], t.Name))
		info.Parameters += t.Elems()
	}
	idle, ok := unread(ck)
	info.Memory = info.Bytes - idle.Size() + info.StateBytes
	if ok && info.Tied {
		info.Parameters -= idle.Elems()
		embedding, _ := ck.Tensor(names.Embedding)
		if len(idle.Data) > 0 && len(embedding.Data) > 0 && &idle.Data[0] == &embedding.Data[0] { // in one storage, as torch.save keeps them
			info.Bytes -= len(idle.Data)
		}
	}
	for _, p := range ck.Problems() {
		if p.Severity == loader.Note {
			info.Notes = append(info.Notes, p.Text)
			continue
		}
		line := fmt.Sprintf("%v: %s", p.Severity, p.Text)
		if p.Fixable {
			line += hintFix
		}
		info.Problems = append(info.Problems, line)
	}
	return info, nil
}

// stateBytes returns the bytes of the states of a sequence, and of those that grow for each of its tokens, in float32.
func stateBytes(cfg config.Config) (fixed, grown int) {
	for _, layer := range blocks.States(cfg) {
		for _, s := range layer {
			if s.Grows {
				grown += s.Size() * tensor.F32.Size()
			} else {
				fixed += s.Size() * tensor.F32.Size()
			}
		}
	}
	return fixed, grown
}

func newListing(path, layout, family, keys string) listing {
	return listing{Layout: layout, Family: family, Config: jsonobj.Standard(keys), DTypes: map[string]int{},
		Tensors: []tensorInfo{}, Problems: []string{}, Kinds: []tensorKind{}, path: path}
}

// canonicalNames returns the canonical names of a checkpoint's tensors by those that its layout has for them.
func canonicalNames(ck *loader.Checkpoint) map[string]string {
	canonical := map[string]string{}
	table, _ := names.Table(ck.Config()) // of a configuration that was read
	for _, spec := range table {
		canonical[ck.StoredName(spec.Name)] = spec.Name
	}
	return canonical
}

// add takes a tensor on the list; name is its canonical name, or its own. The caller counts its parameters.
func (l *listing) add(t tensorInfo, name string) {
	l.DTypes[t.DType]++
	l.Bytes += t.Bytes
	l.Tensors = append(l.Tensors, t)
	l.addKind(t, kindOf(name))
}

// sizes lists the sizes that make a model's shape.
func sizes(cfg config.Config) string {
	c, mixer := cfg.Shared(), ""
	switch {
	case cfg.ConvChannels() == 0:
		mixer = fmt.Sprintf("d_inner %d, d_state %d, ", cfg.DInner(), c.StateSize)
	case !config.Hybrid(cfg.Family()), blocks.Has(cfg, blocks.Mamba2), blocks.Has(cfg, blocks.Mamba1), blocks.Has(cfg, blocks.Zamba):
		mixer = fmt.Sprintf("d_inner %d, d_state %d, d_conv %d, ", cfg.DInner(), c.StateSize, c.ConvKernel)
	}
	return fmt.Sprintf("%s, hidden_size %d, %s%s, vocab_size %d",
		badfile.Count(c.NumHiddenLayers, "layer"), c.HiddenSize, mixer, cfg.Summary(), c.VocabSize)
}

// weights is the line about bytes and dtypes.
func (l *listing) weights() string {
	var dtypes []string
	for _, name := range slices.Sorted(maps.Keys(l.DTypes)) {
		dtypes = append(dtypes, fmt.Sprintf("%d × %s", l.DTypes[name], name))
	}
	return fmt.Sprintf("%s, %s", bytesText(l.Bytes), strings.Join(dtypes, ", "))
}

// print writes the report for people.
func (info *inspection) print(w io.Writer, tensors bool) error {
	head := "its own"
	if info.Tied {
		head = "tied to the embedding"
	}
	lines := [][2]string{
		{"layout", info.Layout},
		{"family", info.Family},
		{"parameters", thousands(info.Parameters)},
		{"weights", info.weights()},
	}
	if info.FileType != "" {
		lines = append(lines, [2]string{"file type", info.FileType})
	}
	lines = append(lines, info.kindLines()...)
	lines = append(lines, info.schemeLines()...)
	lines = append(lines, [][2]string{
		{"head", head},
		{"shape", sizes(info.cfg)},
	}...)
	if len(info.Blocks) > 1 {
		lines = append(lines, [2]string{"blocks", info.blocks()})
	}
	lines = append(lines, [][2]string{
		{"state", info.state()},
		{"memory", bytesText(info.Memory) + " of weights and state for one sequence"},
	}...)
	if len(info.StopTokens) > 0 {
		lines = append(lines, [2]string{"ends", "a text at the tokens " + formatIDs(info.StopTokens)})
	}
	if info.Fingerprint != "" {
		lines = append(lines, [2]string{"fingerprint", info.Fingerprint})
	}
	return info.printLines(w, lines, tensors)
}

// blocks counts the kinds of blocks, the most frequent first.
func (info *inspection) blocks() string {
	kinds := slices.SortedFunc(maps.Keys(info.Blocks), func(a, b config.Block) int {
		return cmp.Or(cmp.Compare(info.Blocks[b], info.Blocks[a]), cmp.Compare(a, b))
	})
	list := make([]string, len(kinds))
	for i, b := range kinds {
		list[i] = fmt.Sprintf("%d × %s", info.Blocks[b], b)
	}
	return strings.Join(list, ", ")
}

// state is the line about what a sequence needs.
func (info *inspection) state() string {
	switch {
	case info.TokenBytes == 0:
		return bytesText(info.StateBytes) + " per sequence, whatever its length"
	case info.StateBytes == 0:
		return bytesText(info.TokenBytes) + " per token of a sequence"
	}
	return fmt.Sprintf("%s per sequence, and %s per token of it", bytesText(info.StateBytes), bytesText(info.TokenBytes))
}

// printLines writes the path, these lines, the problems and, if asked for, the tensors.
func (l *listing) printLines(w io.Writer, lines [][2]string, tensors bool) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, badfile.Printable(l.path))
	for _, line := range lines {
		fmt.Fprintf(tw, "  %s\t%s\n", line[0], line[1])
	}
	if len(l.Problems) == 0 {
		fmt.Fprintf(tw, "  problems\tnone\n")
	}
	for _, p := range l.Problems {
		fmt.Fprintf(tw, "  problem\t%s\n", yellow.on(w, p))
	}
	for _, n := range l.Notes {
		fmt.Fprintf(tw, "  note\t%s\n", badfile.Printable(n))
	}
	if tensors {
		for _, t := range l.Tensors {
			fmt.Fprintf(tw, "  %s\t%s\t%v\t%s\n", badfile.Printable(t.Name), t.DType, t.Shape, bytesText(t.Bytes))
		}
	}
	return tw.Flush()
}
