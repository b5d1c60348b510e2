package dump

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/hostile"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/internal/safetensors/safetensorstest"
	"github.com/gomamba/gomamba/tensor"
)

const fixtures = "../../fixtures/mamba1"

type entry = safetensors.Entry

func announce(name string, dtype tensor.DType, shape ...int) entry {
	return entry{Name: name, DType: dtype, Shape: shape}
}

func TestReadFixture(t *testing.T) {
	d, err := Read(filepath.Join(fixtures, "default", "ref-leftpad.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.Batch() != 4 || d.Tokens() != 24 || len(d.Unknown()) != 0 {
		t.Errorf("batch %d, tokens %d, unknown %v", d.Batch(), d.Tokens(), d.Unknown())
	}
	ids, haveIDs := d.InputIDs()
	mask, haveMask := d.AttentionMask()
	if !haveIDs || !haveMask || len(ids) != 4*24 || len(mask) != 4*24 || slices.Max(ids) < 2 || slices.Max(mask) != 1 || slices.Min(mask) != 0 {
		t.Errorf("ids %v, mask %v", ids, mask)
	}
	want := []string{"input_ids", "attention_mask", "cache.conv_states.0", "cache.ssm_states.0", "hidden_states.0", "cache.conv_states.1"}
	names := d.Names()
	if !slices.Equal(names[:len(want)], want) || names[len(names)-1] != Logits || names[len(names)-2] != HiddenState(4) {
		t.Errorf("names %v", names)
	}
	if ssm, ok := d.Tensor(State(SSMStates, 3)); d.Layers() != 4 || !ok || !slices.Equal(ssm.Shape, []int{4, 64, 16}) {
		t.Errorf("states of %d layers, the last %v", d.Layers(), ssm.Shape)
	}
}

// What a writer is given in pieces, by many goroutines, a reader finds.
func TestRoundTrip(t *testing.T) {
	const B, T, V, D = 2, 5, 3, 4
	path := filepath.Join(t.TempDir(), "dump.safetensors")
	entries := []entry{
		{Name: InputIDs, DType: tensor.I64, Shape: []int{B, T}},
		{Name: Logits, DType: tensor.F32, Shape: []int{B, T, V}},
		{Name: HiddenState(0), DType: tensor.F64, Shape: []int{B, T, D}},
		{Name: State(SSMStates, 1), DType: tensor.F32, Shape: []int{B, 6, 8}},
	}
	ssm := make([]float32, B*6*8)
	for i := range ssm {
		ssm[i] = 1000 - float32(i)
	}
	ids := []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	logits := make([]float32, B*T*V)
	hidden := make([]float64, B*T*D)
	for i := range logits {
		logits[i] = float32(i) / 3
	}
	for i := range hidden {
		hidden[i] = 1 / float64(i+1)
	}

	writeIDs(t, path, 1) // an earlier run
	w, err := Create(path, entries, map[string]string{"producer": "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	errs := make([]error, B*T)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() {
			errs[i] = errors.Join(Write(w, Logits, i*V, logits[i*V:][:V]), Write(w, HiddenState(0), i*D, hidden[i*D:][:D]))
		})
	}
	group.Wait()
	if err := errors.Join(append(errs, Write(w, InputIDs, 0, ids), Write(w, State(SSMStates, 1), 0, ssm), w.Commit())...); err != nil {
		t.Fatal(err)
	}

	d, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if got, _ := d.InputIDs(); !slices.Equal(got, ids) {
		t.Errorf("ids %v", got)
	}
	for name, want := range map[string][]byte{Logits: tensor.Bytes(logits), HiddenState(0): tensor.Bytes(hidden), State(SSMStates, 1): tensor.Bytes(ssm)} {
		if got, ok := d.Tensor(name); !ok || !bytes.Equal(got.Data, want) {
			t.Errorf("%s is not what was written", name)
		}
	}
}

