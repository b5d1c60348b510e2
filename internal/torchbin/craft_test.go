package torchbin

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"
)

// The pieces of pickles, spelled out. Texts and numbers take their long forms.

const proto = "\x80\x02"

// str is a text.
func str(s string) string { return "X" + string(le.AppendUint32(nil, uint32(len(s)))) + s }

// num is an integer of 32 bits, or of 64 bits when it takes them.
func num(n int64) string {
	if int64(int32(n)) == n {
		return "J" + string(le.AppendUint32(nil, uint32(n)))
	}
	return "\x8a\x08" + string(le.AppendUint64(nil, uint64(n)))
}

// nums is a tuple of integers.
func nums(list ...int64) string {
	b := "("
	for _, n := range list {
		b += num(n)
	}
	return b + "t"
}

// global is a class or function.
func glob(module, name string) string { return "c" + module + "\n" + name + "\n" }

// call applies a function to arguments.
func call(f string, args ...string) string { return f + "(" + strings.Join(args, "") + "tR" }

// pid is a storage.
func pid(class, key string, elements int64, more ...string) string {
	return "(" + str("storage") + glob("torch", class) + str(key) + str("cpu") + num(elements) + strings.Join(more, "") + "tQ"
}

var (
	orderedDict = call(glob("collections", "OrderedDict"))
	rebuild     = glob("torch._utils", "_rebuild_tensor_v2")
	rebuild3    = glob("torch._utils", "_rebuild_tensor_v3")
)

// view is a tensor in storage.
func viewOf(storage string, offset int64, shape, strides string) string {
	return call(rebuild, storage, num(offset), shape, strides, "\x89", orderedDict)
}

// vector is a tensor of n float32 that are storage 0.
func vector(n int64) string { return viewOf(pid("FloatStorage", "0", n), 0, nums(n), nums(1)) }

// dict is a pickle of a dict of names and values.
func dict(pairs ...string) string { return proto + items(pairs...) + "." }

// items is a dict inside a pickle.
func items(pairs ...string) string {
	b := "}("
	for i := 0; i < len(pairs); i += 2 {
		b += str(pairs[i]) + pairs[i+1]
	}
	return b + "u"
}

// archive is a zip checkpoint in the folder t with a pickle and other records, given by name and content.
func archive(pickle string, records ...string) []byte {
	return zipOf(append([]string{"t/data.pkl", pickle}, records...)...)
}

// zipOf is a zip archive of records.
func zipOf(records ...string) []byte {
	var b memory
	z := zipWriter{w: &b}
	for i := 0; i < len(records); i += 2 {
		if err := z.record(records[i], []byte(records[i+1])); err != nil {
			panic(err)
		}
	}
	if err := z.close(); err != nil {
		panic(err)
	}
	return b.data
}

// patched replaces the n-th occurrence of old in data, which must have it.
func patched(data []byte, n int, old, replacement string) []byte {
	at := 0
	for ; ; n-- {
		i := bytes.Index(data[at:], []byte(old))
		if i < 0 {
			panic(fmt.Sprintf("%q is not there", old))
		}
		if at += i; n == 0 {
			return append(append(bytes.Clone(data[:at]), replacement...), data[at+len(old):]...)
		}
		at += len(old)
	}
}

// set writes bytes at an offset behind the n-th occurrence of mark.
func set(data []byte, n int, mark string, offset int, value ...byte) []byte {
	b := patched(data, n, mark, mark)
	for i := 0; ; n-- {
		i += bytes.Index(b[i:], []byte(mark))
		if n == 0 {
			copy(b[i+offset:], value)
			return b
		}
		i += len(mark)
	}
}

const (
	localHeader   = "PK\x03\x04"
	descriptor    = "PK\x07\x08"
	centralHeader = "PK\x01\x02"
	endOfZip      = "PK\x05\x06"
)

// legacy is a file of the old format: an object, keys, and what follows.
func legacy(object string, keys []string, storages ...string) []byte {
	b := proto + "\x8a\x0a" + legacyMagic + "." + proto + "M\xe9\x03." + dict("little_endian", "\x88") + object + proto + "]("
	for _, k := range keys {
		b += str(k)
	}
	return []byte(b + "e." + strings.Join(storages, ""))
}

// stored is a storage of the old format.
func stored(elements uint64, data string) string {
	return string(le.AppendUint64(nil, elements)) + data
}

// vectorOf is vector in the old format.
func vectorOf(key string, n int64, part string) string {
	return viewOf(pid("FloatStorage", key, n, part), 0, nums(n), nums(1))
}

// deflated is archive with the pickle deflated.
func deflated(pickle string, records ...string) []byte {
	return deflateRecord(archive(pickle, records...), "t/data.pkl")
}

// deflateRecord writes data, an archive of zipWriter, again with one record deflated.
func deflateRecord(data []byte, name string) []byte {
	records, err := readZip("", data)
	if err != nil {
		panic(err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, r := range records {
		h := &zip.FileHeader{Name: r.name, Method: zip.Store}
		if r.name == name {
			h.Method = zip.Deflate
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			panic(err)
		}
		if _, err := f.Write(data[r.begin:r.end]); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}
