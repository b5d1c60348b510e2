package convert_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/model/reference"
	"github.com/gomamba/gomamba/tensor"
)

// TestSchemes holds weights that other programs have quantized to what these programs make of them, in every bit, and the network
// to that of the same values in float32, for one token and for many, and to the oracle.
func TestSchemes(t *testing.T) {
	const folder = "../fixtures/schemes"
	var manifest struct{ Values map[string]map[string]string }
	text, err := os.ReadFile(filepath.Join(folder, "manifest.json"))
	if err == nil {
		err = json.Unmarshal(text, &manifest)
	}
	if err != nil || len(manifest.Values) < 20 {
		t.Fatal(len(manifest.Values), err)
	}
	for _, name := range slices.Sorted(maps.Keys(manifest.Values)) {
		t.Run(name, func(t *testing.T) {
			src := filepath.Join(folder, name)
			ck := openFixture(t, src)
			if err := ck.Check(); err != nil {
				t.Fatal(err)
			}
			coded := 0
			for _, x := range ck.Tensors() {
				if x.DType != tensor.Coded {
					continue
				}
				coded++
				values := tensor.Float32s(x)
				if sum := sha256.Sum256(tensor.Bytes(values)); hex.EncodeToString(sum[:]) != manifest.Values[name][x.Name] {
					t.Errorf("%s: other values than the scheme's own program has", x.Name)
				}
				anyPart(t, x, values)
			}
			if coded == 0 || coded != len(manifest.Values[name]) {
				t.Errorf("%d quantized weights, want %d", coded, len(manifest.Values[name]))
			}
			wide := openFixture(t, converted(t, src, filepath.Join(t.TempDir(), "wide"), convert.Request{To: convert.HF, DType: tensor.F32}))
			for _, tokens := range []int{1, 37} {
				if got, want := run(t, ck, tokens), run(t, wide, tokens); !slices.Equal(got, want) {
					t.Errorf("%d tokens: other logits than from the values in float32", tokens)
				}
			}
			if got, want := oracle(t, ck), oracle(t, wide); !slices.Equal(got, want) {
				t.Error("the oracle has other logits than from the values in float32")
			}
		})
	}
}

// anyPart checks that a part of a tensor has the values of the whole.
func anyPart(t *testing.T, x tensor.Tensor, values []float32) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		first := rng.IntN(len(values))
		part := make([]float32, 1+rng.IntN(min(700, len(values)-first)))
		x.Piece(first, first+len(part)).Widen32(part)
		if !slices.Equal(part, values[first:first+len(part)]) {
			t.Errorf("%s: elements %d to %d are others by themselves", x.Name, first, first+len(part)-1)
		}
	}
}

func someTokens(n int) model.Batch {
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = int64(i*7%31 + 1)
	}
	return model.Single(ids)
}

func run(t *testing.T, ck *loader.Checkpoint, tokens int) []float32 {
	t.Helper()
	m, err := model.New(ck, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	out, err := m.Forward(context.Background(), someTokens(tokens), m.NewCache(1), model.Want{Logits: model.LogitsAll})
	if err != nil {
		t.Fatal(err)
	}
	return out.Logits
}

func oracle(t *testing.T, ck *loader.Checkpoint) []float64 {
	t.Helper()
	cache := reference.NewCache[float64](ck.Config(), 1)
	out, err := reference.Forward(context.Background(), ck, someTokens(5), cache, model.Want{Logits: model.LogitsAll})
	if err != nil {
		t.Fatal(err)
	}
	return out.Logits
}
