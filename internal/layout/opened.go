package layout

import "github.com/gomamba/gomamba/config"

// Opened is a checkpoint as its layout opened it.
type Opened struct {
	Path    string // its folder, or the file
	Layout  Layout
	Config  config.Config
	Weights *Weights
}

// NewCheckpoint makes a *loader.Checkpoint of weights and a configuration that need not be the one of their files. Package loader
// sets it, for package doctor: it is not part of what loader offers to programs, which cannot have Weights.
var NewCheckpoint func(path, layout string, cfg config.Config, w *Weights) (checkpoint any, err error)

// Inside returns what a *loader.Checkpoint was made of; a closed one does not have weights. It is set as NewCheckpoint.
var Inside func(checkpoint any) *Opened
