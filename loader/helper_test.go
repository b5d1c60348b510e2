package loader_test

import (
	"testing"

	"github.com/gomamba/gomamba/loader"
)

// open opens what must open.
func open(t *testing.T, path string, opts loader.Options) *loader.Checkpoint {
	t.Helper()
	ck, err := loader.Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ck.Close(); err != nil {
			t.Error(err)
		}
	})
	return ck
}
