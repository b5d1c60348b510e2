package layout

import (
	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/internal/names"
)

// Layout is one way to store a checkpoint: how it is recognised, read and written. Each is filled in by a package of its
// own below this one, and listed in internal/layouts.
type Layout struct {
	Name    string
	Ending  string // of the file's name; empty: it is a folder
	OneFile bool   // weights are never divided

	// Asked recognises a file that is in the layout whatever lies beside it. It may be nil.
	Asked func(path string) (src Source, ok bool)
	// Match reports whether a folder, or the file of weights that src names, is in the layout.
	Match func(src Source) bool
	// Open reads the configuration and maps the weights. Tensors get their canonical names, shapes and values.
	Open func(src Source) (config.Config, *Weights, error)
	// Folder is how to open it in parts, which a damaged checkpoint needs. It is nil if the configuration is in the file of
	// weights.
	Folder *Folder
	// List lists what the files hold, whether or not it can be used.
	List func(src Source) (*Listing, error)

	Repo Repo // what a repository on the hub has of it

	// Settings is what messages call the configuration; empty: the name of its file.
	Settings string
	// StoredName returns the name that the tensor of a canonical name has in the files. If it is nil they are the same.
	StoredName func(cfg config.Config, name string) string
	// Wholes lists the tensors of a model as the files have them, and Others such that may take the place of some of these.
	// If they are nil, files have the tensors of the name table, one by one.
	Wholes, Others func(cfg config.Config) ([]names.Whole, error)
	// AlwaysF32, unless nil, reports whether a tensor is stored as F32 whatever the dtype of the matrices.
	AlwaysF32 func(cfg config.Config, name string) bool

	// Stops returns the ids that end a text. An error says what could not be read; the ids are right even so.
	Stops func(o *Opened) ([]int64, error)
	// Generation returns the generation_config.json as it is, nil if there is none.
	Generation func(o *Opened) ([]byte, error)

	// NewTarget returns the writer of one checkpoint. It is nil for a layout that is only read.
	NewTarget func() write.Target
}

// Repo says which files of a repository a layout needs, before any of them is there: only names are known. What belongs to
// text and to generation is fetched for every layout that is a folder.
type Repo struct {
	Configs []string // names of configurations: all that are there
	Weights []string // names of weights or of the index of their shards, the best first
	Pickles []string // the same in PyTorch's format, used if no layout has other weights
	// Choose selects files whose names no list can have; nothing if there are none. It may be nil.
	Choose func(names []string) ([]string, error)
}

// Source is where a checkpoint lies.
type Source struct {
	Dir  string // its folder, or the file itself of GGUF
	File string // the name of the weight file that was asked for; empty: the layout chooses
}
