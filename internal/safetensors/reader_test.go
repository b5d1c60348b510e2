package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/tensor"
	"github.com/google/go-cmp/cmp"
)

// file puts a header and size bytes of data together.
func file(header string, size int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, size)...)
}

func TestReadReference(t *testing.T) {
	f, err := Open("testdata/single.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var names []string
	for _, x := range f.Tensors() {
		names = append(names, x.Name)
		if x.File != "testdata/single.safetensors" || x.DType != tensor.F32 {
			t.Errorf("%s: %v in %s", x.Name, x.DType, x.File)
		}
	}
	want := []string{"backbone.embeddings.weight", "backbone.layers.0.mixer.A_log", "backbone.layers.0.mixer.D",
		"backbone.layers.0.mixer.conv1d.weight", "backbone.layers.10.norm.weight", "backbone.layers.2.norm.weight",
		"backbone.norm_f.weight", "scalar"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	conv, ok := f.Tensor("backbone.layers.0.mixer.conv1d.weight")
	if diff := cmp.Diff([]float32{1, 2, 3, 4, 5, 6, 7, 8}, tensor.Float32s(conv)); !ok || diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{2, 1, 4}, conv.Shape); diff != "" {
		t.Error(diff)
	}
	scalar, _ := f.Tensor("scalar")
	if !bytes.Equal(scalar.Data, []byte{0, 0, 0, 0x80}) || scalar.Shape == nil || len(scalar.Shape) != 0 {
		t.Errorf("scalar: %v", scalar)
	}
	if _, ok := f.Tensor("absent"); ok {
		t.Error("found a tensor that is not there")
	}
	if diff := cmp.Diff(map[string]string{"format": "pt"}, f.Metadata()); diff != "" {
		t.Error(diff)
	}
	if err := f.Changed(); err != nil {
		t.Error(err)
	}
}

func TestReadMixed(t *testing.T) {
	f, err := Open("testdata/mixed.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Metadata() != nil {
		t.Errorf("metadata %v", f.Metadata())
	}
	for _, c := range []struct {
		name  string
		dtype tensor.DType
		want  []float64
	}{
		{"F64", tensor.F64, []float64{1}}, {"f16", tensor.F16, []float64{1, 2, 3}}, {"bf16", tensor.BF16, []float64{1, 2, 3}},
		{"f32.a", tensor.F32, []float64{}}, {"<é>&\"\\\n", tensor.F32, []float64{1}},
		{"i64", tensor.I64, []float64{1, 2}}, {"u64", tensor.U64, []float64{1}}, {"i32", tensor.I32, []float64{1, 2, 3}},
		{"i8", tensor.I8, []float64{1, 2, 3}}, {"u8", tensor.U8, []float64{1}},
	} {
		x, ok := f.Tensor(c.name)
		if !ok || x.DType != c.dtype {
			t.Errorf("%q: %v, %v", c.name, x.DType, ok)
			continue
		}
		got := []float64{}
		if ints, ok := tensor.Int64s(x); ok {
			for _, v := range ints {
				got = append(got, float64(v))
			}
		} else {
			got = append(got, tensor.Float64s(x)...)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q: %s", c.name, diff)
		}
	}
	if b, _ := f.Tensor("bool"); !bytes.Equal(b.Data, []byte{0, 1}) {
		t.Errorf("bool: %v", b)
	}
}

const one = `{"dtype":"F32","shape":[1],"data_offsets":[0,4]}` // a valid entry of 4 bytes

// malformed holds one file for each check of the reader.
var malformed = []struct {
	name string
	data []byte
	want string // part of the message
}{
	{"empty", nil, "is empty"},
	{"short", []byte{1, 2, 3}, "has 3 bytes, too few"},
	{"length only", binary.LittleEndian.AppendUint64(nil, 100), "truncated: the header alone takes 108 bytes, file has 8"},
	{"cut in header", file(`{"a":`+one+`}`, 4)[:40], "truncated: the header alone takes 62 bytes, file has 40"},
	{"cut in data", file(`{"a":`+one+`}`, 2), "truncated: header promises 66 bytes, file has 64; download it again"},
	{"trailing", file(`{"a":`+one+`}`, 7), "header promises 66 bytes, file has 69: 3 bytes after the last tensor"},
	{"huge length", append(bytes.Repeat([]byte{0xff}, 8), '{', '}'), "is not safetensors: it would have a header of 18446744073709551615 bytes"},
	{"above reference cap", append(binary.LittleEndian.AppendUint64(nil, 100_000_001), '{', '}'), "the format allows 100000000"},
	{"git-lfs", []byte("version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 516567560\n"), "git-lfs pointer to a file of 516567560 bytes"},
	{"git-lfs cut", []byte("version https://git-lfs.github.com/spec/v1\n"), "is a git-lfs pointer, not the weights"},
	{"html", []byte("\n <!DOCTYPE html><html>Sign in</html>"), "is a web page (HTML)"},
	{"text", []byte("Invalid username or password."), `is text beginning "Invalid username or password."`},
	{"json", []byte(`{"error":"gated repo"}`), `is text beginning "{\"error\":\"gated repo\"}"`},
	{"zip", []byte("PK\x03\x04\x00\x00\x08\x08\x00\x00"), "is a zip archive, as torch.save writes"},
	{"pickle", []byte("\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."), "is a Python pickle"},
	{"gguf", []byte("GGUF\x03\x00\x00\x00\x00\x00"), "is a GGUF file"},
	{"gzip", []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"), "is gzip-compressed"},
	{"zeros", make([]byte, 4096), "begins with zeros"},
	{"no brace", file(`"a":`+one+`}`, 4), "the header begins with byte 0x22"},
	{"null header", file(`null`, 0), "the header begins with byte 0x6e"},
	{"array header", file(`[]`, 0), "the header begins with byte 0x5b"},
	{"not JSON", file(`{"a":`+one, 4), "invalid JSON (unexpected end of JSON input)"},
	{"comma", file(`{"a":`+one+`,}`, 4), "invalid JSON (invalid character '}'"},
	{"two objects", file(`{"a":`+one+`}{}`, 4), "after top-level value) at byte 63"},
	{"NUL padding", file(`{"a":`+one+"}\x00\x00", 4), "after top-level value) at byte 63"},
	{"deep", file(strings.Repeat(`{"a":`, 100_000), 0), "exceeded max depth"},
	{"bad UTF-8", file("{\"a\xff\":"+one+`}`, 4), "invalid UTF-8 at byte 11"},
	{"lone surrogate", file(`{"a\ud800b":`+one+`}`, 4), "half a surrogate pair at byte 11"},
	{"low surrogate first", file(`{"\udc00\ud800":`+one+`}`, 4), "half a surrogate pair"},
	{"surrogate at end", file(`{"\\\ud800":1}`, 0), "half a surrogate pair"},
	{"duplicate tensor", file(`{"a":`+one+`,"a":`+one+`}`, 4), `the key "a" appears twice`},
	{"duplicate by escape", file(`{"a":`+one+`,"\u0061":`+one+`}`, 4), `the key "a" appears twice`},
	{"duplicate key", file(`{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), `tensor "a": the key "dtype" appears twice`},
	{"duplicate metadata", file(`{"__metadata__":{},"__metadata__":{}}`, 0), `the key "__metadata__" appears twice`},
	{"duplicate metadata key", file(`{"__metadata__":{"k":"1","k":"1"}}`, 0), `__metadata__: the key "k" appears twice`},
	{"metadata number", file(`{"__metadata__":{"k":1}}`, 0), `__metadata__: "k" is the number "1", expected a string`},
	{"null entry", file(`{"a":null}`, 0), `tensor "a": found null`},
	{"entry array", file(`{"a":["F32",[1],[0,4]]}`, 4), `tensor "a": found an array`},
	{"null shape", file(`{"a":{"dtype":"F32","shape":null,"data_offsets":[0,4]}}`, 4), `shape is null, expected an array`},
	{"null dtype", file(`{"a":{"dtype":null,"shape":[1],"data_offsets":[0,4]}}`, 4), `dtype is null, expected a string`},
	{"null offsets", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":null}}`, 4), `data_offsets is null`},
	{"missing key", file(`{"a":{"dtype":"F32","shape":[1]}}`, 4), `incomplete, expected dtype, shape and data_offsets`},
	{"other case", file(`{"a":{"DType":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), `tensor "a": incomplete, expected dtype`},
	{"extra key twice", file(`{"a":{"dtype":"F32","x":1,"shape":[1],"data_offsets":[0,4],"x":1}}`, 4), `tensor "a": the key "x" appears twice`},
	{"one offset", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4]}}`, 4), `data_offsets is not a pair`},
	{"three offsets", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}`, 4), `data_offsets is not a pair`},
	{"negative dimension", file(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4), `shape holds "-1", expected whole numbers`},
	{"fractional dimension", file(`{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}`, 4), `shape holds "1.0", expected whole numbers`},
	{"nested shape", file(`{"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}}`, 4), `shape holds an array, expected numbers`},
	{"digits", file(`{"a":{"dtype":"F32","shape":[`+strings.Repeat("9", 400)+`],"data_offsets":[0,4]}}`, 4), `expected whole numbers`},
	{"product wraps", file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0), `is larger than any file`},
	{"bytes wrap", file(`{"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}}`, 4), `is larger than any file`},
	{"size", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4), `tensor "a": data_offsets [0 4] do not span the 8 bytes that F32 [2] takes`},
	{"reversed offsets", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, 4), `data_offsets [4 0] do not span`},
	{"offsets wrap", file(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[18446744073709551614,2]}}`, 4), `do not span`},
	{"far away", file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[18446744073709551614,18446744073709551615]}}`, 4), `leaves a hole`},
	{"hole", file(`{"a":`+one+`,"b":{"dtype":"U8","shape":[1],"data_offsets":[5,6]}}`, 6), `tensor "b": its data begins at 5 and leaves a hole: expected 4`},
	{"overlap", file(`{"a":`+one+`,"b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}}`, 4), `tensor "b": its data begins at 3 and overlaps that of "a", which ends at 4`},
	{"not from 0", file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), `leaves a hole: expected 0`},
	{"empty tensor inside another", file(`{"a":`+one+`,"b":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}}`, 4), `overlaps that of "a"`},
	{"unknown dtype", file(`{"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}}`, 4), `tensor "a": unknown dtype "f32"`},
	{"control characters", file(`{"\u001b[2J":{"dtype":"\n","shape":[1],"data_offsets":[0,4]}}`, 4), `tensor "\x1b[2J": unknown dtype "\n"`},
}

