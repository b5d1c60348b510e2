// Package convert writes checkpoints. Each is streamed: no tensor is ever in memory as a whole, and the destination
// appears complete or not at all.
package convert

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/tensor"
)

// Source is a tensor to be written.
type Source struct {
	Name  string // as in internal/names, such as "backbone.layers.0.mixer.A_log"
	DType tensor.DType
	Shape []int
	// Write hands the little-endian elements to emit, in order and in pieces of any size, and stops at emit's first
	// error. A piece may be overwritten when emit returns. Several sources are written at a time.
	Write func(emit func(piece []byte) error) error

	// piece takes the place of Write where any part can be had by itself: it returns the elements first to end, whole
	// blocks of the dtype and at most pieceElems, in s or where they lie.
	piece func(s *scratch, first, end int) ([]byte, error)
}

// Options say how to write a checkpoint.
type Options struct {
	// Force replaces what is at the destination, once the new checkpoint is complete: a checkpoint's folder with nothing
	// else in it, or a GGUF file. Anything else is refused.
	Force        bool
	MaxShardSize int64                   // bytes of tensors per file; 0 means DefaultShardSize, for GGUF one file
	Progress     func(done, total int64) // told about bytes of tensors written; may be nil

	Threads int // that work on pieces of tensors; 0: all cores. The bytes written are the same

	// SkipChecksums leaves the checksums of the source unread, which costs one reading of it where it has them.
	SkipChecksums bool

	// Inputs are files and folders that are read, beside the source of a Plan: the destination may not fall on one.
	Inputs []string

	ready func() error // if not nil, called when everything is written and before it takes its place

	beside func(dir *atomicfile.Dir) error // if not nil, writes tokenizer and generation_config.json
}

// settled asks whether what is written may take its place.
func (o *Options) settled() error {
	if o.ready == nil {
		return nil
	}
	return o.ready()
}

// DefaultShardSize is what save_pretrained of transformers 5.24 takes: 50 GB.
const DefaultShardSize = 50_000_000_000

// metadata is in every file that save_pretrained writes. transformers before 5 refuses a file without it.
var metadata = map[string]string{"format": "pt"}

// harmless copies a configuration without the key by which transformers would change the weights that it loads.
func harmless(cfg config.Config) config.Config {
	cfg = cfg.Clone()
	cfg.Shared().RescalePrenormResidual = false
	return cfg
}

// WriteHF writes the folder dst as save_pretrained of transformers 5.24 would: config.json, generation_config.json and
// model.safetensors, or shards with their index when the tensors take more than MaxShardSize. Whatever the order of the
// sources, the bytes of the weights and the shards are those of save_pretrained for a model built from its
// configuration. (A model that was itself loaded it shards in the order of sorted names.)
//
// The sources must be the tensors that the name table wants for cfg, a tied head being optional; cfg.DType is written as
// it stands, rescale_prenorm_residual as false (see config.Common.Rescales). dst appears when everything is written and
// synced; on an error, or when ctx is cancelled, nothing is left. Errors: those of cfg.EncodeHF, *badfile.FormatError for
// sources that contradict cfg, ctx.Err, wrapped I/O errors, and what a source returns.
func WriteHF(ctx context.Context, dst string, cfg config.Config, sources []Source, opts Options) (err error) {
	done, err := use(ctx, opts.Threads)
	if err != nil {
		return err
	}
	defer done()
	if cfg == nil {
		return errors.New("convert: the configuration is nil")
	}
	configJSON, err := harmless(cfg).EncodeHF()
	if err != nil {
		return err
	}
	if sources, err = inOrder(cfg, sources); err != nil {
		return err
	}
	generation, err := generationConfig(cfg)
	if err != nil {
		return err
	}
	if opts.MaxShardSize < 0 {
		return fmt.Errorf("shard size: found %d bytes, expected a positive number", opts.MaxShardSize)
	}
	shards := split(sources, cmp.Or(opts.MaxShardSize, DefaultShardSize))
	if err := checkFiles(len(shards)); err != nil {
		return err
	}
	need, err := sizeOnDisk(shards)
	if err != nil {
		return err
	}
	dir, err := atomicfile.CreateDir(dst, atomicfile.Options{Replace: opts.replaces(replaceableFolder), Apart: opts.Inputs, Need: need})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, dir.Abort())
		}
	}()
	if err := writeSmall(dir, filenames.Config, configJSON); err != nil {
		return err
	}
	beside := opts.beside
	if beside == nil {
		beside = func(dir *atomicfile.Dir) error { return writeSmall(dir, filenames.Generation, generation) }
	}
	if err := beside(dir); err != nil {
		return err
	}
	if len(shards) > 1 {
		index, err := encodeIndex(shards)
		if err != nil {
			return err
		}
		if err := writeSmall(dir, filenames.ModelIndex, index); err != nil {
			return err
		}
	}
	p := newProgress(ctx, sources, opts)
	for _, s := range shards {
		if err := writeShard(dir, s, p); err != nil {
			return err
		}
	}
	if err := opts.settled(); err != nil {
		return err
	}
	return dir.Commit()
}

