package model_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gomamba/gomamba/compare"
	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/doctor"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/model/reference"
)

// misuse is a call that makes no sense, with what its error must say.
type misuse struct {
	name, want string
	call       func(t *testing.T, ck *loader.Checkpoint, m *model.Model) error
}

// TestMisuse makes the mistakes that programs make: each is an error that says what is wrong.
func TestMisuse(t *testing.T) {
	bg, one, last := context.Background(), model.Single([]int64{1, 2, 3}), model.Want{Logits: model.LogitsLast}
	var noContext context.Context
	forward := func(b model.Batch, cache func(*model.Model) *model.Cache, want model.Want) func(*testing.T, *loader.Checkpoint, *model.Model) error {
		return func(_ *testing.T, _ *loader.Checkpoint, m *model.Model) error {
			_, err := m.Forward(bg, b, cache(m), want)
			return err
		}
	}
	fresh := func(n int) func(*model.Model) *model.Cache {
		return func(m *model.Model) *model.Cache { return m.NewCache(n) }
	}
	given := func(c *model.Cache) func(*model.Model) *model.Cache {
		return func(*model.Model) *model.Cache { return c }
	}
	batch := func(sequences, tokens, ids int) model.Batch {
		return model.Batch{Sequences: sequences, Tokens: tokens, IDs: make([]int64, ids)}
	}
	masked := func(mask ...int64) model.Batch {
		return model.Batch{Sequences: 1, Tokens: 3, IDs: []int64{1, 2, 3}, Mask: mask}
	}
	generator := func(use func(g *model.Generator) error) func(*testing.T, *loader.Checkpoint, *model.Model) error {
		return func(t *testing.T, _ *loader.Checkpoint, m *model.Model) error {
			g, err := m.NewGenerator(nil, model.Sampling{})
			if err != nil {
				t.Fatal(err)
			}
			return use(g)
		}
	}
	generators := func(use func(g *model.Generator) error) func(*testing.T, *loader.Checkpoint, *model.Model) error {
		return func(t *testing.T, _ *loader.Checkpoint, m *model.Model) error {
			g, err := m.NewGenerator(m.NewCache(2), model.Sampling{})
			if err != nil {
				t.Fatal(err)
			}
			return use(g)
		}
	}
	for _, test := range []misuse{
		{"no cache", "the cache is nil", forward(one, given(nil), last)},
		{"empty cache", "the cache holds 0 sequences, the batch 1", forward(one, given(&model.Cache{}), last)},
		{"cache without layers", "the cache holds 0 layers", forward(one, given(&model.Cache{Sequences: 1}), last)},
		{"cache of another batch", "the cache holds 2 sequences, the batch 1", forward(one, fresh(2), last)},
		{"cache of no sequence", "the cache holds 0 sequences", forward(one, fresh(0), last)},
		{"cache of minus one", "the cache holds -1 sequences", forward(one, fresh(-1), last)},
		{"cache beyond memory", "the cache holds 1073741824 sequences", forward(one, fresh(1<<30), last)},
		{"cache repeated never", "the cache holds 0 sequences", forward(one, func(m *model.Model) *model.Cache { return m.NewCache(1).Repeat(-3) }, last)},
		{"no batch", "the prompt is empty", forward(model.Batch{}, fresh(1), last)},
		{"no tokens", "the prompt is empty", forward(model.Single(nil), fresh(1), last)},
		{"negative batch", "a batch of -2 × -4", forward(batch(-2, -4, 8), fresh(1), last)},
		{"too few ids", "5 ids for a batch of 2 × 3", forward(batch(2, 3, 5), fresh(2), last)},
		{"product beyond numbers", "0 ids for a batch of", forward(batch(math.MaxInt, math.MaxInt, 0), fresh(1), last)},
		{"short mask", "1 mask values", forward(masked(1), fresh(1), last)},
		{"mask with a gap", "has a gap", forward(masked(1, 0, 1), fresh(1), last)},
		{"mask of nothing", "all zeros", forward(masked(0, 0, 0), fresh(1), last)},
		{"mask of twos", "expected 0 or 1", forward(masked(2, 1, 1), fresh(1), last)},
		{"id outside", "token id 128 at position 0", forward(model.Single([]int64{128}), fresh(1), last)},
		{"unknown wish", "Logits(7) wanted", forward(one, fresh(1), model.Want{Logits: 7})},
		{"negative wish", "Logits(-1) wanted", forward(one, fresh(1), model.Want{Logits: -1})},
		{"results beyond memory", "expected 33554432 tokens at most", func(_ *testing.T, _ *loader.Checkpoint, m *model.Model) error {
			b := model.Batch{Sequences: 1, Tokens: 40 << 20, IDs: make([]int64, 40<<20)}
			_, err := m.Forward(bg, b, m.NewCache(1), model.Want{Logits: model.LogitsAll})
			return err
		}},
		{"no context", "the context is nil", func(_ *testing.T, _ *loader.Checkpoint, m *model.Model) error {
			_, err := m.Forward(noContext, one, m.NewCache(1), last)
			return err
		}},
		{"no checkpoint", "the checkpoint is nil", func(*testing.T, *loader.Checkpoint, *model.Model) error {
			_, err := model.New(nil, model.Options{})
			return err
		}},
		{"negative threads", "-1 threads: expected 1 to", func(_ *testing.T, ck *loader.Checkpoint, _ *model.Model) error {
			_, err := model.New(ck, model.Options{Threads: -1})
			return err
		}},
		{"a million threads", "1000000 threads: expected 1 to", func(_ *testing.T, ck *loader.Checkpoint, _ *model.Model) error {
			_, err := compare.Fingerprint(bg, ck, loader.ReadOptions{Threads: 1_000_000})
			return err
		}},
		{"changed copy of the configuration", "", func(_ *testing.T, ck *loader.Checkpoint, m *model.Model) error {
			m.Config().Shared().VocabSize, ck.Config().Shared().HiddenSize = 5, 1
			_, err := m.Forward(bg, model.Single([]int64{50}), m.NewCache(1), last)
			return err
		}},
		{"cache in use", "in use by another pass", func(_ *testing.T, _ *loader.Checkpoint, m *model.Model) error {
			cache := m.NewCache(1)
			return m.Stream(bg, one, cache, last, func(*model.Part) error {
				_, err := m.Forward(bg, one, cache, last)
				return err
			})
		}},
		{"no generators", "0 sequences", func(_ *testing.T, _ *loader.Checkpoint, m *model.Model) error {
			g, err := m.NewGenerator(m.NewCache(0), model.Sampling{})
			if _, next := g.Next(bg); next == nil {
				return nil
			}
			return err
		}},
		{"fewer than no generators", "-4 sequences", func(_ *testing.T, _ *loader.Checkpoint, m *model.Model) error {
			_, err := m.NewGenerator(m.NewCache(-4), model.Sampling{})
			return err
		}},
		{"next of two", "the generator has 2", generators(func(g *model.Generator) error {
			if err := g.Feed(bg, []int64{1}, []int64{2}); err != nil {
				return nil
			}
			_, err := g.Next(bg)
			return err
		})},
		{"a temperature that is not a number", "temperature NaN", func(_ *testing.T, _ *loader.Checkpoint, m *model.Model) error {
			_, err := m.NewGenerator(nil, model.Sampling{Temperature: math.NaN()})
			return err
		}},
		{"nothing to draw", "no token may be drawn", func(_ *testing.T, _ *loader.Checkpoint, m *model.Model) error {
			g, err := m.NewGenerator(nil, model.Sampling{Drawable: func(int64) bool { return false }})
			if err == nil {
				err = g.Feed(bg, []int64{1})
			}
			if err == nil {
				_, err = g.Next(bg)
			}
			return err
		}},
		{"next before the prompt", "nothing to continue", generator(func(g *model.Generator) error {
			_, err := g.Next(bg)
			return err
		})},
		{"prompt of nothing", "the prompt is empty", generator(func(g *model.Generator) error { return g.Feed(bg, nil) })},
		{"prompt outside", "token id -1", generator(func(g *model.Generator) error { return g.Feed(bg, []int64{-1}) })},
		{"resumed with one logit", "1 logits to resume from", generator(func(g *model.Generator) error { return g.Resume([]float32{1}) })},
		{"restarted with another's cache", "the cache holds 5 sequences", generator(func(g *model.Generator) error {
			return g.Restart(&model.Cache{Sequences: 5}, nil)
		})},
		{"restored from nothing", "the snapshot has no cache", generator(func(g *model.Generator) error { return g.Restore(nil) })},
		{"fed fewer prompts", "1 prompts for 2 sequences", generators(func(g *model.Generator) error { return g.Feed(bg, []int64{1}) })},
		{"next of nobody", "0 sequences wanted or not", generators(func(g *model.Generator) error {
			_, err := g.NextOf(bg, nil)
			return err
		})},
		{"next of one without a prompt", "feed a prompt", generators(func(g *model.Generator) error {
			if err := g.Feed(bg, []int64{1}, nil); err != nil {
				return err
			}
			_, err := g.NextOf(bg, []bool{true, true})
			return err
		})},
		{"resumed with logits of one", "128 logits to resume from", generators(func(g *model.Generator) error { return g.Resume(make([]float32, 128)) })},
		{"restored from fewer", "holds 1 sequences, the generator has 2", func(_ *testing.T, _ *loader.Checkpoint, m *model.Model) error {
			g, err := m.NewGenerator(m.NewCache(2), model.Sampling{})
			if err != nil {
				return err
			}
			return g.Restore(&model.Snapshot{Cache: m.NewCache(1)})
		}},
		{"saved nothing", "the snapshot has no cache", func(t *testing.T, _ *loader.Checkpoint, m *model.Model) error {
			return m.SaveCache(filepath.Join(t.TempDir(), "c"), nil, nil)
		}},
		{"saved an empty cache", "the cache holds 0 layers", func(t *testing.T, _ *loader.Checkpoint, m *model.Model) error {
			return m.SaveCache(filepath.Join(t.TempDir(), "c"), &model.Cache{Sequences: 3}, nil)
		}},
		{"saved one logit", "1 logits for 1 sequences and a vocabulary of 128", func(t *testing.T, _ *loader.Checkpoint, m *model.Model) error {
			path := filepath.Join(t.TempDir(), "c")
			err := m.SaveCache(path, m.NewCache(1), []float32{1})
			if _, there := os.Stat(path); there == nil {
				t.Error("a file was written nevertheless")
			}
			return err
		}},
		{"saved random states of others", "2 random states for 1 sequences", func(t *testing.T, _ *loader.Checkpoint, m *model.Model) error {
			return m.SaveSnapshot(filepath.Join(t.TempDir(), "c"), &model.Snapshot{Cache: m.NewCache(1), Random: make([]model.RandomState, 2)})
		}},
		{"loaded a folder", "is a directory", func(t *testing.T, _ *loader.Checkpoint, m *model.Model) error {
			_, _, err := m.LoadCache(t.TempDir())
			return err
		}},
		{"initialised nothing", "the configuration is nil", func(*testing.T, *loader.Checkpoint, *model.Model) error {
			_, err := model.Init(nil, 1)
			return err
		}},
		{"initialised zeros", "architectures", func(*testing.T, *loader.Checkpoint, *model.Model) error {
			_, err := model.Init(&config.MambaConfig{}, 1)
			return err
		}},
		{"wrote nothing", "the configuration is nil", func(t *testing.T, _ *loader.Checkpoint, _ *model.Model) error {
			return convert.WriteHF(bg, filepath.Join(t.TempDir(), "w"), nil, nil, convert.Options{})
		}},
		{"wrote from nowhere", "has no Write", func(t *testing.T, ck *loader.Checkpoint, _ *model.Model) error {
			var sources []convert.Source
			for _, stored := range ck.Tensors() {
				sources = append(sources, convert.Source{Name: stored.Name, DType: stored.DType, Shape: stored.Shape})
			}
			return convert.WriteHF(bg, filepath.Join(t.TempDir(), "w"), ck.Config(), sources, convert.Options{})
		}},
		{"planned for nowhere", `layout "": expected one of`, func(_ *testing.T, ck *loader.Checkpoint, _ *model.Model) error {
			_, err := convert.NewPlan(ck, convert.Request{})
			return err
		}},
		{"fingerprint without a context", "the context is nil", func(_ *testing.T, ck *loader.Checkpoint, _ *model.Model) error {
			_, err := compare.Fingerprint(noContext, ck, loader.ReadOptions{})
			return err
		}},
		{"oracle without a cache", "is nil", func(_ *testing.T, ck *loader.Checkpoint, _ *model.Model) error {
			_, err := reference.Forward[float64](bg, ck, one, nil, last)
			return err
		}},
		{"wrote into a tensor", "written to, which are read-only", func(_ *testing.T, ck *loader.Checkpoint, _ *model.Model) error {
			return loader.Guard(func() error {
				ck.Tensors()[0].Data[0]++
				return nil
			})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ck, m := open(t, filepath.Join(fixtureDir, "mamba1/default"), model.Options{Threads: 2})
			err := test.call(t, ck, m)
			if test.want == "" && err == nil {
				return
			}
			if err == nil || test.want == "" || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that says %q", err, test.want)
			}
		})
	}
}

