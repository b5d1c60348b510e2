package names

import (
	"github.com/gomamba/gomamba/config"
)

// mamba3 is the block of Mamba-3 (mamba_ssm/modules/mamba3.py). No other program has it.
var mamba3 = block{
	title: "Mamba-3 blocks",
	norm:  "norm.weight",
	under: "mixer.",
	rows: []row{
		{name: "norm.weight", shape: dims{"D"}, init: ones},
		{name: "mixer.in_proj.weight", shape: dims{"=IN", "D"}}, // z, x, B, C, dt, A, trap, angles
		{name: "mixer.dt_bias", shape: dims{"=H"}, init: stepSize, vague: true},
		{name: "mixer.B_bias", shape: dims{"H", "=R", "=N"}, init: ones},
		{name: "mixer.C_bias", shape: dims{"H", "R", "N"}, init: ones},
		{name: "mixer.B_norm.weight", shape: dims{"N"}, init: ones},
		{name: "mixer.C_norm.weight", shape: dims{"N"}, init: ones},
		{name: "mixer.mimo_x", shape: dims{"H", "R", "P"}, when: "is_mimo", alone: true, init: shared},
		{name: "mixer.mimo_z", shape: dims{"H", "R", "P"}, when: "is_mimo", alone: true, init: ones},
		{name: "mixer.mimo_o", shape: dims{"H", "R", "P"}, when: "is_mimo", alone: true, init: shared},
		{name: "mixer.D", shape: dims{"H"}, init: ones},
		{name: "mixer.norm.weight", shape: dims{"I"}, when: "is_outproj_norm", alone: true, init: ones, vague: true},
		{name: "mixer.out_proj.weight", shape: dims{"D", "=I"}, init: outProjection},
	},
	mambaSSM: []string{
		"norm", "mixer.dt_bias", "mixer.B_bias", "mixer.C_bias", "mixer.mimo_x", "mixer.mimo_z", "mixer.mimo_o", "mixer.D",
		"mixer.in_proj", "mixer.B_norm", "mixer.C_norm", "mixer.norm", "mixer.out_proj",
	},
}

// shared is 1 over the rank, so that the ranks together begin as one.
func shared(cfg config.Config) Draw { return constant(1 / float64(config.SizesOf(cfg)["R"])) }
