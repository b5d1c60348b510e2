package parity_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/internal/safetensors/safetensorstest"
	"github.com/gomamba/gomamba/model/parity"
	"github.com/gomamba/gomamba/tensor"
)

// TestCountedPadding explains keys for which the padding on the left was counted, as transformers does without position_ids, and
// no other keys.
func TestCountedPadding(t *testing.T) {
	dir := filepath.Join(fixtureDir, "granite", "rope")
	for _, c := range []struct {
		more float64 // positions beyond the padding
		want string
	}{{0, "pass position_ids=(attention_mask.cumsum(-1) - 1).clamp(min=0)"}, {1, ""}} {
		r := verify(t, dir, turned(t, filepath.Join(dir, "ref-leftpad.safetensors"), c.more), nil)
		if r.Verdict != parity.Different || !strings.Contains(r.Hint, c.want) || (c.want == "") != (r.Hint == "") {
			t.Errorf("%s, explained by %q, want %q", r.Verdict, r.Hint, c.want)
		}
	}
}

// turned copies a dump of granite/rope with its keys turned by the padding of each sequence, and more.
func turned(t *testing.T, from string, more float64) string {
	t.Helper()
	f, err := safetensors.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tensors := slices.Clone(f.Tensors())
	mask, _ := f.Tensor(dump.AttentionMask)
	pads := make([]float64, mask.Shape[0])
	for seq := range pads {
		row := mask.Data[seq*len(mask.Data)/len(pads):][:len(mask.Data)/len(pads)]
		for ; row[0] == 0; row = row[8:] {
			pads[seq]++
		}
	}
	for n, w := range tensors {
		if w.Name != dump.State(dump.KeyStates, 1) {
			continue
		}
		values, dim := make([]float32, w.Elems()), w.Shape[3]
		tensor.WidenF32(values, w.DType, w.Data)
		for i := range values {
			j := i % dim
			if j >= dim/2 {
				continue
			}
			sin, cos := math.Sincos((pads[i/(len(values)/len(pads))] + more) * math.Pow(500, -2*float64(j)/float64(dim)))
			x, y := float64(values[i]), float64(values[i+dim/2])
			values[i], values[i+dim/2] = float32(x*cos-y*sin), float32(y*cos+x*sin)
		}
		tensors[n].Data = make([]byte, len(w.Data))
		tensor.NarrowF32(tensors[n].Data, w.DType, values)
	}
	path := filepath.Join(t.TempDir(), "turned.safetensors")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(safetensorstest.Write(file, tensors, nil), file.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}
