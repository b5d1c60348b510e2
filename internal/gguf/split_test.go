package gguf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gomamba/gomamba/tensor"
)

// TestOpenSplit opens the reference parts by each of their names.
func TestOpenSplit(t *testing.T) {
	for i := range 3 {
		f := open(t, fmt.Sprintf("testdata/split-%05d-of-00003.gguf", i+1))
		names, paths := "", []string{}
		for _, x := range f.Tensors() {
			if w, err := x.Weight(); err != nil || tensor.Float32s(w)[2] != float32(x.Name[0]) {
				t.Errorf("%s: %v, %v", x.Name, w, err)
			}
			names += x.Name
			paths = append(paths, x.File)
		}
		a, b, c := f.Paths()[0], f.Paths()[1], f.Paths()[2]
		if diff := cmp.Diff([]string{a, a, b, b, c}, paths); diff != "" || names != "abcde" || a != "testdata/split-00001-of-00003.gguf" {
			t.Errorf("%s: %s", names, diff)
		}
		if _, ok := f.Tensor("e"); !ok {
			t.Error("no tensor of the last part by name")
		}
		kept := []string{}
		for _, key := range f.Keys() {
			if !isSplitKey(key) {
				kept = append(kept, key)
			}
		}
		if diff := cmp.Diff([]string{"general.architecture"}, kept); diff != "" {
			t.Error(diff)
		}
	}
}

// part returns the bytes of a part with one tensor.
func part(t *testing.T, no, count, tensors int, name string) []byte {
	return build(t, []KV{{splitNoKey, Of(uint16(no))}, {splitCountKey, Of(uint16(count))}, {splitTensorsKey, Of(int32(tensors))}},
		Entry{name, F32, []int{3}})
}

func TestOpenSplitErrors(t *testing.T) {
	first := part(t, 0, 2, 2, "a")
	second := part(t, 1, 2, 2, "b")
	const one, two = "m-00001-of-00002.gguf", "m-00002-of-00002.gguf"
	for name, c := range map[string]struct {
		open  string
		files map[string][]byte
		want  string
	}{
		"missing":        {one, map[string][]byte{one: first}, "part 2 of 2: "},
		"renamed":        {"x.gguf", map[string][]byte{"x.gguf": first}, "its name must end in -00001-of-00002.gguf"},
		"other number":   {two, map[string][]byte{one: first, two: first}, "its name must end in -00001-of-00002.gguf"},
		"twice the same": {one, map[string][]byte{one: first, two: first}, "says it is part 1 of 2, 2 tensors in all; "},
		"alone inside":   {one, map[string][]byte{one: first, two: build(t, nil)}, "says it is part of nothing, 0 tensors in all"},
		"alone outside":  {two, map[string][]byte{one: first, two: build(t, nil)}, "missing or 1, though the name says part 00002 of 00002"},
		"other model":    {one, map[string][]byte{one: first, two: part(t, 1, 2, 3, "b")}, "says it is part 2 of 2, 3 tensors in all; "},
		"same tensor":    {one, map[string][]byte{one: first, two: part(t, 1, 2, 2, "a")}, `tensor "a": appears in `},
		"tensors":        {one, map[string][]byte{one: part(t, 0, 2, 3, "a"), two: part(t, 1, 2, 3, "b")}, "is 3, the 2 parts have 2 tensors"},
		"number":         {one, map[string][]byte{one: part(t, 2, 2, 2, "a")}, `key "split.no": is part 2 (from 0) of 2`},
		"negative":       {one, map[string][]byte{one: part(t, 0, 2, -1, "a")}, `key "split.tensors.count": is -1, expected a non-negative`},
		"no number":      {one, map[string][]byte{one: build(t, []KV{{splitCountKey, Of[uint16](2)}})}, `key "split.no": missing`},
		"no total":       {one, map[string][]byte{one: build(t, []KV{{splitCountKey, Of[uint16](2)}, {splitNoKey, Of[uint16](0)}})}, `key "split.tensors.count": missing`},
		"count":          {one, map[string][]byte{one: build(t, []KV{{splitCountKey, Of("2")}})}, `key "split.count": is of kind str`},
		"bad part":       {two, map[string][]byte{one: first[:100], two: second}, "part 1 of 2: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, data := range c.files {
				if err := os.WriteFile(filepath.Join(dir, file), data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Open(filepath.Join(dir, c.open))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if missing := errors.Is(err, fs.ErrNotExist); missing != (name == "missing") {
				t.Error("a missing part must be told from others:", err)
			}
		})
	}

	if _, err := Parse("m", first); err == nil || !strings.Contains(err.Error(), "is part 1 of 2 of a split model") {
		t.Error(err)
	}
	whole := filepath.Join(t.TempDir(), "m-00001-of-00001.gguf")
	if err := os.WriteFile(whole, part(t, 0, 1, 1, "a"), 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, whole)
}

// isSplitKey reports whether a key says how a model is split over files.
func isSplitKey(key string) bool {
	return key == splitNoKey || key == splitCountKey || key == splitTensorsKey
}