// TestClosed asks everything of a checkpoint, or of a model, that is closed.
func TestClosed(t *testing.T) {
	bg, one, last := context.Background(), model.Single([]int64{1, 2, 3}), model.Want{Logits: model.LogitsLast}
	type opened struct {
		ck, other *loader.Checkpoint
		m         *model.Model
		g         *model.Generator
		plan      *convert.Plan
		cache     *model.Cache
	}
	second := func(_ any, err error) error { return err }
	third := func(_, _ any, err error) error { return err }
	ofModel := map[string]func(t *testing.T, o *opened) error{
		"Forward":      func(_ *testing.T, o *opened) error { return second(o.m.Forward(bg, one, o.cache, last)) },
		"Stream":       func(_ *testing.T, o *opened) error { return o.m.Stream(bg, one, o.cache, last, nil) },
		"NewGenerator": func(_ *testing.T, o *opened) error { return second(o.m.NewGenerator(nil, model.Sampling{})) },
		"Next":         func(_ *testing.T, o *opened) error { return second(o.g.Next(bg)) },
		"Feed":         func(_ *testing.T, o *opened) error { return o.g.Feed(bg, []int64{1}) },
		"Snapshot":     func(_ *testing.T, o *opened) error { return second(o.g.Snapshot(bg)) },
		"NextOf":       func(_ *testing.T, o *opened) error { return second(o.g.NextOf(bg, []bool{true})) },
		"State":        func(_ *testing.T, o *opened) error { return third(o.g.State(bg)) },
		"SaveCache": func(t *testing.T, o *opened) error {
			return o.m.SaveCache(filepath.Join(t.TempDir(), "c"), o.cache, nil)
		},
		"LoadCache": func(t *testing.T, o *opened) error { return third(o.m.LoadCache(filepath.Join(t.TempDir(), "c"))) },
		"Changed":   func(_ *testing.T, o *opened) error { return o.m.Changed() },
	}
	ofCheckpoint := map[string]func(t *testing.T, o *opened) error{
		"New":       func(_ *testing.T, o *opened) error { return second(model.New(o.ck, model.Options{})) },
		"Check":     func(_ *testing.T, o *opened) error { return o.ck.Check() },
		"Changed":   func(_ *testing.T, o *opened) error { return o.ck.Changed() },
		"CheckSums": func(_ *testing.T, o *opened) error { return o.ck.CheckSums(bg) },
		"Hold":      func(_ *testing.T, o *opened) error { return o.ck.Hold() },
		"Binder":    func(_ *testing.T, o *opened) error { return loader.NewBinder(o.ck).Err() },
		"NewPlan": func(_ *testing.T, o *opened) error {
			return second(convert.NewPlan(o.ck, convert.Request{To: convert.HF}))
		},
		"Write": func(t *testing.T, o *opened) error {
			return o.plan.Write(bg, filepath.Join(t.TempDir(), "w"), convert.Options{})
		},
		"Verify": func(t *testing.T, o *opened) error { return o.plan.Verify(bg, t.TempDir(), loader.ReadOptions{}) },
		"Fingerprint": func(_ *testing.T, o *opened) error {
			return second(compare.Fingerprint(bg, o.ck, loader.ReadOptions{}))
		},
		"NonFinite": func(_ *testing.T, o *opened) error { return second(doctor.NonFinite(bg, o.ck, loader.ReadOptions{})) },
		"Diff": func(_ *testing.T, o *opened) error {
			return second(compare.Diff(bg, o.other, o.ck, loader.ReadOptions{}))
		},
		"receipt": func(_ *testing.T, o *opened) error {
			return second(compare.NewReceipt(bg, o.other, o.ck, compare.ReceiptOptions{}))
		},
		"oracle": func(_ *testing.T, o *opened) error {
			return second(reference.Forward(bg, o.ck, one, reference.NewCache[float64](o.ck.Config(), 1), last))
		},
	}
	run := func(name string, shut func(o *opened), calls map[string]func(*testing.T, *opened) error) {
		t.Run(name, func(t *testing.T) {
			o := &opened{}
			o.ck, o.m = open(t, filepath.Join(fixtureDir, "mamba1/default"), model.Options{Threads: 2})
			o.other, _ = open(t, filepath.Join(fixtureDir, "mamba1/default"), model.Options{Threads: 1})
			var errs [3]error
			o.cache = o.m.NewCache(1)
			o.g, errs[0] = o.m.NewGenerator(nil, model.Sampling{})
			o.plan, errs[1] = convert.NewPlan(o.ck, convert.Request{To: convert.HF})
			errs[2] = o.g.Feed(bg, []int64{1})
			if err := errors.Join(errs[:]...); err != nil {
				t.Fatal(err)
			}
			shut(o)
			for name, call := range calls {
				if err := call(t, o); !errors.Is(err, loader.ErrClosed) {
					t.Errorf("%s: %v, want ErrClosed", name, err)
				}
			}
			if name != "model" && (o.ck.Tensors() != nil || len(o.ck.Problems()) != 1) {
				t.Errorf("tensors %v, problems %v", o.ck.Tensors(), o.ck.Problems())
			}
			o.ck.ReadAhead()
			shut(o) // again
		})
	}
	run("model", func(o *opened) { o.m.Close() }, ofModel)
	run("checkpoint", func(o *opened) { o.ck.Close() }, ofCheckpoint)
	run("checkpoint of a model", func(o *opened) { o.ck.Close() }, ofModel)
}

