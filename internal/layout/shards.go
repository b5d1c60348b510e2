package layout

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gomamba/gomamba/internal/badfile"
)

// NotLinked explains the error of opening path if it is a link that leads nowhere.
func NotLinked(path string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	target, lerr := os.Readlink(path)
	if lerr != nil {
		return err
	}
	return &badfile.FormatError{File: path, Detail: "is a link to " + badfile.Quote(target) + ", which is missing; download it again"}
}

// OpenShards maps the shards an index names, and all tensors in them, as transformers does. If the index says otherwise,
// that is noted.
func OpenShards(path string, open func(path string) (File, error)) (_ *Weights, err error) {
	idx, err := readIndex(path)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	w := &Weights{Source: path}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	held := make(map[string]string, len(idx.shardOf)) // tensor name to shard
	for _, shard := range idx.shards {
		f, err := open(filepath.Join(dir, shard))
		if err != nil {
			return nil, err
		}
		had := len(w.Tensors)
		w.Add(filepath.Join(dir, shard), f)
		for _, t := range w.Tensors[had:] {
			if other, twice := held[t.Name]; twice {
				return nil, idx.errorf(t.Name, "is in two shards, %s and %s", badfile.Quote(other), badfile.Quote(shard))
			}
			held[t.Name] = shard
		}
	}
	idx.compare(w, held)
	return w, nil
}