func TestParseMalformed(t *testing.T) {
	for _, c := range malformed {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("dir/f.safetensors", c.data)
			var format *badfile.FormatError
			if !errors.As(err, &format) {
				t.Fatalf("got %v (%T)", err, err)
			}
			msg := err.Error()
			if !strings.HasPrefix(msg, "dir/f.safetensors: ") || !strings.Contains(msg, c.want) {
				t.Errorf("got  %s\nwant %s", msg, c.want)
			}
			if len(msg) > 500 || strings.ContainsFunc(msg, func(r rune) bool { return r < ' ' }) {
				t.Errorf("not one short line: %q", msg)
			}
		})
	}
}

// TestParseForeign reads every dtype of the format, sub-byte ones included, and holds their sizes to it.
func TestParseForeign(t *testing.T) {
	for name, c := range map[string]struct {
		shape string
		bytes int
		want  string // part of the error
	}{
		"C64": {"[2]", 16, ""}, "F8_E4M3": {"[2,3]", 6, ""}, "F8_E5M2": {"[0]", 0, ""}, "F8_E8M0": {"[]", 1, ""}, "F8_E4M3FNUZ": {"[1]", 1, ""},
		"F8_E5M2FNUZ": {"[1]", 2, "do not span the 1 byte"}, "F4": {"[2,3]", 3, ""}, "F6_E2M3": {"[4]", 3, ""},
		"F6_E3M2": {"[2]", 2, "F6_E3M2 [2] does not fill whole bytes"}, "I4": {"[2]", 1, `unknown dtype "I4"`}, "Q8_0": {"[32]", 34, `unknown dtype "Q8_0"`},
	} {
		f, err := Parse("f", file(fmt.Sprintf(`{"w":{"dtype":%q,"shape":%s,"data_offsets":[0,%d]}}`, name, c.shape, c.bytes), c.bytes))
		switch {
		case c.want != "":
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %s", name, err, c.want)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		default:
			if w := f.Tensors()[0]; w.DType.String() != name || len(w.Data) != c.bytes {
				t.Errorf("%s: read %s of %d bytes", name, w.DType, len(w.Data))
			}
		}
	}
}