// Each row is the content of a file that is not a dump.
func TestMalformed(t *testing.T) {
	f32 := func(name string, shape ...int) entry { return announce(name, tensor.F32, shape...) }
	i64 := func(name string, shape ...int) entry { return announce(name, tensor.I64, shape...) }
	for _, test := range []struct {
		name    string
		entries []entry
		want    string // empty: a good file
	}{
		{"cache alone", []entry{f32("cache.conv_states.0", 1, 4, 4), f32("cache.ssm_states.0", 1, 4, 16)}, ""},
		{"any subset", []entry{f32("hidden_states.7", 1, 3, 4)}, ""},
		{"last logits", []entry{i64("input_ids", 2, 9), f32("logits", 2, 1, 5)}, ""},
		{"narrow types", []entry{announce("input_ids", tensor.I32, 1, 2), announce("logits", tensor.BF16, 1, 2, 3)}, ""},
		{"Mamba-2 states", []entry{f32("cache.conv_states.0", 1, 20, 4), f32("cache.ssm_states.0", 1, 2, 8, 16)}, ""},
		{"foreign tensor beside", []entry{i64("input_ids", 1, 1), i64("hidden_states.01", 5), i64("stray\x1b", 2)}, ""},
		{"nothing", nil, "found no tensors, but none of input_ids"},
		{"a checkpoint", []entry{f32("lm_head.weight", 2, 2), f32("A", 1)}, `found "A" as the first of 2 tensors, but none of`},
		{"float ids", []entry{f32("input_ids", 1, 2)}, `tensor "input_ids": found dtype F32, expected integers, such as I64`},
		{"integer logits", []entry{i64("logits", 1, 2, 3)}, `tensor "logits": found dtype I64, expected F32 or F64`},
		{"deep ids", []entry{i64("input_ids", 1, 1, 5)}, `found the shape [1 1 5], expected [batch, tokens]`},
		{"flat logits", []entry{f32("logits", 5, 7)}, `found the shape [5 7], expected [batch, tokens, vocabulary]`},
		{"no tokens", []entry{i64("input_ids", 1, 0)}, `found the shape [1 0], which is empty`},
		{"mask of another length", []entry{i64("input_ids", 1, 5), i64("attention_mask", 1, 4)}, `tensor "attention_mask": found the shape [1 4]: tokens is 4 here and 5 in "input_ids"`},
		{"logits of another batch", []entry{i64("input_ids", 1, 5), f32("logits", 2, 5, 7)}, `batch is 2 here and 1 in "input_ids"`},
		{"layers of two widths", []entry{f32("hidden_states.0", 1, 5, 4), f32("hidden_states.1", 1, 5, 8)}, `hidden size is 8 here and 4 in "hidden_states.0"`},
		{"states of two widths", []entry{f32("cache.conv_states.0", 1, 4, 4), f32("cache.ssm_states.0", 1, 5, 16)}, `channels is 5 here and 4 in "cache.conv_states.0"`},
		{
			"states of two families", []entry{f32("cache.ssm_states.0", 1, 4, 16), f32("cache.ssm_states.1", 1, 2, 2, 16)},
			`number of dimensions of SSM states is 4 here and 3 in`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "dump.safetensors")
			var tensors []tensor.Tensor
			for _, e := range test.entries {
				n, _ := tensor.ByteCount(e.DType, e.Shape)
				tensors = append(tensors, tensor.Tensor{Name: e.Name, DType: e.DType, Shape: e.Shape, Data: make([]byte, n)})
			}
			save(t, path, tensors...)
			d, err := Read(path)
			if err == nil {
				defer d.Close()
			}
			explained(t, err, test.want, path)
		})
	}
}

