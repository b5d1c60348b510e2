// Package layouts lists the layouts, each of which is a folder below internal/layout.
package layouts

import (
	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/layout/gguf"
	"github.com/gomamba/gomamba/internal/layout/hf"
	"github.com/gomamba/gomamba/internal/layout/mistral"
	"github.com/gomamba/gomamba/internal/layout/original"
	"github.com/gomamba/gomamba/internal/layout/write"
)

// Layout is one way to store a checkpoint.
type Layout struct {
	Name      string
	Ending    string // of the file's name; empty: it is a folder
	OneFile   bool   // weights are never divided
	// AlwaysF32, unless nil, reports whether a tensor is stored as F32 whatever the dtype of the matrices.
	AlwaysF32 func(cfg config.Config, name string) bool
	NewTarget func() write.Target
}

// All are the layouts in the order in which they are listed.
var All = []Layout{
	{Name: "hf", NewTarget: hf.NewTarget},
	{Name: "original", OneFile: true, NewTarget: original.NewTarget},
	{Name: "mistral", OneFile: true, NewTarget: mistral.NewTarget},
	{Name: "gguf", Ending: ".gguf", AlwaysF32: gguf.AlwaysF32, NewTarget: gguf.NewTarget},
}

// Named returns the layout of that name.
func Named(name string) (l Layout, ok bool) {
	for _, l := range All {
		if l.Name == name {
			return l, true
		}
	}
	return Layout{}, false
}
