package model_test

import (
	"context"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/numcheck"
	"github.com/gomamba/gomamba/model"
)

// bits is everything a pass over one sequence gives, in an order that does not depend on how it was cut.
type bits struct {
	logits []float32
	hidden [][]float32
	cache  *model.Cache
	row    int // of the cache
}

func (a *bits) same(b *bits) bool {
	equal := func(x, y []float32) bool {
		return slices.EqualFunc(x, y, func(p, q float32) bool { return math.Float32bits(p) == math.Float32bits(q) })
	}
	all := equal(a.logits, b.logits) && len(a.hidden) == len(b.hidden)
	for i := range a.hidden {
		all = all && equal(a.hidden[i], b.hidden[i])
	}
	return all && slices.EqualFunc(statesOf(a.cache, a.row), statesOf(b.cache, b.row), equal)
}

// inPieces runs ids in pieces of the given lengths, the cache going from one to the next through between.
func inPieces(t *testing.T, m *model.Model, ids []int64, lengths []int, between func(*model.Cache) *model.Cache) *bits {
	t.Helper()
	r := &bits{cache: m.NewCache(1), hidden: make([][]float32, m.Config().Shared().NumHiddenLayers+1)}
	for _, n := range lengths {
		out, err := m.Forward(context.Background(), model.Single(ids[:n]), r.cache, everything)
		if err != nil {
			t.Fatal(err)
		}
		ids = ids[n:]
		r.logits = append(r.logits, out.Logits...)
		for i, h := range out.HiddenStates {
			r.hidden[i] = append(r.hidden[i], h...)
		}
		r.cache = between(r.cache)
	}
	return r
}

func keep(c *model.Cache) *model.Cache { return c }

// variety are fixtures whose shapes take different routes through the kernels: sizes that are and are not multiples
// of the blocks, stored types, biases, kernels.
var variety = []string{
	"mamba1/default", "mamba1/oddstate", "mamba1/bf16", "mamba1/f16", "mamba1/usebias", "mamba1/conv3",
	"mamba1/noconvbias", "mamba1/sharded", "falcon/default", "falcon/odd", "falcon/sharded",
	"mamba2/default", "mamba2/groups4", "mamba2/groups8", "mamba2/limit", "mamba2/odd", "mamba2/published", "mamba2/sharded",
	"nemotron/dense", "nemotron/latent", "nemotron/bias", "nemotron/sharded", "granite/moe", "granite/rope", "granite/attentionmoe",
	"jamba/dense", "jamba/moe",
	"falcon_h1/tied", "falcon_h1/norm", "falcon_h1/bias", "bamba/default", "bamba/bias",
	"mambassm/mamba2attn", "mambassm/options", "mamba3/siso", "mamba3/mimo", "mamba3/options", "mamba3/mimonorm",
	"zamba/default", "zamba2/blocks", "zamba2/adapters", "zamba2/untied",
}

// TestOneBitPattern cuts prompts everywhere, steps them token by token, changes threads, and takes the cache through a
// file: always the same bits.
func TestOneBitPattern(t *testing.T) {
	for _, name := range variety {
		_, m := open(t, filepath.Join(fixtureDir, name), model.Options{Threads: 2})
		const tokens = 23
		ids := someIDs(m, tokens, 5)
		whole := inPieces(t, m, ids, []int{tokens}, keep)
		file := filepath.Join(t.TempDir(), "cache.safetensors")
		throughFile := func(c *model.Cache) *model.Cache {
			if err := m.SaveCache(file, c, nil); err != nil {
				t.Fatal(err)
			}
			back, _, err := m.LoadCache(file)
			if err != nil {
				t.Fatal(err)
			}
			return back
		}
		check := func(what string, got *bits) {
			t.Helper()
			if !got.same(whole) {
				t.Errorf("%s, %s: other bits than whole", name, what)
			}
		}
		for cut := 1; cut < tokens; cut++ {
			check("two pieces", inPieces(t, m, ids, []int{cut, tokens - cut}, keep))
		}
		check("token by token", inPieces(t, m, ids, slices.Repeat([]int{1}, tokens), keep))
		check("cloned caches", inPieces(t, m, ids, []int{2, 9, 12}, (*model.Cache).Clone))
		check("cache through a file", inPieces(t, m, ids, []int{1, 5, 17}, throughFile))
		for _, threads := range []int{1, 3, 8} {
			_, other := open(t, filepath.Join(fixtureDir, name), model.Options{Threads: threads})
			check("other number of threads", inPieces(t, other, ids, []int{tokens}, keep))
		}
	}
}

