package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/internal/hub/hubtest"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gomamba": main})
}

// TestScripts runs the command line as users do: testdata/script/*.txtar say what they type and what they must see.
// $FIXTURES holds the checkpoints of ../../fixtures/mamba1, $TOKENIZERS the tokenizers beside them; each script works in a folder of its own. HF_ENDPOINT is a
// hub on loopback, with the checkpoint mamba1/default as gomamba/demo and what testHub makes of it.
func TestScripts(t *testing.T) {
	hub := testHub(t)
	dir, err := filepath.Abs("../../fixtures/mamba1")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("FIXTURES", dir)
			env.Setenv("TOKENIZERS", filepath.Join(filepath.Dir(dir), "tokenizers"))
			env.Setenv("HF_ENDPOINT", hub.URL)
			env.Setenv("HF_HOME", filepath.Join(env.WorkDir, "hf"))
			return os.CopyFS(filepath.Join(env.WorkDir, "model"), os.DirFS(filepath.Join(dir, "default")))
		},
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"replace": replace},
		RequireExplicitExec: true,
	})
}

// replace FILE OLD NEW replaces the bytes OLD in a file, which may be binary, by NEW.
func replace(ts *testscript.TestScript, neg bool, args []string) {
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	if neg || len(args) != 3 || !bytes.Contains(data, []byte(args[1])) {
		ts.Fatalf("replace %q: expected FILE OLD NEW, with OLD in FILE", args)
	}
	ts.Check(os.WriteFile(path, bytes.ReplaceAll(data, []byte(args[1]), []byte(args[2])), 0o644))
}

// quants is a repository of GGUF files of one model, one of them split.
func quants(t *testing.T) *hubtest.Repo {
	dir := t.TempDir()
	ck, err := loader.Open("../../fixtures/mamba1/default", loader.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	for _, file := range []struct {
		name  string
		dtype tensor.DType
		part  int64
	}{{"m-F32.gguf", tensor.F32, 0}, {"m-f16.gguf", tensor.F16, 0}, {"m-BF16.gguf", tensor.BF16, 60_000}} {
		plan, err := convert.NewPlan(ck, convert.Request{To: convert.GGUF, DType: file.dtype})
		if err == nil {
			err = plan.Write(t.Context(), filepath.Join(dir, file.name), convert.Options{MaxShardSize: file.part})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	repo, err := hubtest.FromFS(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	return repo
}

// testHub serves a checkpoint that comes whole, one whose weights arrive cut and then damaged, one whose weights always
// arrive damaged, one that needs a token, one that is public and refuses tokens all the same, one that is disabled, and one
// that is busy at first.
func testHub(t *testing.T) *hubtest.Hub {
	demo := func(change func(*hubtest.Repo)) *hubtest.Repo {
		repo, err := hubtest.FromFS(os.DirFS("../../fixtures/mamba1/default"))
		if err != nil {
			t.Fatal(err)
		}
		change(repo)
		return repo
	}
	faults := func(list ...hubtest.Fault) func(*hubtest.Repo) {
		return func(r *hubtest.Repo) { r.Faults = map[string][]hubtest.Fault{"model.safetensors": list} }
	}
	answering := func(answer func(w http.ResponseWriter, r *http.Request) bool) func(*hubtest.Repo) {
		return func(r *hubtest.Repo) { r.Intercept = answer }
	}
	busy := 1
	hub := hubtest.New(map[string]*hubtest.Repo{
		"gomamba/demo":    demo(func(*hubtest.Repo) {}),
		"gomamba/shaky":   demo(faults(hubtest.Fault{Cut: 10_000}, hubtest.Fault{Corrupt: true})),
		"gomamba/damaged": demo(faults(slices.Repeat([]hubtest.Fault{{Corrupt: true}}, 100)...)),
		"gomamba/private": demo(func(r *hubtest.Repo) { r.Token = "hf_secret" }),
		"gomamba/stale": demo(answering(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Authorization") == "" {
				return false
			}
			hubtest.Refuse(w, http.StatusUnauthorized, "", "Invalid credentials in Authorization header")
			return true
		})),
		"gomamba/disabled": demo(answering(func(w http.ResponseWriter, _ *http.Request) bool {
			hubtest.Refuse(w, http.StatusForbidden, "", "Access to this resource is disabled.")
			return true
		})),
		"gomamba/busy": demo(answering(func(w http.ResponseWriter, _ *http.Request) bool {
			if busy--; busy < 0 {
				return false
			}
			w.Header().Set("Retry-After", "1")
			hubtest.Refuse(w, http.StatusServiceUnavailable, "", "\u009b31mslow")
			return true
		})),
		"gomamba/quants": quants(t),
	})
	t.Cleanup(hub.Close)
	return hub
}
