package importance_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/gomamba/gomamba/internal/imatrix"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/model/importance"
)

// TestTransformers holds the importance of every matrix of three families to what hooks in transformers saw.
func TestTransformers(t *testing.T) {
	text, err := os.ReadFile("testdata/transformers.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		IDs   []int64
		Means map[string]map[string][]float64
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	for fixture, means := range want.Means {
		m := measured(t, filepath.Join("../../fixtures", fixture), want.IDs)
		if m.Len() != len(means) || m.Chunks != 3 || m.ChunkSize != 16 {
			t.Errorf("%s: %d entries of %+v, want %d", fixture, m.Len(), m.About, len(means))
		}
		for name, want := range means {
			cols := columns(m, name)
			values, err := m.Importance(name, cols, 1)
			if err != nil || len(values) == 0 {
				t.Fatalf("%s: %s: %v, %v", fixture, name, values, err)
			}
			mean := 0.0
			for _, v := range values {
				mean += float64(v) / float64(cols)
			}
			got := []float64{mean}
			for _, v := range values[:len(want)-1] {
				got = append(got, float64(v))
			}
			for i, v := range got {
				if math.Abs(v-want[i]) > 1e-5*want[0] {
					t.Errorf("%s: %s: mean square %d is %g, of transformers %g", fixture, name, i, v, want[i])
				}
			}
		}
	}
}

// columns finds how many columns an entry has.
func columns(m *imatrix.Matrix, name string) int {
	for n := 1; n < 1<<12; n++ {
		if _, err := m.Importance(name, n, 1); err == nil {
			return n
		}
	}
	return 0
}

// measured runs a model over tokens that come in uneven pieces.
func measured(t *testing.T, path string, ids []int64) *imatrix.Matrix {
	t.Helper()
	ck, err := loader.Open(path, loader.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	m, err := model.New(ck, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	c := importance.NewCollector(m, 16)
	for _, piece := range [][]int64{ids[:5], ids[5:5], ids[5:39], ids[39:]} {
		if err := c.Add(context.Background(), piece); err != nil {
			t.Fatal(err)
		}
	}
	dst := filepath.Join(t.TempDir(), "m")
	if err := c.Write(context.Background(), dst, "text"); err != nil {
		t.Fatal(err)
	}
	if c.Tokens() != int64(len(ids)) {
		t.Errorf("%d tokens, want %d", c.Tokens(), len(ids))
	}
	measured, err := imatrix.Open(dst)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { measured.Close() })
	return measured
}