// Ids and masks as people dump them: "ids != pad" is BOOL, a mask that was multiplied with is a float.
func TestInputs(t *testing.T) {
	raw := func(name string, dtype tensor.DType, data []byte, shape ...int) tensor.Tensor {
		return tensor.Tensor{Name: name, DType: dtype, Shape: shape, Data: data}
	}
	ids := tensor.Of(InputIDs, []int64{5, 6, 7, 8}, 2, 2)
	for _, test := range []struct {
		name      string
		ids, mask tensor.Tensor
		want      string // empty: ids 5, 6, 7, 8 in two rows, of which the first begins with padding
	}{
		{"I64", ids, tensor.Of(AttentionMask, []int64{0, 1, 1, 1}, 2, 2), ""},
		{"BOOL", ids, raw(AttentionMask, tensor.Bool, []byte{0, 1, 1, 1}, 2, 2), ""},
		{"U8", raw(InputIDs, tensor.U8, []byte{5, 6, 7, 8}, 2, 2), raw(AttentionMask, tensor.U8, []byte{0, 1, 1, 1}, 2, 2), ""},
		{"U16, F16", raw(InputIDs, tensor.U16, []byte{5, 0, 6, 0, 7, 0, 8, 0}, 2, 2),
			raw(AttentionMask, tensor.F16, []byte{0, 0, 0, 0x3c, 0, 0x3c, 0, 0x3c}, 2, 2), ""},
		{"F32", ids, tensor.Of(AttentionMask, []float32{0, 1, 1, 1}, 2, 2), ""},
		{"F64", ids, tensor.Of(AttentionMask, []float64{0, 1, 1, 1}, 2, 2), ""},
		{"two", ids, tensor.Of(AttentionMask, []int64{0, 1, 1, 2}, 2, 2), `tensor "attention_mask": found 2 at [1, 1], expected 0 for padding or 1`},
		{"half", ids, tensor.Of(AttentionMask, []float32{0.5, 1, 1, 1}, 2, 2), `found 0.5 at [0, 0], expected 0 for padding or 1`},
		{"additive", ids, tensor.Of(AttentionMask, []float32{0, 1, float32(math.Inf(-1)), 1}, 2, 2), `found -Inf at [1, 0]`},
		{"not a number", ids, tensor.Of(AttentionMask, []float64{0, math.NaN(), 1, 1}, 2, 2), `found NaN at [0, 1]`},
		{"no bool", ids, raw(AttentionMask, tensor.Bool, []byte{0, 255, 1, 1}, 2, 2), `found 255 at [0, 1]`},
		{"beyond", raw(InputIDs, tensor.U64, bytes.Repeat([]byte{255}, 16), 1, 2), tensor.Of(AttentionMask, []int64{1, 1}, 1, 2),
			`tensor "input_ids": found an id above 9223372036854775807`},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "dump.safetensors")
			save(t, path, test.ids, test.mask)
			d, err := Read(path)
			explained(t, err, test.want, path)
			if test.want != "" || err != nil {
				return
			}
			defer d.Close()
			ids, _ := d.InputIDs()
			mask, _ := d.AttentionMask()
			if !slices.Equal(ids, []int64{5, 6, 7, 8}) || !slices.Equal(mask, []int64{0, 1, 1, 1}) || d.Batch() != 2 {
				t.Errorf("ids %v, mask %v in %d rows", ids, mask, d.Batch())
			}
		})
	}
}

// Without the dimension of the batch there is one sequence.
func TestOneSequence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dump.safetensors")
	save(t, path, tensor.Of(InputIDs, []int64{5, 6, 7}, 3), tensor.Of(AttentionMask, []int64{0, 1, 1}, 3), tensor.Of(Logits, make([]float32, 6), 1, 3, 2))
	d, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if ids, _ := d.InputIDs(); d.Batch() != 1 || d.Tokens() != 3 || !slices.Equal(ids, []int64{5, 6, 7}) {
		t.Errorf("%d rows of %d tokens: %v", d.Batch(), d.Tokens(), ids)
	}
}

func save(t *testing.T, path string, tensors ...tensor.Tensor) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(safetensorstest.Write(f, tensors, nil), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// explained checks that err is nil if nothing is wanted, or else a FormatError of one line that names the file.
func explained(t *testing.T, err error, want, path string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Error(err)
		}
		return
	}
	var format *badfile.FormatError
	switch {
	case err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path):
		t.Errorf("error %v\nwant      %s", err, want)
	case !errors.As(err, &format):
		t.Errorf("%T, want a FormatError", err)
	case strings.ContainsFunc(err.Error(), unicode.IsControl):
		t.Errorf("control characters in %q", err)
	}
}

// A dump that was not finished, or not begun, leaves what was there.
func TestWriterFailures(t *testing.T) {
	ids := announce(InputIDs, tensor.I64, 1, 2)
	for _, test := range []struct {
		name    string
		entries []entry
		write   func(w *Writer) error
		want    string
	}{
		{"foreign name", []entry{ids, announce("stray", tensor.F32, 1)}, nil, `"stray" does not belong in a dump`},
		{"contradiction", []entry{ids, announce(Logits, tensor.F32, 2, 2, 2)}, nil, "batch is 2 here and 1"},
		{"incomplete", []entry{ids}, func(w *Writer) error { return Write(w, InputIDs, 0, []int64{1}) }, "incomplete"},
		{"twice", []entry{ids}, func(w *Writer) error {
			return errors.Join(Write(w, InputIDs, 0, []int64{1, 2}), Write(w, InputIDs, 1, []int64{3}))
		}, "written before"},
		{"beyond the end", []entry{ids}, func(w *Writer) error { return Write(w, InputIDs, 1, []int64{1, 2}) }, "do not fit"},
		{"before the start", []entry{ids}, func(w *Writer) error { return Write(w, InputIDs, -1, []int64{1}) }, "do not fit"},
		{"dtype", []entry{ids}, func(w *Writer) error { return Write(w, InputIDs, 0, []float32{1, 2}) }, `F32 values for "input_ids", which was announced as I64`},
		{"not announced", []entry{ids}, func(w *Writer) error { return Write(w, Logits, 0, []float32{1}) }, `"logits" was not announced`},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "dump.safetensors")
			writeIDs(t, path, 7)
			old, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			w, err := Create(path, test.entries, nil)
			if err == nil {
				err = errors.Join(test.write(w), w.Commit(), w.Abort())
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			left, _ := filepath.Glob(filepath.Join(dir, "*"))
			hidden, _ := filepath.Glob(filepath.Join(dir, ".*"))
			if data, err := os.ReadFile(path); !bytes.Equal(data, old) || err != nil || len(left)+len(hidden) != 1 {
				t.Errorf("%q is left at the destination, beside %v %v", data, left, hidden)
			}
		})
	}
	if _, err := Create(t.TempDir(), []entry{ids}, nil); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("a dump in place of a folder: %v", err)
	}
	if _, err := Create(os.DevNull, []entry{ids}, nil); err == nil {
		t.Error("a dump in place of a device")
	}
}

