package write

import (
	"fmt"

	"github.com/gomamba/gomamba/internal/filenames"
)

// CheckFiles refuses to write more weight files than a checkpoint is opened with.
func CheckFiles(n int) error {
	if n > filenames.MaxShards {
		return fmt.Errorf("the weights would take %d files of this size, and a checkpoint has at most %d: allow larger ones", n, filenames.MaxShards)
	}
	return nil
}