// TestLongPromptInWindows crosses the boundaries of the windows that long prompts are worked in.
func TestLongPromptInWindows(t *testing.T) {
	for _, name := range []string{"mamba1/default", "nemotron/moe", "granite/attentionmoe"} {
		_, m := open(t, filepath.Join(fixtureDir, name), model.Options{})
		ids := someIDs(m, 600, 3)
		whole := inPieces(t, m, ids, []int{600}, keep)
		if !inPieces(t, m, ids, []int{255, 1, 2, 300, 42}, keep).same(whole) {
			t.Errorf("%s, 600 tokens in pieces: other bits than whole", name)
		}
	}
}

// TestBatchIsItsRowsAlone runs rows of different lengths side by side, padded left and right, and in pieces in
// some of which a row has no token.
func TestBatchIsItsRowsAlone(t *testing.T) {
	for _, name := range variety {
		_, m := open(t, filepath.Join(fixtureDir, name), model.Options{})
		const width = 17
		starts, lengths := []int{3, 0, 12, 5}, []int{14, 17, 5, 4} // the last row is padded on both sides
		b := model.Batch{Sequences: len(starts), Tokens: width, IDs: make([]int64, len(starts)*width), Mask: make([]int64, len(starts)*width)}
		var alone []*bits
		for row, n := range lengths {
			ids := someIDs(m, n, row)
			alone = append(alone, inPieces(t, m, ids, []int{n}, keep))
			copy(b.IDs[row*width+starts[row]:], ids)
			for i := range n {
				b.Mask[row*width+starts[row]+i] = 1
			}
		}
		out, cache := forward(t, m, b, everything)
		cut := m.NewCache(b.Sequences)
		for from := 0; from < width; from += 6 {
			if _, err := m.Forward(context.Background(), columns(b, from, min(from+6, width)), cut, model.Want{}); err != nil {
				t.Fatal(err)
			}
		}
		last, _ := forward(t, m, b, model.Want{Logits: model.LogitsLast})
		D, V := m.Config().Shared().HiddenSize, m.Config().Shared().VocabSize
		for row, n := range lengths {
			at := row*width + starts[row]
			got := &bits{logits: out.Logits[at*V:][:n*V], cache: cache, row: row}
			for _, h := range out.HiddenStates {
				got.hidden = append(got.hidden, h[at*D:][:n*D])
			}
			if !got.same(alone[row]) {
				t.Errorf("%s, row %d of a batch: other bits than alone", name, row)
			}
			got.cache = cut
			if !got.same(alone[row]) {
				t.Errorf("%s, row %d of a batch in pieces: other states than alone", name, row)
			}
			if !slices.Equal(last.Logits[row*V:][:V], alone[row].logits[(n-1)*V:]) {
				t.Errorf("%s, row %d: last logits are not those of its last token", name, row)
			}
		}
	}
}

// columns returns the positions from to to of a batch.
func columns(b model.Batch, from, to int) model.Batch {
	c := model.Batch{Sequences: b.Sequences, Tokens: to - from}
	for row := range b.Sequences {
		c.IDs = append(c.IDs, b.IDs[row*b.Tokens:][from:to]...)
		c.Mask = append(c.Mask, b.Mask[row*b.Tokens:][from:to]...)
	}
	return c
}

// statesOf returns the states of one sequence, layer by layer; of keys and values those of each head apart, without the zeros
// before them.
func statesOf(c *model.Cache, row int) (all [][]float32) {
	for l := range c.Layers() {
		for _, s := range c.States(l) {
			size := len(s.Values) / c.Sequences
			values := s.Values[row*size:][:size]
			if s.Name != dump.KeyStates && s.Name != dump.ValueStates {
				all = append(all, values)
				continue
			}
			for head := range slices.Chunk(values, s.Shape[2]*s.Shape[3]) {
				all = append(all, head[(s.Shape[2]-c.Tokens()[row])*s.Shape[3]:])
			}
		}
	}
	return all
}

