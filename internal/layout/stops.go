package layout

import (
	"cmp"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// maxGeneration bounds a generation_config.json that is copied.
const maxGeneration = 1 << 28

// Generation returns the generation_config.json of a folder.
func Generation(o *Opened) ([]byte, error) {
	text, err := jsonobj.ReadFile(filepath.Join(o.Path, filenames.Generation), maxGeneration)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// Stops returns the ids that end a text by a folder's generation_config.json, or without a readable one by its configuration.
func Stops(o *Opened) ([]int64, error) {
	return FolderStops(o, func() ([]int64, error) { return ConfiguredStops(o), nil })
}

// FolderStops is Stops with the ids that configured returns in place of the configuration's.
func FolderStops(o *Opened, configured func() ([]int64, error)) ([]int64, error) {
	path := filepath.Join(o.Path, filenames.Generation)
	data, unread := jsonobj.ReadFile(path, config.MaxFile)
	if unread == nil {
		var ids []int64
		if ids, unread = config.ParseStops(data); unread == nil {
			return ids, nil
		}
		unread = &badfile.FormatError{File: path, Detail: unread.Error()}
	}
	if errors.Is(unread, fs.ErrNotExist) {
		unread = nil
	}
	ids, err := configured()
	return ids, cmp.Or(unread, err)
}

// ConfiguredStops are the ids of the configuration as it is resolved.
func ConfiguredStops(o *Opened) (ids []int64) {
	for _, id := range o.Config.Shared().EosTokenID.IDs {
		ids = append(ids, int64(id))
	}
	return ids
}