// bytes returns the size of the tensor; inOrder made sure that there is one.
func (s Source) bytes() int64 {
	n, _ := tensor.ByteCount(s.DType, s.Shape)
	return int64(n)
}

// output is a file of the destination while it is in the staging folder. Its errors name the destination.
type output struct {
	*os.File
	path      string
	writeback atomicfile.Writeback
}

func create(dir *atomicfile.Dir, name string) (*output, error) {
	f, err := dir.Create(name)
	o := &output{File: f, path: filepath.Join(dir.Path(), name)}
	return o, o.explain(err)
}

func (o *output) WriteAt(p []byte, off int64) (int, error) {
	n, err := o.File.WriteAt(p, off)
	o.writeback.Wrote(o.File, n)
	return n, o.explain(err)
}

func (o *output) explain(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s %s: %w", e.Op, o.path, e.Err)
	}
	return err
}

// closeFile reports the error of closing where there is none before it.
func closeFile(o *output, err *error) {
	if cerr := o.explain(o.Close()); *err == nil {
		*err = cerr
	}
}

func writeSmall(dir *atomicfile.Dir, name string, content []byte) (err error) {
	o, err := create(dir, name)
	if err != nil {
		return err
	}
	defer closeFile(o, &err)
	_, err = o.WriteAt(content, 0)
	return err
}

// writeShard streams one weight file, tensors in the order in which they lie in it.
func writeShard(dir *atomicfile.Dir, s shard, p *progress) (err error) {
	entries := s.entries()
	_, offsets, _, err := safetensors.Layout(entries, metadata)
	if err != nil {
		return err
	}
	f, err := create(dir, s.file)
	if err != nil {
		return err
	}
	defer closeFile(f, &err)
	w, err := safetensors.NewWriter(f, entries, metadata)
	if err != nil {
		return err
	}
	sources := slices.Clone(s.sources)
	slices.SortFunc(sources, func(a, b Source) int { return cmp.Compare(offsets[a.Name], offsets[b.Name]) })
	if err := stream(w, sources, p); err != nil {
		return err
	}
	return w.Close()
}

// generationConfig renders generation_config.json as transformers 5.24 derives it from a model's configuration
// (generation/configuration_utils.py, from_model_config): the keys that config.json has in common with it, sorted.
func generationConfig(cfg config.Config) ([]byte, error) {
	c := cfg.Shared()
	keys := map[string]any{
		"_from_model_config":   true,
		"output_attentions":    false,
		"output_hidden_states": c.OutputHiddenStates,
		"transformers_version": "5.24.0",
		"use_cache":            c.UseCache,
	}
	if c.OutputHiddenStates {
		keys["return_dict_in_generate"] = true
	}
	if c.BosTokenID != nil {
		keys["bos_token_id"] = *c.BosTokenID
	}
	if c.PadTokenID != nil {
		keys["pad_token_id"] = *c.PadTokenID
	}
	switch ids := c.EosTokenID.IDs; {
	case c.EosTokenID.List:
		keys["eos_token_id"] = slices.Concat([]int{}, ids)
	case len(ids) > 0:
		keys["eos_token_id"] = ids[0]
	}
	return encodeJSON(keys)
}

// encodeJSON renders v as Python's json.dumps(indent=2, sort_keys=True), and a newline.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
