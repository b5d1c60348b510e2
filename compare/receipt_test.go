package compare_test

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/compare"
	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/tensor"
)

// receiptOf converts the default fixture to GGUF and makes the receipt.
func receiptOf(t *testing.T, dtype tensor.DType, batch *model.Batch) *compare.Receipt {
	t.Helper()
	src := openFixture(t, "../fixtures/mamba1/default")
	plan, err := convert.NewPlan(src, convert.Request{To: convert.GGUF, DType: dtype})
	if err != nil {
		t.Fatal(err)
	}
	dst := filepath.Join(t.TempDir(), "x.gguf")
	if err := plan.Write(context.Background(), dst, convert.Options{}); err != nil {
		t.Fatal(err)
	}
	r, err := compare.NewReceipt(context.Background(), src, openFixture(t, dst), compare.ReceiptOptions{Batch: batch, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestReceiptOfLossless is the receipt of a conversion that only changes names, A_log included: the network uses A.
func TestReceiptOfLossless(t *testing.T) {
	r := receiptOf(t, 0, nil)
	if len(r.Tensors) != 0 || r.Same != 42 || r.Logits.Tokens != 64 || r.Logits.MaxAbs != 0 || r.Logits.MaxRel != 0 ||
		r.Logits.MaxKL != 0 || r.Logits.SameTop != 1 {
		t.Errorf("%+v", r)
	}
}

// TestReceiptOfQuantized checks errors against what the formats can do, and logits against a computation of its own.
func TestReceiptOfQuantized(t *testing.T) {
	ids := []int64{5, 6, 7, 8, 9}
	batch := model.Batch{Sequences: 2, Tokens: 4, IDs: []int64{0, 0, 5, 6, 7, 8, 9, 10}, Mask: []int64{0, 0, 1, 1, 1, 1, 1, 1}}
	r := receiptOf(t, tensor.Q8_0, &batch)
	if r.Same != 25 || len(r.Tensors) != 17 || r.Logits.Tokens != 6 {
		t.Errorf("%d same, %d changed, %d tokens", r.Same, len(r.Tensors), r.Logits.Tokens)
	}
	for _, l := range r.Tensors {
		step := 0.5 / 127 * 1.13 // half a step of the largest block, and the rounding of its scale
		if strings.HasSuffix(l.Name, "dt_proj.weight") {
			step = 0x1p-11
			if l.To != "F16" {
				t.Errorf("%s became %s", l.Name, l.To)
			}
		}
		if l.From != "F32" || float64(l.MaxRel) > step || l.MaxRel == 0 || l.RMSRel <= 0 || l.RMSRel > 0.02 {
			t.Errorf("%+v", l)
		}
	}
	batch = model.Single(ids)
	l := receiptOf(t, tensor.BF16, &batch).Logits
	before, after := logits(t, 0, ids), logits(t, tensor.BF16, ids)
	worst, kl, worstKL, same := 0.0, 0.0, 0.0, 0.0
	for at := range before {
		p, q := softmax(before[at]), softmax(after[at])
		sum, topP, topQ := 0.0, 0, 0
		for i := range p {
			worst = max(worst, math.Abs(float64(before[at][i])-float64(after[at][i])))
			sum += p[i] * math.Log(p[i]/q[i])
			if p[i] > p[topP] {
				topP = i
			}
			if q[i] > q[topQ] {
				topQ = i
			}
		}
		kl, worstKL = kl+sum/float64(len(before)), max(worstKL, sum)
		if topP == topQ {
			same += 1 / float64(len(before))
		}
	}
	for _, c := range []struct{ got, want float64 }{
		{float64(l.MaxAbs), worst}, {float64(l.MeanKL), kl}, {float64(l.MaxKL), worstKL}, {float64(l.SameTop), same},
	} {
		if math.Abs(c.got-c.want) > 1e-9*c.want {
			t.Errorf("%+v: %v, want %v", l, c.got, c.want)
		}
	}
}

// logits runs the default fixture in another dtype, all at once.
func logits(t *testing.T, dtype tensor.DType, ids []int64) [][]float32 {
	t.Helper()
	path := "../fixtures/mamba1/default"
	if dtype != 0 {
		plan, err := convert.NewPlan(openFixture(t, path), convert.Request{To: convert.GGUF, DType: dtype})
		if err != nil {
			t.Fatal(err)
		}
		path = filepath.Join(t.TempDir(), "x.gguf")
		if err := plan.Write(context.Background(), path, convert.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	m, err := model.New(openFixture(t, path), model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	out, err := m.Forward(context.Background(), model.Single(ids), m.NewCache(1), model.Want{Logits: model.LogitsAll})
	if err != nil {
		t.Fatal(err)
	}
	rows := make([][]float32, len(ids))
	for i := range rows {
		rows[i] = out.Logits[i*len(out.Logits)/len(ids):][:len(out.Logits)/len(ids)]
	}
	return rows
}

func softmax(v []float32) []float64 {
	p, sum := make([]float64, len(v)), 0.0
	for i, x := range v {
		p[i] = math.Exp(float64(x))
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

func TestReceiptRefusals(t *testing.T) {
	a, b := openFixture(t, "../fixtures/mamba1/default"), openFixture(t, "../fixtures/mamba1/bf16")
	if _, err := compare.NewReceipt(context.Background(), a, b, compare.ReceiptOptions{Threads: 1}); err == nil || !strings.Contains(err.Error(), "before the conversion and") {
		t.Error(err)
	}
	far := model.Single([]int64{1 << 40})
	if _, err := compare.NewReceipt(context.Background(), a, a, compare.ReceiptOptions{Batch: &far, Threads: 1}); err == nil || !strings.Contains(err.Error(), "out of range") {
		t.Error(err)
	}
}