// TestParallelScan holds the scan that is divided by time to the sequential one, to rounding, and to its own bits: however a
// prompt is cut, beside others, on any number of threads, and through a file.
func TestParallelScan(t *testing.T) {
	for _, name := range []string{"mamba1/default", "mamba1/oddstate", "falcon/odd", "mamba2/groups4", "mamba2/odd", "nemotron/moe", "granite/dense", "zamba/default"} {
		path := filepath.Join(fixtureDir, name)
		_, sequential := open(t, path, model.Options{})
		_, m := open(t, path, model.Options{Threads: 3, ParallelScan: true})
		const tokens = 150
		ids := someIDs(m, tokens, 1)
		whole := inPieces(t, m, ids, []int{tokens}, keep)
		if r, err := numcheck.Compare(whole.logits, inPieces(t, sequential, ids, []int{tokens}, keep).logits, nil); err != nil || r.MaxRel > 2e-5 {
			t.Errorf("%s: logits differ from the sequential scan's by %.3g of the largest (%v)", name, r.MaxRel, err)
		}
		check := func(what string, got *bits) {
			t.Helper()
			if !got.same(whole) {
				t.Errorf("%s, %s: other bits than whole", name, what)
			}
		}
		for _, cut := range []int{1, 63, 64, 65, 130} {
			check("two pieces", inPieces(t, m, ids, []int{cut, tokens - cut}, keep))
		}
		check("token by token", inPieces(t, m, ids, slices.Repeat([]int{1}, tokens), keep))
		check("cloned caches", inPieces(t, m, ids, []int{30, 40, 80}, (*model.Cache).Clone))
		file := filepath.Join(t.TempDir(), "cache.safetensors")
		check("cache through a file", inPieces(t, m, ids, []int{64, 20, 66}, func(c *model.Cache) *model.Cache {
			if err := m.SaveCache(file, c, nil); err != nil {
				t.Fatal(err)
			}
			back, _, err := m.LoadCache(file)
			if err != nil {
				t.Fatal(err)
			}
			return back
		}))
		_, single := open(t, path, model.Options{Threads: 1, ParallelScan: true})
		check("one thread", inPieces(t, single, ids, []int{tokens}, keep))

		// Beside another sequence, whose blocks begin elsewhere.
		const short = 90
		b := model.Batch{Sequences: 2, Tokens: tokens, IDs: slices.Repeat(ids, 2), Mask: slices.Repeat([]int64{1}, 2*tokens)}
		clear(b.Mask[tokens : 2*tokens-short])
		out, cache := forward(t, m, b, everything)
		for row, alone := range []*bits{whole, inPieces(t, m, ids[tokens-short:], []int{short}, keep)} {
			V, D, from, to := m.Config().Shared().VocabSize, m.Config().Shared().HiddenSize, row*(2*tokens-short), (row+1)*tokens
			got := &bits{logits: out.Logits[from*V : to*V], cache: cache, row: row}
			for _, h := range out.HiddenStates {
				got.hidden = append(got.hidden, h[from*D:to*D])
			}
			if !got.same(alone) {
				t.Errorf("%s, row %d of a batch: other bits than alone", name, row)
			}
		}
	}
}

// TestMemoryDoesNotGrowWithThePrompt runs a long prompt after a short one. Held in memory, its logits and hidden states
// alone would take 30 MB.
func TestMemoryDoesNotGrowWithThePrompt(t *testing.T) {
	_, m := open(t, filepath.Join(fixtureDir, "mamba1/default"), model.Options{})
	heap := func(tokens int) uint64 {
		err := m.Stream(context.Background(), model.Single(someIDs(m, tokens, 2)), m.NewCache(1), everything, nil)
		if err != nil {
			t.Fatal(err)
		}
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapSys
	}
	short := heap(1000)
	if long := heap(25_000); long > short+8<<20 {
		t.Errorf("the heap takes %d bytes for 1,000 tokens and %d for 25,000", short, long)
	}
}
