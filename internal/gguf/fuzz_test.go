package gguf

import (
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gomamba/gomamba/internal/hostile"
)

// FuzzParse feeds arbitrary files to the reader. It must not allocate out of proportion to the file. One that is
// accepted has its tensors one after the other inside its bounds, and survives being written and read again.
func FuzzParse(f *testing.F) {
	for _, seed := range hostile.Seeds(".gguf") {
		f.Add(seed)
	}
	for _, c := range malformed {
		if len(c.data) < 1<<12 {
			f.Add(c.data)
		}
	}
	for _, c := range slices.Concat(unsupported[:3], unsupported[6:]) {
		f.Add(c.data)
	}
	for _, c := range unusual {
		if len(c.data) < 1<<12 {
			f.Add([]byte(c.data))
		}
	}
	f.Add(readFile(f, "testdata/all.gguf"))
	f.Add(readFile(f, "testdata/split-00002-of-00003.gguf"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		parsed, err := parse("fuzz", data)
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 1<<20+8*uint64(len(data)) {
			t.Fatalf("%d bytes allocated for a file of %d", spent, len(data))
		}
		if err != nil {
			return
		}
		checkViews(t, data, parsed)
		checkCopy(t, parsed)
	})
}

// checkViews checks that the tensors lie in data in their order, without overlap.
func checkViews(t *testing.T, data []byte, f *File) {
	pos := 0
	for _, x := range f.Tensors() {
		if n, ok := x.Type.ByteCount(x.Shape); !ok || n != len(x.Data) || n == 0 || n != cap(x.Data) {
			t.Fatalf("%q: %v %v has %d bytes", x.Name, x.Type, x.Shape, len(x.Data))
		}
		for pos < len(data) && &data[pos] != &x.Data[0] {
			pos++
		}
		if pos+len(x.Data) > len(data) {
			t.Fatalf("%q lies outside of the file, or before another", x.Name)
		}
		pos += len(x.Data)
	}
}

// checkCopy writes what was read, and reads it again.
func checkCopy(t *testing.T, f *File) {
	for _, x := range f.Tensors() {
		if len(x.Name) == maxName {
			return // read, and not written
		}
	}
	again, err := parse("again", copyOf(t, f))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f.KVs(), again.KVs()); diff != "" {
		t.Fatal(diff)
	}
	for i, x := range f.Tensors() {
		y := again.Tensors()[i]
		y.File = x.File
		if diff := cmp.Diff(x, y); diff != "" {
			t.Fatal(diff)
		}
	}
	for _, kv := range f.KVs() {
		if n := decoders(kv.Value); n == 0 {
			if elem, _ := kv.Value.element(); elem != KindU64 { // which may be beyond an int64
				t.Fatalf("%q: nothing decodes %s", kv.Key, kv.Value.describe())
			}
		}
	}
}

// decoders calls every method that decodes a value, and counts those that do.
func decoders(v Value) (n int) {
	count := func(_ any, err error) {
		if err == nil {
			n++
		}
	}
	count(v.Int())
	count(v.Uint())
	count(v.Float())
	count(v.Bool())
	count(v.Str())
	count(v.Ints())
	count(v.Floats())
	count(v.Bools())
	count(v.Strings())
	return n
}