// writeIDs makes a dump of one token.
func writeIDs(t *testing.T, path string, id int64) {
	t.Helper()
	w, err := Create(path, []entry{announce(InputIDs, tensor.I64, 1, 1)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(Write(w, InputIDs, 0, []int64{id}), w.Commit()); err != nil {
		t.Fatal(err)
	}
}

// Only a dump gives way to a dump.
func TestCreateReplaces(t *testing.T) {
	dir := t.TempDir()
	weights, err := os.ReadFile(filepath.Join(fixtures, "default", "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"weights": weights, "text": []byte("three years"), "empty": nil} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Create(path, []entry{announce(InputIDs, tensor.I64, 1, 1)}, nil)
		if (err == nil) != (name == "empty") || err != nil && !strings.Contains(err.Error(), "only a dump is replaced") {
			t.Errorf("a dump in place of %s: %v", name, err)
		}
		if left, err := os.ReadFile(path); !bytes.Equal(left, content) || err != nil {
			t.Errorf("%s changed: %v", name, err)
		}
	}
}

func TestCreateThroughLink(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	w, err := Create(link, []entry{announce(InputIDs, tensor.I64, 1, 1)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(Write(w, InputIDs, 0, []int64{7}), w.Commit()); err != nil {
		t.Fatal(err)
	}
	d, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range hostile.Seeds(".safetensors") {
		f.Add(seed)
	}
	for _, tensors := range [][]tensor.Tensor{
		{tensor.Of(InputIDs, []int64{1, 2, 3}, 1, 3), tensor.Of(AttentionMask, []int64{0, 1, 1}, 1, 3), tensor.Of(Logits, make([]float32, 6), 1, 3, 2)},
		{tensor.Of(State(ConvStates, 0), make([]float32, 8), 1, 2, 4), tensor.Of(State(SSMStates, 0), make([]float32, 6), 1, 2, 3), tensor.Of("stray", []int64{1}, 1)},
		{tensor.Of(HiddenState(3), make([]float64, 4), 1, 2, 2), tensor.Of(InputIDs, []int32{7, 8}, 1, 2)},
		{tensor.Of(State(SSMStates, 1), make([]float32, 16), 1, 2, 2, 4), tensor.Of("hidden_states.-1", []int64{1}, 1)},
		{tensor.Of(InputIDs, []int64{}, 0, 3)},
		nil,
	} {
		path := filepath.Join(f.TempDir(), "seed")
		file, err := os.Create(path)
		if err != nil {
			f.Fatal(err)
		}
		if err := errors.Join(safetensorstest.Write(file, tensors, nil), file.Close()); err != nil {
			f.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := safetensors.Parse("fuzz", data)
		if err != nil {
			return
		}
		d, err := read("fuzz", file)
		if err != nil {
			if strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Errorf("control characters in %q", err)
			}
			return
		}
		ids, haveIDs := d.InputIDs()
		mask, haveMask := d.AttentionMask()
		if haveIDs && len(ids) != d.Batch()*d.Tokens() || haveMask && len(mask) != d.Batch()*d.Tokens() || d.Batch() < 1 {
			t.Errorf("%d ids, %d of mask for %d by %d", len(ids), len(mask), d.Batch(), d.Tokens())
		}
		for _, name := range d.Names() {
			x, ok := d.Tensor(name)
			if n, sane := tensor.ByteCount(x.DType, x.Shape); !ok || !sane || n != len(x.Data) || x.Shape[0] != d.Batch() {
				t.Errorf("%s: %v in %d bytes", name, x.Shape, len(x.Data))
			}
		}
	})
}
