package hub

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/jsonobj"
)

// missingShards returns the shards that an index among files names and that are not there. It is asked if no listing
// shows what the repository holds.
func missingShards(s *snapshot, files []File) (missing []string) {
	for _, f := range files {
		if !strings.HasSuffix(f.Path, ".index.json") {
			continue
		}
		data, err := jsonobj.ReadFile(s.path(f.Path), maxAnswer)
		if err != nil {
			continue // opening the checkpoint says so
		}
		var index struct {
			WeightMap map[string]string `json:"weight_map"`
		}
		if json.Unmarshal(data, &index) != nil {
			continue
		}
		for _, shard := range index.WeightMap {
			name := path.Join(path.Dir(f.Path), shard)
			if checkPath(name) != nil || slices.Contains(missing, name) {
				continue
			}
			if _, err := os.Stat(s.path(name)); errors.Is(err, fs.ErrNotExist) {
				missing = append(missing, name)
			}
		}
	}
	slices.Sort(missing)
	return missing
}
