package imatrix

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/gguf"
)

// legacy builds a file of the older form: int and int32 become int32, strings their length and bytes, float32s and raw bytes
// themselves.
func legacy(parts ...any) []byte {
	var b []byte
	for _, part := range parts {
		switch p := part.(type) {
		case int:
			b = binary.LittleEndian.AppendUint32(b, uint32(int32(p)))
		case string:
			b = append(binary.LittleEndian.AppendUint32(b, uint32(len(p))), p...)
		case float64:
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(p)))
		case []byte:
			b = append(b, p...)
		}
	}
	return b
}

// modern builds a GGUF file.
func modern(t testing.TB, kvs []gguf.KV, tensors map[string][]float64) []byte {
	var entries []gguf.Entry
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		entries = append(entries, gguf.Entry{Name: name, Type: f32, Shape: []int{len(tensors[name])}})
	}
	head, offsets, total, err := gguf.Layout(kvs, entries)
	if err != nil {
		t.Fatal(err)
	}
	data := append(head, make([]byte, int(total)-len(head))...)
	for name, values := range tensors {
		copy(data[offsets[name]:], encode(values))
	}
	return data
}

func about() []gguf.KV {
	return []gguf.KV{{Key: typeKey, Value: gguf.Of("imatrix")}, {Key: datasetsKey, Value: gguf.ArrayOf([]string{"wiki.txt"})},
		{Key: chunksKey, Value: gguf.Of(uint32(3))}, {Key: chunkSizeKey, Value: gguf.Of(uint32(512))}}
}

func open(t testing.TB, data []byte) (*Matrix, error) {
	path := filepath.Join(t.TempDir(), "m")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := Open(path)
	if err == nil {
		t.Cleanup(func() { m.Close() })
	}
	return m, err
}

// TestForms reads the same importance from both forms, and from what gguf-py writes.
func TestForms(t *testing.T) {
	tensors := map[string][]float64{"a.in_sum2": {8, 4, 2, 1, 1, 1}, "a.counts": {2, 0, 1}, "b.in_sum2": {3}, "b.counts": {2}}
	for form, data := range map[string][]byte{
		"gguf-py": modern(t, append(about(), gguf.KV{Key: "general.architecture", Value: gguf.Of("")}), tensors),
		"gguf": modern(t, about(), map[string][]float64{
			"a.in_sum2": {8, 4, 2, 1, 1, 1}, "a.counts": {2, 0, 1}, "b.in_sum2": {3}, "b.counts": {2}, "a.in_sum": {1, 1, 1, 1, 1, 1}}),
		".dat": legacy(2, "a", 2, 6, 8.0, 4.0, 2.0, 2.0, 2.0, 2.0, "b", 0, 1, 1.5, 3, "wiki.txt"),
	} {
		m, err := open(t, data)
		if err != nil {
			t.Fatal(form, err)
		}
		if !slices.Equal(m.Datasets, []string{"wiki.txt"}) || m.Chunks != 3 || m.Len() != 2 {
			t.Errorf("%s: %+v, %d entries", form, m.About, m.Len())
		}
		want := map[string][]float32{"a": {4, 2, 1, 1, 1, 1}, "b": {1.5}}
		for name, values := range want {
			got, err := m.Importance(name, len(values), 1)
			if err != nil || !slices.Equal(got, values) {
				t.Errorf("%s: importance of %s is %v, want %v (%v)", form, name, got, values, err)
			}
		}
		if got, err := m.Importance("c", 1, 1); got != nil || err != nil {
			t.Errorf("%s: importance of a tensor that is not there: %v, %v", form, got, err)
		}
		if _, err := m.Importance("a", 4, 2); err == nil || !strings.Contains(err.Error(), "made for another model") {
			t.Errorf("%s: a tensor of another size: %v", form, err)
		}
	}
}

// TestWrite writes a file and reads it, and holds its bytes to their order.
func TestWrite(t *testing.T) {
	sums := map[string]Sums{
		"blk.0.ssm_in.weight":        {Squares: [][]float64{{1, 2, 3}}, Counts: []int{2}},
		"blk.0.ffn_down_exps.weight": {Squares: [][]float64{{4, 8}, {0, 0}}, Counts: []int{4, 0}},
	}
	path := filepath.Join(t.TempDir(), "out.gguf")
	want := About{Datasets: []string{"text"}, Chunks: 1, ChunkSize: 512}
	if err := Write(path, want, sums, atomicfile.Options{}); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var names []string
	for _, tensor := range f.Tensors() {
		names = append(names, tensor.Name)
	}
	if got := strings.Join(names, " "); got != "blk.0.ffn_down_exps.weight.in_sum2 blk.0.ffn_down_exps.weight.counts blk.0.ssm_in.weight.in_sum2 blk.0.ssm_in.weight.counts" {
		t.Error("tensors", got)
	}
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.ChunkSize != 512 || m.Chunks != 1 || !slices.Equal(m.Datasets, want.Datasets) {
		t.Errorf("%+v", m.About)
	}
	experts, err := m.Importance("blk.0.ffn_down_exps.weight", 2, 2)
	if err != nil || !slices.Equal(experts, []float32{1, 2, 1, 1}) {
		t.Error(experts, err)
	}
	in, err := m.Importance("blk.0.ssm_in.weight", 3, 1)
	if err != nil || !slices.Equal(in, []float32{0.5, 1, 1.5}) {
		t.Error(in, err)
	}
}

