package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/tensor"
)

// plainRecipes are those for a layout without blocks.
func plainRecipes() []convert.Recipe {
	return slices.DeleteFunc(convert.Recipes(), convert.Recipe.Quantizes)
}

func newInitCmd(s *settings) *cobra.Command {
	var seed uint64
	var dtype, shard string
	var force bool
	cmd := &cobra.Command{
		Use:   "init CONFIG.json DST",
		Short: "Make a randomly initialised model from a configuration",
		Long: `init draws the weights of a new model the way the Mamba papers' reference code does, and
writes a Hugging Face folder: config.json, generation_config.json and safetensors.
CONFIG.json, or - for stdin, can leave out everything that has a default;
{"model_type": "mamba"} is enough. If it is a configuration of mamba_ssm, which has d_model,
the result is a mamba_ssm folder: config.json and pytorch_model.bin. The same seed gives the
same bytes on the same kind of processor. DST appears complete or not at all.`,
		Example: `  echo '{"model_type": "mamba", "num_hidden_layers": 24}' > config.json
  gomamba init config.json mamba-130m-random
  echo '{"model_type": "mamba2"}' | gomamba init - mamba2-random
  gomamba init mamba3-config.json mamba3-random
  gomamba init config.json tiny --seed 7 --dtype bf16 --max-shard-size 200MB`,
		Args: usage(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			recipe, ok := convert.ParseRecipe(dtype)
			if !ok || recipe.Quantizes() {
				return usagef("--dtype %q: expected %s", dtype, badfile.Or(plainRecipes()))
			}
			if convert.Guess(args[1]) == convert.GGUF {
				return usagef("%s is the name of a GGUF file, and init writes a folder: name one, then run gomamba convert FOLDER %s", args[1], args[1])
			}
			limit, err := convert.ParseSize(shard)
			if err != nil {
				return usagef("--max-shard-size: %w", err)
			}
			return initialise(cmd, args[0], args[1], seed, recipe.DType(), cmd.Flags().Changed("max-shard-size"), convert.Options{Force: force, MaxShardSize: limit, Threads: s.threads})
		},
	}
	cmd.Flags().Uint64Var(&seed, "seed", 0, "seed for random draws")
	cmd.Flags().StringVar(&dtype, "dtype", "f32", "dtype of the weights: "+badfile.Or(plainRecipes()))
	cmd.Flags().StringVar(&shard, "max-shard-size", "5GB", "largest weight file")
	cmd.Flags().BoolVar(&force, "force", false, "replace DST if it contains a checkpoint and nothing else")
	return cmd
}

// readConfig reads a config.json, the one in a folder, or a stream. original says that it is one of mamba_ssm.
func readConfig(cmd *cobra.Command, path string) (cfg config.Config, original bool, err error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		if path = filepath.Join(path, filenames.Config); !layout.Exists(path) {
			return nil, false, fmt.Errorf("%s: missing; name the file with the model's settings, or put it there", path)
		}
	}
	data, err := readInput(cmd, path, config.MaxFile)
	if err != nil {
		return nil, false, err
	}
	if config.IsOriginal(data) {
		cfg, err = config.ParseOriginal(path, data)
		return cfg, true, err
	}
	cfg, err = config.ParseHF(path, data)
	return cfg, false, err
}

func initialise(cmd *cobra.Command, from, dst string, seed uint64, dtype tensor.DType, shards bool, opts convert.Options) error {
	if err := checkDestination("DST", dst); err != nil {
		return err
	}
	from, err := input(cmd, "CONFIG", from)
	if err != nil {
		return err
	}
	opts.Inputs = sessionOf(cmd).files()
	cfg, original, err := readConfig(cmd, from)
	if err != nil {
		return err
	}
	if original {
		if err := oneFile(convert.Original, shards); err != nil {
			return err
		}
	}
	for _, n := range cfg.Shared().Notes() {
		warn(cmd, n.String())
	}
	cfg.Shared().DType = dtype.Torch()
	params, err := model.Init(cfg, seed)
	if err != nil {
		return err
	}
	total, elems := 0, 0
	sources := make([]convert.Source, len(params))
	for i, p := range params {
		n, _ := tensor.Count(p.Shape) // of a valid configuration
		elems += n
		total += n * dtype.Size()
		sources[i] = convert.Source{Name: p.Name, DType: dtype, Shape: p.Shape,
			Write: func(emit func([]byte) error) error { return p.Encode(dtype, emit) }}
	}
	bar := newBar(cmd, "", "bytes", int64(total))
	defer bar.stop()
	opts.Progress = func(done, _ int64) { bar.set(done) }
	write := convert.WriteHF
	if original {
		write = convert.WriteOriginal
	}
	if err := write(cmd.Context(), dst, cfg, sources, opts); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s parameters, %s, seed %d\n", dst, thousands(elems), bytesText(total), seed)
	return err
}
