package torchbin

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/tensor"
	"github.com/google/go-cmp/cmp"
)

// fixture returns the bytes of a file that torch wrote.
func fixture(t testing.TB, name string) []byte {
	data, err := os.ReadFile(filepath.Join("testdata", name+".bin"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// ramp returns 1, 2, 3, ... as the fixtures hold them.
func ramp(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = float64(i + 1)
	}
	return v
}

// numbers returns the elements of any tensor.
func numbers(x tensor.Tensor) []float64 {
	v := []float64{}
	if ints, ok := tensor.Int64s(x); ok {
		for _, i := range ints {
			v = append(v, float64(i))
		}
	} else if x.DType.Float() {
		v = append(v, tensor.Float64s(x)...)
	}
	return v
}

// TestReadModel reads the same tied model from every form in which torch saves it.
func TestReadModel(t *testing.T) {
	want := []Entry{
		{"backbone.embedding.weight", tensor.F32, []int{6, 4}, ""},
		{"backbone.layers.0.mixer.A_log", tensor.F32, []int{8, 2}, ""},
		{"backbone.layers.0.mixer.D", tensor.F32, []int{8}, ""},
		{"backbone.layers.0.mixer.conv1d.weight", tensor.F32, []int{8, 1, 4}, ""},
		{"backbone.layers.0.norm.weight", tensor.F32, []int{4}, ""},
		{"backbone.norm_f.weight", tensor.F32, []int{4}, ""},
		{"lm_head.weight", tensor.F32, []int{6, 4}, "backbone.embedding.weight"},
	}
	for _, name := range []string{"model", "protocol4", "protocol5", "legacy"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", name+".bin")
			f, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if diff := cmp.Diff(want, f.entries()); diff != "" {
				t.Error(diff)
			}
			all := f.Tensors()
			for i, x := range all {
				if x.Name != want[i].Name || x.File != path {
					t.Errorf("%s in %s", x.Name, x.File)
				}
				if diff := cmp.Diff(ramp(x.Elems()), numbers(x)); diff != "" {
					t.Errorf("%s: %s", x.Name, diff)
				}
				one, ok := f.Tensor(x.Name)
				if diff := cmp.Diff(x, one); !ok || diff != "" {
					t.Error(diff)
				}
			}
			if &all[0].Data[0] != &all[6].Data[0] {
				t.Error("tied tensors are two slices")
			}
			if !f.sameStorage("lm_head.weight", "backbone.embedding.weight") || f.sameStorage("backbone.norm_f.weight", "backbone.layers.0.norm.weight") ||
				f.sameStorage("lm_head.weight", "absent") {
				t.Error("ties")
			}
			if _, ok := f.Tensor("absent"); ok {
				t.Error("found a tensor that is not there")
			}
			if f.VerifyCRC(t.Context()) != nil || f.Changed() != nil || ignored(f) != "" {
				t.Error(f.VerifyCRC(t.Context()), f.Changed(), ignored(f))
			}
			f.ReadAhead()
		})
	}
}

