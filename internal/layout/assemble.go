package layout

import "github.com/gomamba/gomamba/config"

// Assemble makes a *loader.Checkpoint of weights and a configuration that need not be the one of their files. Package loader
// sets it, for package doctor: it is not part of what loader offers to programs, which cannot have Weights.
var Assemble func(path, layout string, cfg config.Config, w *Weights) (checkpoint any, err error)
