package main

import (
	"github.com/spf13/pflag"

	"github.com/gomamba/gomamba/convert"
)

// groupFlags say how matrices are quantized for mlx-lm, as mlx_lm.convert calls it.
type groupFlags struct {
	mode        string
	bits, group int
}

func (f *groupFlags) define(flags *pflag.FlagSet) {
	flags.IntVar(&f.bits, "q-bits", 0, "mlx: quantize to codes of 2, 3, 4, 5, 6 or 8 bits (default for affine: 4)")
	flags.IntVar(&f.group, "q-group-size", 0, "mlx: columns that share a scale: 32, 64 or 128 (default for affine: 64)")
	flags.StringVar(&f.mode, "q-mode", "", "mlx: affine, mxfp4, mxfp8 or nvfp4 (default: affine)")
}

// parse returns the zero Groups if none of the flags is given.
func (f *groupFlags) parse(to convert.Layout) (groups convert.Groups, err error) {
	if *f == (groupFlags{}) {
		return groups, nil
	}
	if to != convert.MLX {
		return groups, usagef("--q-bits, --q-group-size and --q-mode are for --to mlx; --dtype says what the layout %s can hold", to)
	}
	if groups, err = convert.ParseGroups(f.mode, f.bits, f.group); err != nil {
		return groups, usagef("--q-bits, --q-group-size, --q-mode: %w", err)
	}
	return groups, nil
}
