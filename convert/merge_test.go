package convert_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/model/parity"
	"github.com/gomamba/gomamba/tensor"
)

// adapters are those of fixtures/adapters, with the fixture that each is for.
var adapters = map[string]string{
	"mamba1-patterns": "mamba1/default", "mamba1-dora": "mamba1/default", "mamba1-saved": "mamba1/default", "mamba1-parameters": "mamba1/default",
	"falcon-tokens": "falcon/default", "mamba2-linear": "mamba2/groups4", "nemotron-experts": "nemotron/moe", "granite-all": "granite/moe",
}

func openAdapted(t *testing.T, base, adapter string) *loader.Checkpoint {
	t.Helper()
	ck, err := loader.Open(base, loader.Options{Adapter: adapter})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ck.Close() })
	return ck
}

// agrees holds a checkpoint's logits and hidden states to those that PEFT's merged model computed.
func agrees(t *testing.T, ck *loader.Checkpoint, file string) {
	t.Helper()
	m, err := model.New(ck, model.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ref, err := parity.OpenReference(file)
	if err != nil {
		t.Fatal(err)
	}
	defer ref.Close()
	report, err := parity.Verify(context.Background(), ck, m, ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !report.Passed || len(report.NotCompared) > 0 || len(report.Tensors) < 3 {
		t.Errorf("%s: %s %s, %d tensors, not compared %v", ck.Path(), report.Verdict, report.Reason, len(report.Tensors), report.NotCompared)
	}
}

// TestMergeAsPEFT runs each adapter unmerged and merged, which must agree with PEFT's float32 merge to rounding, and holds the merged
// weights to its bits: all of LoRA, except that PyTorch multiplies a matrix of one row in another way. The norms of DoRA are sums
// in another order.
func TestMergeAsPEFT(t *testing.T) {
	for name, base := range adapters {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("../fixtures/adapters", name)
			ck := openAdapted(t, filepath.Join("../fixtures", base), dir)
			agrees(t, ck, filepath.Join(dir, "merged.safetensors"))
			plan, err := convert.NewPlan(ck, convert.Request{To: convert.HF, DType: tensor.F32})
			if err != nil {
				t.Fatal(err)
			}
			dst := filepath.Join(t.TempDir(), "merged")
			if err := plan.Write(context.Background(), dst, convert.Options{Threads: 2}); err != nil {
				t.Fatal(err)
			}
			merged := openFixture(t, dst)
			agrees(t, merged, filepath.Join(dir, "merged.safetensors"))
			sameBits(t, ck, merged, filepath.Join(dir, "merged.json"))
		})
	}
}

// sameBits compares the weights that PEFT changed with what was written, and the others with the base model's.
func sameBits(t *testing.T, before, after *loader.Checkpoint, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	base, bind := loader.NewBinder(before).Unadapted(), loader.NewBinder(after)
	wholes, err := names.InHF(before.Config())
	if err != nil {
		t.Fatal(err)
	}
	changed := 0
	for _, w := range wholes {
		if _, moved := want[w.Name]; w.Optional && !moved {
			continue
		}
		var got, was []byte
		for _, spec := range w.Parts {
			got, was = append(got, bind.Take(spec.Name).Data...), append(was, tensor.Bytes(tensor.Float32s(base.Take(spec.Name)))...)
		}
		name := names.ToHF(before.Config(), w.Name)
		sum, moved := want[name]
		if !moved {
			sum = hash(was)
		} else {
			changed++
		}
		inexact := moved && (strings.Contains(file, "dora") || strings.Contains(file, "granite") && strings.HasSuffix(name, "conv1d.weight"))
		if !inexact && hash(got) != sum {
			t.Errorf("%s has other bits", name)
		}
	}
	if changed != len(want) || base.Err() != nil || bind.Err() != nil {
		t.Errorf("%d of %d weights changed, %v, %v", changed, len(want), base.Err(), bind.Err())
	}
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// TestMergeAnyLayout merges into a GGUF file, and a base model that is one: the same weights as through folders.
func TestMergeAnyLayout(t *testing.T) {
	dir, base := "../fixtures/adapters/mamba1-patterns", "../fixtures/mamba1/default"
	file := converted(t, base, filepath.Join(t.TempDir(), "base.gguf"), convert.Request{To: convert.GGUF})
	ck := openAdapted(t, file, dir)
	agrees(t, ck, filepath.Join(dir, "merged.safetensors"))
	for _, to := range []convert.Layout{convert.GGUF, convert.Original} {
		plan, err := convert.NewPlan(ck, convert.Request{To: to})
		if err != nil {
			t.Fatal(err)
		}
		dst := filepath.Join(t.TempDir(), "merged.gguf")
		if err := plan.Write(context.Background(), dst, convert.Options{}); err != nil {
			t.Fatal(err)
		}
		if err := plan.Verify(context.Background(), dst, loader.ReadOptions{}); err != nil {
			t.Fatal(err)
		}
		agrees(t, openFixture(t, dst), filepath.Join(dir, "merged.safetensors"))
	}
}