// TestCloseMeanwhile closes model and checkpoint, from outside and from within, while many passes run. Those under way
// end with the right bits, and the others fail with ErrClosed.
func TestCloseMeanwhile(t *testing.T) {
	ids := slices.Repeat([]int64{5, 6, 7, 8}, 100)
	want := model.Want{Logits: model.LogitsLast}
	ck, m := open(t, filepath.Join(fixtureDir, "mamba1/default"), model.Options{Threads: 2})
	whole, err := m.Forward(context.Background(), model.Single(ids), m.NewCache(1), want)
	if err != nil {
		t.Fatal(err)
	}
	var running, begun sync.WaitGroup
	for range 8 {
		begun.Add(1)
		running.Go(func() {
			for first := true; ; first = false {
				out, err := m.Forward(context.Background(), model.Single(ids), m.NewCache(1), want)
				if first {
					begun.Done()
				}
				switch {
				case errors.Is(err, loader.ErrClosed):
					return
				case err != nil:
					t.Error(err)
					return
				case !slices.Equal(out.Logits, whole.Logits):
					t.Error("other bits than before Close")
				}
			}
		})
	}
	begun.Wait()
	err = m.Stream(context.Background(), model.Single(ids), m.NewCache(1), want, func(*model.Part) error {
		m.Close()
		return ck.Close()
	})
	if err != nil {
		t.Errorf("the pass that closed them: %v", err)
	}
	running.Wait()
}
