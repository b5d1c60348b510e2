package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/tensor"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
)

func newInspectCmd(s *settings) *cobra.Command {
	var asJSON, tensors, fingerprint bool
	cmd := &cobra.Command{
		Use:   "inspect MODEL",
		Short: "Show what a checkpoint holds and what is wrong with it",
		Long: `inspect reads the configuration and the headers of a checkpoint, not its weights,
and prints layout, family, sizes, dtypes, the state that a sequence needs (constant
in its length), and every problem found. It exits with 1 if the checkpoint cannot be run.
With --fingerprint it reads the weights too: two checkpoints of one fingerprint hold
the same model, whatever their layouts, dtypes and shards.`,
		Example: `  gomamba inspect mamba-130m-hf
  gomamba inspect mamba-130m-hf --tensors
  gomamba inspect mamba-130m.gguf --fingerprint
  gomamba inspect mamba-130m-hf --json | jq .config`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			ck, err := loader.Open(args[0], s.loading())
			if err != nil {
				return err
			}
			defer closing(&err, ck)
			info, err := inspect(ck)
			if err != nil {
				return err
			}
			if fingerprint && ck.Check() == nil {
				if err := withBar(cmd, int64(info.Bytes), func(progress func(done, total int64)) (err error) {
					info.Fingerprint, err = convert.Fingerprint(cmd.Context(), ck, s.threads, progress)
					return err
				}); err != nil {
					return err
				}
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), info)
			} else {
				err = info.print(cmd.OutOrStdout(), tensors)
			}
			if err != nil {
				return err
			}
			return ck.Check()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&tensors, "tensors", false, "list every tensor")
	cmd.Flags().BoolVar(&fingerprint, "fingerprint", false, "read all weights for a hash that does not depend on layout and dtype")
	return cmd
}

// inspection is what inspect reports; its JSON form is a contract.
type inspection struct {
	Layout     string          `json:"layout"`
	Family     string          `json:"family"`
	Parameters int             `json:"parameters"` // a tied head counts once
	Bytes      int             `json:"bytes"`      // of tensor data, as stored
	Tied       bool            `json:"tied"`
	StateBytes int             `json:"state_bytes_per_sequence"` // conv and SSM states in float32
	Config     json.RawMessage `json:"config"`
	DTypes     map[string]int  `json:"dtypes"` // tensors of each dtype
	Tensors    []tensorInfo    `json:"tensors"`
	Problems   []string        `json:"problems"`

	Fingerprint string `json:"fingerprint,omitempty"` // when asked for

	path string
	cfg  *config.MambaConfig
}

type tensorInfo struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
	Bytes int    `json:"bytes"`
	File  string `json:"file"`
}

func inspect(ck *loader.Checkpoint) (*inspection, error) {
	cfg := ck.Config().(*config.MambaConfig)
	keys, err := cfg.EncodeHF()
	if err != nil {
		return nil, err
	}
	info := &inspection{
		Layout: ck.Layout(), Family: string(cfg.Family()), Tied: ck.Tied(), Config: jsonobj.Standard(string(keys)),
		DTypes: map[string]int{}, Tensors: []tensorInfo{}, Problems: []string{},
		path: ck.Path(), cfg: cfg,
	}
	conv, ssm := model.StateShape(cfg, 1)
	for _, shape := range [][]int{conv, ssm} {
		n, _ := tensor.Count(shape) // of a valid configuration
		info.StateBytes += n * tensor.F32.Size() * cfg.NumHiddenLayers
	}
	for _, t := range ck.Tensors() {
		info.DTypes[t.DType.String()]++
		info.Bytes += len(t.Data)
		if !info.Tied || t.Name != "lm_head.weight" {
			info.Parameters += t.Elems()
		}
		info.Tensors = append(info.Tensors, tensorInfo{t.Name, t.DType.String(), t.Shape, len(t.Data), t.File})
	}
	for _, p := range ck.Problems() {
		info.Problems = append(info.Problems, fmt.Sprintf("%v: %s", p.Severity, p.Text))
	}
	return info, nil
}

// print writes the report for people.
func (info *inspection) print(w io.Writer, tensors bool) error {
	c := info.cfg
	var dtypes []string
	for _, name := range slices.Sorted(maps.Keys(info.DTypes)) {
		dtypes = append(dtypes, fmt.Sprintf("%d × %s", info.DTypes[name], name))
	}
	head := "its own"
	if info.Tied {
		head = "tied to the embedding"
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, info.path)
	for _, line := range [][2]string{
		{"layout", info.Layout},
		{"family", info.Family},
		{"parameters", thousands(info.Parameters)},
		{"weights", fmt.Sprintf("%s, %s", bytesText(info.Bytes), strings.Join(dtypes, ", "))},
		{"head", head},
		{"shape", fmt.Sprintf("%d layers, hidden_size %d, d_inner %d, d_state %d, d_conv %d, dt_rank %d, vocab_size %d",
			c.NumHiddenLayers, c.HiddenSize, c.DInner(), c.StateSize, c.ConvKernel, c.TimeStepRank, c.VocabSize)},
		{"state", bytesText(info.StateBytes) + " per sequence, whatever its length"},
	} {
		fmt.Fprintf(tw, "  %s\t%s\n", line[0], line[1])
	}
	if info.Fingerprint != "" {
		fmt.Fprintf(tw, "  fingerprint\t%s\n", info.Fingerprint)
	}
	if len(info.Problems) == 0 {
		fmt.Fprintf(tw, "  problems\tnone\n")
	}
	for _, p := range info.Problems {
		fmt.Fprintf(tw, "  problem\t%s\n", p)
	}
	if tensors {
		for _, t := range info.Tensors {
			fmt.Fprintf(tw, "  %s\t%s\t%v\t%s\n", t.Name, t.DType, t.Shape, bytesText(t.Bytes))
		}
	}
	return tw.Flush()
}
