// Package megatron reads the checkpoints of Megatron-LM's Mamba: of Mamba-2 alone, or with layers of attention and of MLPs.
package megatron

import (
	"errors"
	"path/filepath"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/mmap"
)

// The layout of Megatron-LM (megatron/training/checkpointing.py, megatron/core/models/hybrid, megatron/core/ssm), a folder for each
// iteration that latest_checkpointed_iteration.txt names, iter_0000010 or release, in one of two forms:
//
//	mp_rank_RR/model_optim_rng.pt   of part RR of the model: a dict with the tensors under "model", and "args", the arguments of
//	                                the run as an argparse.Namespace
//	.metadata, __R_I.distcp         torch.distributed's, with keys of Megatron's; args lie in common.pt or in these files
//
// A layer is of one block, and so its tensors show what it is. Of its matrices Megatron divides rows or columns among the parts; the
// rows of in_proj, linear_qkv and conv1d are of several kinds, each of which is divided by itself.

// Name of the layout.
const Name = "megatron"

// Layout is that layout. It is read and not written.
var Layout = layout.Layout{
	Name: Name, Asked: asked, Match: match, Open: open, List: list,
	Settings: "the arguments of its run", StoredName: storedName,
	Stops: layout.Stops, Generation: layout.Generation,
	Repo: layout.Repo{Choose: choose},
}

// asked recognises a file of one part.
func asked(path string) (layout.Source, bool) {
	return layout.Source{Dir: filepath.Dir(path), File: filepath.Base(path)}, filepath.Base(path) == fileModel
}

// match leaves a folder alone in which the weights lie whole.
func match(src layout.Source) bool {
	for _, name := range filenames.UsualWeights {
		if layout.Exists(filepath.Join(src.Dir, name)) {
			return false
		}
	}
	return find(src).form != nil
}

// open reads the arguments and joins the tensors, which stay where they are. Tensors get their canonical names.
func open(src layout.Source) (_ config.Config, w *layout.Weights, err error) {
	found := find(src)
	w = &layout.Weights{Source: found.dir, ConfigName: found.dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	var cfg config.Config
	err = mmap.Guard(func() error {
		s, err := found.form(found.dir, w)
		if err == nil {
			cfg, err = s.settle(w)
		}
		return err
	})
	if err != nil {
		return nil, w, err
	}
	w.Say(found.dir, "found a checkpoint of Megatron-LM; its tensors are joined and renamed as they are used, the arguments of its run "+
		"say the sizes, and states of the optimizer are left out")
	return cfg, w, nil
}

// list lists the tensors as they are stored, of all parts.
func list(src layout.Source) (*layout.Listing, error) {
	found, w := find(src), &layout.Weights{}
	l := &layout.Listing{Model: "Megatron-LM"}
	err := mmap.Guard(func() error {
		s, err := found.form(found.dir, w)
		if err != nil {
			return err
		}
		for _, t := range s.stored {
			l.Tensors = append(l.Tensors, layout.Listed{Name: t.name, DType: t.dtype.String(), Shape: t.shape, Bytes: t.bytes(), File: t.file})
		}
		return nil
	})
	return l, errors.Join(err, w.Close())
}