func TestReadDTypes(t *testing.T) {
	for _, name := range []string{"dtypes", "dtypes-legacy"} {
		f, err := Open(filepath.Join("testdata", name+".bin"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		want := []tensor.DType{tensor.F64, tensor.F32, tensor.F16, tensor.BF16, tensor.I64, tensor.I32, tensor.I16, tensor.I8,
			tensor.U64, tensor.U32, tensor.U16, tensor.U8, tensor.Bool}
		for i, x := range f.Tensors()[:len(want)] {
			if x.DType != want[i] {
				t.Errorf("%s: %s is %v", name, x.Name, x.DType)
			}
			if x.DType == tensor.Bool {
				if !bytes.Equal(x.Data, []byte{0, 1, 0}) {
					t.Errorf("bool: %v", x.Data)
				}
			} else if diff := cmp.Diff(ramp(3), numbers(x)); diff != "" {
				t.Errorf("%s: %s: %s", name, x.Name, diff)
			}
		}
		scalar, _ := f.Tensor("scalar")
		if !bytes.Equal(scalar.Data, []byte{0, 0, 0, 0x80}) || scalar.Shape == nil || len(scalar.Shape) != 0 {
			t.Errorf("scalar: %v", scalar)
		}
		four, _ := f.Tensor("four")
		if diff := cmp.Diff([]int{2, 1, 3, 2}, four.Shape) + cmp.Diff(ramp(12), numbers(four)); diff != "" {
			t.Error(diff)
		}
		if empty, ok := f.Tensor("empty"); !ok || len(empty.Data) != 0 || !cmp.Equal(empty.Shape, []int{2, 0, 3}) {
			t.Errorf("empty: %v", empty)
		}
	}
}

func TestReadViews(t *testing.T) {
	for _, name := range []string{"views", "views-legacy"} {
		f, err := Open(filepath.Join("testdata", name+".bin"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		transposed := []float64{1, 7, 13, 19, 2, 8, 14, 20, 3, 9, 15, 21, 4, 10, 16, 22, 5, 11, 17, 23, 6, 12, 18, 24}
		want := []struct {
			name  string
			shape []int
			v     []float64
		}{
			{"whole", []int{4, 6}, ramp(24)},
			{"transposed", []int{6, 4}, transposed},
			{"columns", []int{4, 3}, []float64{2, 3, 4, 8, 9, 10, 14, 15, 16, 20, 21, 22}},
			{"rows", []int{2, 6}, []float64{13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24}},
			{"steps", []int{2, 2}, []float64{1, 4, 13, 16}},
			{"permuted", []int{4, 2, 3}, []float64{1, 5, 9, 13, 17, 21, 2, 6, 10, 14, 18, 22, 3, 7, 11, 15, 19, 23, 4, 8, 12, 16, 20, 24}},
			{"again", []int{6, 4}, transposed},
			{"row", []int{3, 1}, []float64{10, 11, 12}},
		}
		all := f.Tensors()
		for i, w := range want {
			one, ok := f.Tensor(w.name)
			if diff := cmp.Diff(w.shape, one.Shape) + cmp.Diff(w.v, numbers(one)) + cmp.Diff(one, all[i]); !ok || diff != "" {
				t.Errorf("%s: %s: %s", name, w.name, diff)
			}
		}
		if &all[0].Data[12*4] != &all[3].Data[0] || &all[0].Data[9*4] != &all[7].Data[0] {
			t.Error("contiguous parts were copied")
		}
		if !f.sameStorage("transposed", "again") || f.sameStorage("whole", "transposed") || f.entries()[6].Shares != "transposed" ||
			&all[1].Data[0] != &all[6].Data[0] {
			t.Error("ties of views")
		}
	}
}

// ignored lists what was left out of a file.
func ignored(f *File) string {
	list, _ := f.Ignored()
	return strings.ReplaceAll(strings.Join(list, " "), `"`, "")
}

// TestReadTrainer reads what a trainer saves: the state dict is found, and what is beside it has a name.
func TestReadTrainer(t *testing.T) {
	f, err := Open("testdata/trainer.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := []Entry{
		{"module._orig_mod.weight", tensor.F16, []int{2, 2}, ""}, {"module._orig_mod.A_log", tensor.F32, []int{2}, ""},
	}
	if diff := cmp.Diff(want, f.entries()); diff != "" {
		t.Error(diff)
	}
	if x, ok := f.Tensor("module._orig_mod.A_log"); !ok || !cmp.Equal(numbers(x), ramp(2)) {
		t.Error(x)
	}
	const beside = "epoch loss args seen device rng shape optimizer module._orig_mod.step"
	if got := ignored(f); got != beside {
		t.Errorf("ignored %s, want %s", got, beside)
	}
}

func TestVerifyCRC(t *testing.T) {
	data := fixture(t, "model")
	f, err := Parse("f.bin", data)
	if err != nil {
		t.Fatal(err)
	}
	norm, _ := f.Tensor("backbone.norm_f.weight")
	norm.Data[5] ^= 1 // a bit of data
	var format *badfile.FormatError
	if err := f.VerifyCRC(t.Context()); !errors.As(err, &format) ||
		!strings.HasPrefix(err.Error(), `f.bin: record "model/data/5": is damaged: its bytes have CRC-32 `) {
		t.Error(err)
	}
	if err := f.VerifyCRC(t.Context(), "backbone.norm_f.weight"); err == nil {
		t.Error("damage was not found")
	}
	if err := f.VerifyCRC(t.Context(), "lm_head.weight", "backbone.layers.0.norm.weight"); err != nil {
		t.Error(err)
	}
	if err := f.VerifyCRC(t.Context(), "absent"); err == nil {
		t.Error("verified a tensor that is not there")
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := f.VerifyCRC(stopped); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// torch.serialization.set_crc32_options(False) writes zeros for all sums.
	for _, sig := range []string{"PK\x01\x02", "PK\x07\x08"} {
		for rest := data; ; {
			i := bytes.Index(rest, []byte(sig))
			if i < 0 {
				break
			}
			rest = rest[i+4:]
			if sig == "PK\x01\x02" {
				clear(rest[12:16])
			} else {
				clear(rest[:4])
			}
		}
	}
	if f, err = Parse("f.bin", data); err != nil {
		t.Fatal(err)
	}
	if err := f.VerifyCRC(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	var format *badfile.FormatError
	if _, err := Open(dir); !errors.As(err, &format) {
		t.Error(err)
	}
	path := filepath.Join(dir, "x.bin")
	if err := os.WriteFile(path, fixture(t, "model")[:3000], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.As(err, &format) || format.File != path {
		t.Error(err)
	}
}
