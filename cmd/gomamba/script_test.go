package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gomamba/gomamba/fixtures"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gomamba": main})
}

// TestScripts runs the command line as users do: testdata/script/*.txtar say what they type and what they must see.
// $FIXTURES holds the checkpoints of ../../fixtures/mamba1; each script works in a folder of its own.
func TestScripts(t *testing.T) {
	dir, err := filepath.Abs("../../fixtures/mamba1")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("FIXTURES", dir)
			return os.CopyFS(filepath.Join(env.WorkDir, "model"), fixtures.Demo())
		},
		RequireExplicitExec: true,
	})
}
