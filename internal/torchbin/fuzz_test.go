package torchbin

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/hostile"
	"github.com/gomamba/gomamba/tensor"
	"github.com/google/go-cmp/cmp"
)

// FuzzParse feeds arbitrary files to the reader. One that is accepted lies wholly inside its bounds, took little memory,
// and survives being written and read again.
func FuzzParse(f *testing.F) {
	for _, seed := range hostile.Seeds(".bin") {
		f.Add(seed)
	}
	for _, c := range malformed {
		if len(c.data) < 1<<12 {
			f.Add(c.data)
		}
	}
	for _, name := range []string{"model", "protocol4", "protocol5", "legacy", "dtypes", "dtypes-legacy", "views", "views-legacy", "trainer"} {
		f.Add(fixture(f, name))
	}
	f.Add(good)
	f.Add(goodLegacy)
	f.Add(deflated(dict("a", vector(1)), "t/data/0", four))
	f.Fuzz(check)
}

// FuzzPickle feeds arbitrary pickles to the reader, in an archive with a few storages.
func FuzzPickle(f *testing.F) {
	for _, c := range malformed {
		if i := bytes.Index(c.data, []byte(proto)); i > 0 && i+512 > len(c.data) {
			f.Add(c.data[i:])
		}
	}
	for _, name := range []string{"model", "protocol4", "protocol5", "dtypes", "views", "trainer"} {
		data := fixture(f, name)
		records, err := readZip(name, data)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[records[0].begin:records[0].end])
	}
	for _, pickle := range bombs(512) {
		f.Add([]byte(proto + pickle + "."))
	}
	f.Fuzz(func(t *testing.T, pickle []byte) {
		check(t, archive(string(pickle), "t/data/0", strings.Repeat(four, 24), "t/data/1", strings.Repeat(four, 2), "t/data/2", "x", "t/data/3", ""))
	})
}

// check holds what both fuzz targets assert.
func check(t *testing.T, data []byte) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err := Parse("fuzz", data)
	runtime.ReadMemStats(&after)
	if spent := after.TotalAlloc - before.TotalAlloc; spent > memoryFor(len(data)) {
		t.Fatalf("%d bytes allocated for %d", spent, len(data))
	}
	if err != nil {
		if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) || len(err.Error()) > 1500 {
			t.Fatalf("not one short line: %q", err)
		}
		return
	}
	entries, tensors := f.entries(), f.Tensors()
	copied := 0
	for i, x := range tensors {
		n, ok := tensor.ByteCount(x.DType, x.Shape)
		if !ok || n != len(x.Data) {
			t.Fatalf("%q: %v %v has %d bytes", x.Name, x.DType, x.Shape, len(x.Data))
		}
		if f.inflated == 0 && f.views[f.tensors[i].view].dense && !bytes.Contains(data, x.Data) {
			t.Fatalf("%q is not in the file", x.Name)
		}
		if entries[i].Shares == "" {
			copied += n
		}
		if one, ok := f.Tensor(x.Name); !ok || !cmp.Equal(one, x) {
			t.Fatalf("%q by its name: %v", x.Name, cmp.Diff(one, x))
		}
	}
	if copied > 1<<24 {
		return // many views of one storage: no need to write them all
	}
	var b memory
	for _, e := range entries {
		if storageType(e.DType) == "" || !e.DType.Plain() {
			return // read, but never written
		}
	}
	if err := write(&b, "fuzz", entries, tensors); err != nil {
		t.Fatal(err)
	}
	again, err := Parse("again", b.data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(entries, again.entries()); diff != "" {
		t.Fatal(diff)
	}
	for i, y := range again.Tensors() {
		if !bytes.Equal(y.Data, tensors[i].Data) {
			t.Fatalf("%q changed", y.Name)
		}
	}
	if err := again.VerifyCRC(t.Context()); err != nil {
		t.Fatal(err)
	}
}
