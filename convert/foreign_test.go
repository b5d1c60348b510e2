package convert_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/compare"
	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/loader"
)

// TestForeignFalconH1 reads what llama.cpp's converter writes: the multipliers cannot come back, and the model computes the same.
func TestForeignFalconH1(t *testing.T) {
	const source = "../fixtures/falcon_h1/norm"
	own := converted(t, source, place(t, convert.GGUF), convert.Request{To: convert.GGUF})
	foreign := without(t, own, nil)
	ck := openFixture(t, foreign)
	if err := ck.Check(); err != nil {
		t.Fatal(err)
	}
	plan, err := convert.NewPlan(ck, convert.Request{To: convert.HF})
	if err != nil {
		t.Fatal(err)
	}
	if notes := strings.Join(plan.Notes, "\n"); !strings.Contains(notes, "the file does not say what they were: all are written as 1") {
		t.Errorf("notes %q", notes)
	}
	home := filepath.Join(t.TempDir(), "home")
	if err := plan.Write(t.Context(), home, convert.Options{}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(home, "config.json"))
	if err != nil || !strings.Contains(string(text), `"key_multiplier": 1.0`) {
		t.Errorf("config.json %s, %v", text, err)
	}
	d, err := compare.Diff(t.Context(), openFixture(t, own), ck, loader.ReadOptions{})
	if err != nil || !d.Identical {
		t.Errorf("another model: %+v, %v", d, err)
	}
}

// TestForeignBamba reads what llama.cpp's converter writes, which interleaves whole heads of queries and keys.
func TestForeignBamba(t *testing.T) {
	const source = "../fixtures/bamba/default"
	own := converted(t, source, place(t, convert.GGUF), convert.Request{To: convert.GGUF})
	foreign := without(t, own, func(x *gguf.Tensor) {
		heads := map[bool]int{strings.Contains(x.Name, "attn_q."): 2, strings.Contains(x.Name, "attn_k."): 1}[true]
		if heads == 0 {
			return
		}
		head, size := x.Shape[0]/heads, len(x.Data)/x.Shape[0]
		rows := slices.Clone(x.Data)
		row := func(i, turned int) int { // of Hugging Face's files, of row i of a file in which so many rows of a head are interleaved
			if i%head >= turned {
				return i
			}
			return i - i%head + i%head/2 + i%2*(turned/2)
		}
		plain := make([]byte, len(rows))
		for i := range x.Shape[0] {
			copy(plain[row(i, head/2)*size:][:size], x.Data[i*size:])
		}
		for i := range x.Shape[0] {
			copy(rows[i*size:][:size], plain[row(i, head)*size:])
		}
		x.Data = rows
	})
	d, err := compare.Diff(t.Context(), openFixture(t, source), openFixture(t, foreign), loader.ReadOptions{})
	if err != nil || !d.Identical {
		t.Errorf("another model: %+v, %v", d, err)
	}
	again := converted(t, foreign, place(t, convert.GGUF), convert.Request{To: convert.GGUF})
	if d, err = compare.Diff(t.Context(), openFixture(t, source), openFixture(t, again), loader.ReadOptions{}); err != nil || !d.Identical {
		t.Errorf("another model after a copy: %+v, %v", d, err)
	}
}

// without copies a GGUF file without our own key, with other tensors.
func without(t *testing.T, path string, change func(*gguf.Tensor)) string {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	kvs := slices.DeleteFunc(slices.Clone(f.KVs()), func(kv gguf.KV) bool { return kv.Key == "gomamba.config" })
	tensors := slices.Clone(f.Tensors())
	for i := range tensors {
		if change != nil {
			change(&tensors[i])
		}
	}
	foreign := filepath.Join(t.TempDir(), "foreign.gguf")
	writeGGUF(t, foreign, kvs, tensors)
	return foreign
}
