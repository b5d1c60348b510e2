package atomicfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnwritableParent checks that a folder one may not write in is reported before any work.
func TestUnwritableParent(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o555))
	if os.Geteuid() == 0 {
		dir = "/sys" // no mode stops root, but there nobody creates files
	}
	for _, k := range kinds {
		_, err := k.create(filepath.Join(dir, "out"), Options{}, "x")
		if err == nil || !strings.Contains(err.Error(), "cannot write in the folder "+dir) || strings.Contains(err.Error(), ".gomamba") {
			t.Errorf("%s: %v", k.name, err)
		}
	}
}