// TestLenient reads what is right of a file that Parse refuses, and says what is not.
func TestLenient(t *testing.T) {
	const w = `"w":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}`
	for name, c := range map[string]struct {
		data []byte
		want []string // parts of what was passed over; nil: refused
	}{
		"right":       {file(`{`+w+`}`, 2), []string{}},
		"one byte":    {file(`{`+w+`}`, 3), []string{"header promises 63 bytes, file has 64: 1 byte after the last tensor"}},
		"a hole":      {file(`{`+w+`,"x":{"dtype":"U8","shape":[1],"data_offsets":[5,6]}}`, 6), []string{`tensor "x": its data begins at 5 and leaves a hole`}},
		"a number":    {file(`{"__metadata__":{"step":5,"format":"pt","list":[{"a":"b"},null]},`+w+`}`, 2), []string{`"step" is the number "5"`, `"list" is an array`}},
		"no metadata": {file(`{"__metadata__":[1],`+w+`}`, 4), []string{"__metadata__: found an array", "2 bytes after the last tensor"}},
		"overlap":     {file(`{`+w+`,"x":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3), nil},
		"truncated":   {file(`{`+w+`}`, 1), nil},
		"cut header":  {file(`{`+w, 2), nil},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "w.safetensors")
			if err := os.WriteFile(path, c.data, 0o644); err != nil {
				t.Fatal(err)
			}
			f, passed, err := OpenLenient(path)
			if c.want == nil {
				if err == nil {
					t.Error("read what is not whole")
				}
				return
			}
			if err != nil || len(passed) != len(c.want) {
				t.Fatalf("%v, passed over %v, want %q", err, passed, c.want)
			}
			for i, want := range c.want {
				if !strings.Contains(passed[i].Error(), want) {
					t.Errorf("passed over %v, want %s", passed[i], want)
				}
			}
			if w, ok := f.Tensor("w"); !ok || len(w.Data) != 2 || f.Metadata()["step"] != "" {
				t.Errorf("read %v, %v", w, f.Metadata())
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			if _, err := Open(path); (err == nil) != (len(passed) == 0) {
				t.Errorf("Open: %v", err)
			}
		})
	}
}

func TestParseUnsupported(t *testing.T) {
	many := new(strings.Builder)
	for i := range maxKeys + 1 {
		fmt.Fprintf(many, `"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},`, i)
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"dimensions": {file(`{"w":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}}`, 1), `tensor "w": has more than 8 dimensions`},
		"header":     {file(`{}`+strings.Repeat(" ", maxHeader), 0), "header: 16777218 bytes, more than the 16777216"},
		"tensors":    {file(`{`+strings.TrimSuffix(many.String(), ",")+`}`, 0), "more than the 65536 names and keys"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("f", c.data)
			var unsupported *badfile.UnsupportedError
			if !errors.As(err, &unsupported) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// TestParseUnusual holds files that look odd and are right, as the reference package agrees.
func TestParseUnusual(t *testing.T) {
	for name, c := range map[string]struct {
		data  []byte
		names []string
	}{
		"no tensors":        {file(`{}`, 0), []string{}},
		"metadata only":     {file(`{"__metadata__":{"format":"pt"}}   `, 0), []string{}},
		"white space":       {file("{ \"a\" :\t"+one+"\n}\r\n", 4), []string{"a"}},
		"order":             {file(`{"b":{"dtype":"U8","shape":[1],"data_offsets":[4,5]},"a":`+one+`}`, 5), []string{"a", "b"}},
		"empty tensors":     {file(`{"z":{"dtype":"F32","shape":[0],"data_offsets":[4,4]},"c":{"dtype":"F32","shape":[3,0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"m":`+one+`}`, 4), []string{"a", "c", "m", "z"}},
		"empty name":        {file(`{"":`+one+`}`, 4), []string{""}},
		"surrogate pair":    {file(`{"\ud83d\udC0D":`+one+`}`, 4), []string{"🐍"}},
		"escaped backslash": {file(`{"\\ud800":`+one+`}`, 4), []string{`\ud800`}},
		"white space first": {file(` {"a":`+one+`}`, 4), []string{"a"}}, // the format's own text wants a {
		"null metadata":     {file(`{"__metadata__":null,"a":`+one+`}`, 4), []string{"a"}},
		"extra keys":        {file(`{"a":{"DType":"I8","Shape":"x","x":[{"y":["z"]},"}",1.5,null],"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), []string{"a"}},
		"unaligned":         {file(`{"a":`+one+`} `, 4), []string{"a"}},
		"like a pickle":     {file(`{"a":`+one+`}`+strings.Repeat(" ", 0x280-54), 4), []string{"a"}}, // length 80 02
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Parse("f", c.data)
			if err != nil {
				t.Fatal(err)
			}
			names := []string{}
			for _, x := range f.Tensors() {
				names = append(names, x.Name)
			}
			if diff := cmp.Diff(c.names, names); diff != "" {
				t.Error(diff)
			}
			if f.Close() != nil || f.Changed() != nil {
				t.Error("a file in memory has nothing to close or to change")
			}
		})
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
	path := filepath.Join(dir, "x.safetensors")
	if err := os.WriteFile(path, file(`{"a":`+one+`}`, 2), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.As(err, &format) || format.File != path {
		t.Error(err)
	}
}

// TestOpenCost opens a file of the size and tensor count of an 11 GB checkpoint, all of it a hole on disk:
// what is allocated may depend on the header only.
func TestOpenCost(t *testing.T) {
	columns := 4177
	if math.MaxInt == math.MaxInt32 {
		columns = 100 // as much as can be mapped there
	}
	entries := make([]Entry, 643)
	for i := range entries {
		entries[i] = Entry{fmt.Sprintf("backbone.layers.%d.mixer.in_proj.weight", i), tensor.F32, []int{1024, columns}}
	}
	header, _, total, err := Layout(entries, map[string]string{"format": "pt"})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := os.WriteFile(path, header, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, total); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err := Open(path)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if len(f.Tensors()) != len(entries) {
		t.Errorf("%d tensors", len(f.Tensors()))
	}
	if spent := after.TotalAlloc - before.TotalAlloc; spent > 1<<20+16*uint64(len(header)) {
		t.Errorf("%d bytes allocated for a header of %d", spent, len(header))
	}
}