// malformed are files that are refused, and what is said.
func malformed(t testing.TB) map[string]struct {
	data []byte
	want string
} {
	one := func(kvs []gguf.KV, tensors map[string][]float64) []byte { return modern(t, kvs, tensors) }
	good := map[string][]float64{"a.in_sum2": {1}, "a.counts": {1}}
	return map[string]struct {
		data []byte
		want string
	}{
		"empty":           {nil, "it would have 0 entries in 0 bytes"},
		"text":            {[]byte("the cat sat on the mat"), "is not an importance matrix of llama.cpp"},
		"no entries":      {legacy(0, 0), "it would have 0 entries"},
		"too many":        {legacy(1<<30, "a", 1, 1, 1.0), "it would have 1073741824 entries in 21 bytes"},
		"negative":        {legacy(-1, "a", 1, 1, 1.0), "it would have -1 entries"},
		"long name":       {legacy(1, 1<<30, 1, 1, 1.0, 1, 1), "entry 1 of 1 does not fit the file"},
		"negative name":   {legacy(1, -5, 1, 1, 1.0, 1, 1), "entry 1 of 1 does not fit the file"},
		"long values":     {legacy(1, "a", 1, 1<<30, 1.0, 1, 1), "entry 1 of 1 does not fit the file"},
		"negative values": {legacy(1, "a", 1, -1, 1.0, 1, 1), "entry 1 of 1 does not fit the file"},
		"no values":       {legacy(1, "a", 1, 0, 1.0, 1, 1), `entry 1 of 1 has the name "a", 1 calls and 0 values`},
		"twice":           {legacy(2, "a", 1, 1, 1.0, "a", 1, 1, 1.0), `tensor "a": appears twice`},
		"cut":             {legacy(2, "a", 1, 6, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0), "entry 2 of 2 does not fit the file"},
		"cut end":         {legacy(1, "a", 1, 1, 1.0, []byte{1, 2}), "bytes that do not count calls"},
		"more":            {legacy(1, "a", 1, 1, 1.0, 1, "x", 7), "does not end with the file"},
		"model":           {one([]gguf.KV{{Key: "general.architecture", Value: gguf.Of("mamba")}}, good), "is a model, expected an importance matrix"},
		"no keys":         {one(nil, good), `key "imatrix.datasets": missing`},
		"no tensors":      {one(about(), nil), "holds no tensor's importance"},
		"no counts":       {one(about(), map[string][]float64{"a.in_sum2": {1}}), `does not have a tensor "a.counts" beside it`},
		"no sums":         {one(about(), map[string][]float64{"a.counts": {1}}), `does not have a tensor "a.in_sum2" beside it`},
		"odd":             {one(about(), map[string][]float64{"a.in_sum2": {1, 2, 3}, "a.counts": {1, 2}}), "has 3 sums for 2 counts"},
	}
}

func TestMalformed(t *testing.T) {
	for name, c := range malformed(t) {
		_, err := open(t, c.data)
		if bad, ok := errors.AsType[*badfile.FormatError](err); !ok || !strings.Contains(bad.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for name, values := range map[string][]float64{"NaN": {1, math.NaN()}, "+Inf": {1, math.Inf(1)}, "-1": {1, -1}} {
		for _, data := range [][]byte{
			modern(t, about(), map[string][]float64{"a.in_sum2": values, "a.counts": {1}}),
			modern(t, about(), map[string][]float64{"a.in_sum2": {1, 1}, "a.counts": values}),
			legacy(1, "a", 1, 2, values[0], values[1]),
		} {
			m, err := open(t, data)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.Importance("a", 2, 1); err == nil || !strings.Contains(err.Error(), "value 1 is "+name+", expected a finite sum") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// FuzzOpen feeds arbitrary files to the reader. It must not allocate out of proportion to the file.
func FuzzOpen(f *testing.F) {
	for _, c := range malformed(f) {
		f.Add(c.data)
	}
	f.Add(legacy(2, "a", 2, 3, 8.0, 4.0, 2.0, "b", 0, 1, 1.5, 3, "wiki.txt"))
	f.Add(modern(f, about(), map[string][]float64{"a.in_sum2": {8, 4}, "a.counts": {2}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m := &Matrix{path: "fuzz", entries: map[string]entry{}}
		var err error
		if bytes.HasPrefix(data, []byte("GGUF")) {
			err = m.readGGUF(data)
		} else {
			err = m.readLegacy(data)
		}
		for name, e := range m.entries {
			if err == nil {
				m.Importance(name, len(e.sums)/4, 1)
			}
		}
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 1<<20+32*uint64(len(data)) {
			t.Fatalf("%d bytes allocated for a file of %d", spent, len(data))
		}
	})
}
