package model_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
)

// TestSharedByManyGoroutines has 64 goroutines run one model, each with a cache of its own: they get the bits they get
// alone.
func TestSharedByManyGoroutines(t *testing.T) {
	for _, fixture := range []string{"mamba1/default", "falcon/default", "mamba2/groups4"} {
		t.Run(fixture, func(t *testing.T) { share(t, fixture) })
	}
}

func share(t *testing.T, fixture string) {
	_, m := open(t, filepath.Join(fixtureDir, fixture), model.Options{})
	const users = 64
	alone := make([]*model.Output, users)
	states := make([]*model.Cache, users)
	for u := range users {
		alone[u], states[u] = forward(t, m, model.Single(someIDs(m, 3+u, u)), everything)
	}
	var group sync.WaitGroup
	for u := range users {
		group.Go(func() {
			ids := someIDs(m, 3+u, u)
			cache := m.NewCache(1)
			cut := 1 + u%len(ids[1:]) // in two pieces
			if _, err := m.Forward(context.Background(), model.Single(ids[:cut]), cache, model.Want{}); err != nil {
				t.Error(err)
				return
			}
			out, err := m.Forward(context.Background(), model.Single(ids[cut:]), cache, model.Want{Logits: model.LogitsAll})
			if err != nil {
				t.Error(err)
				return
			}
			if !slices.Equal(out.Logits, alone[u].Logits[cut*m.Config().Shared().VocabSize:]) {
				t.Errorf("user %d: other logits than alone", u)
			}
			if !slices.EqualFunc(statesOf(cache, 0), statesOf(states[u], 0), slices.Equal) {
				t.Errorf("user %d: other states than alone", u)
			}
		})
	}
	group.Wait()
}

// TestNothingLeaks opens and closes a checkpoint and its model 1,000 times: goroutines and files are as many as before.
func TestNothingLeaks(t *testing.T) {
	path := filepath.Join(fixtureDir, "mamba1", "default")
	once := func() {
		ck, err := loader.Open(path, loader.Options{})
		if err != nil {
			t.Fatal(err)
		}
		m, err := model.New(ck, model.Options{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Forward(t.Context(), model.Single([]int64{1}), m.NewCache(1), model.Want{}); err != nil {
			t.Fatal(err)
		}
		m.Close()
		if err := ck.Close(); err != nil {
			t.Fatal(err)
		}
	}
	once()
	goroutines, files := settled(runtime.NumGoroutine()), openFiles(t)
	for range 1000 {
		once()
	}
	if now := settled(goroutines); now > goroutines {
		t.Errorf("%d goroutines, before %d", now, goroutines)
	}
	if now := openFiles(t); now > files {
		t.Errorf("%d open files, before %d", now, files)
	}
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "config.json"), []byte(`{"model_type": "mamba"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(broken, "model.safetensors"), []byte("no weights"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := loader.Open(broken, loader.Options{}); err == nil {
			t.Fatal("opened")
		}
	}
	if now := openFiles(t); now > files {
		t.Errorf("%d open files after failures, before %d", now, files)
	}
}

// settled returns the number of goroutines once it is no more than wanted, or after a while. Helpers of a closed pool end
// by themselves.
func settled(wanted int) int {
	for range 200 {
		if runtime.NumGoroutine() <= wanted {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return runtime.NumGoroutine()
}

// openFiles counts them if the system shows them; otherwise it returns 0.
func openFiles(t *testing.T) int {
	t.Helper()
	for _, dir := range []string{"/proc/self/fd", "/dev/fd"} {
		if entries, err := os.ReadDir(dir); err == nil {
			return len(entries)
		}
	}
	return 0
}
