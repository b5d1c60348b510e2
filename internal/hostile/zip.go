package hostile

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
)

var le = binary.LittleEndian

// record is an entry of a zip archive. What is zero is as torch writes it.
type record struct {
	name    string
	content []byte

	local         string // name in the local header
	method, flags uint16
	crc           uint32 // added to the true one
	size          uint32 // added to the true ones in the directory
	inflated      uint32 // added to the inflated size
	offset        int    // added to the true one in the directory
	twice         bool   // listed a second time
	align         int    // of the content; 0: none
	zip64         bool   // sizes in the extra field
	extra         []byte
}

// end changes the end record of an archive: entries, size and offset of the directory, comment.
type end struct {
	entries, size, offset int
	comment               string
	before                []byte // in front of the archive
	zip64                 bool
	entries64, at64       uint64 // added in the zip64 end record and its locator
}

// zipOf is an archive of plain records.
func zipOf(records []record) []byte { return zipWith(records, end{}) }

func zipWith(records []record, e end) []byte {
	b := bytes.Clone(e.before)
	var directory []byte
	entries := 0
	for _, r := range records {
		at := len(b)
		stored := r.content
		if r.method == 8 {
			var w bytes.Buffer
			d, _ := flate.NewWriter(&w, 9) // of a valid level
			d.Write(r.content)
			d.Close()
			stored = w.Bytes()
		}
		local, extra := r.name, bytes.Clone(r.extra)
		if r.local != "" {
			local = r.local
		}
		sum := crc32.ChecksumIEEE(r.content) + r.crc
		size, full := uint32(len(stored))+r.size, uint32(len(r.content))+r.inflated
		central := extra
		if r.zip64 {
			wide := le.AppendUint64(le.AppendUint64(nil, uint64(full)), uint64(size))
			extra = append(le.AppendUint16(le.AppendUint16(extra, 1), 16), wide...)
			central, size, full = extra, 1<<32-1, 1<<32-1
		}
		if r.align > 0 {
			room := (r.align - (len(b)+30+len(local)+len(extra)+4)%r.align) % r.align
			extra = append(le.AppendUint16(le.AppendUint16(bytes.Clone(extra), 0x4246), uint16(room)), make([]byte, room)...)
		}
		common := func(b []byte, extra []byte, name string) []byte {
			b = le.AppendUint16(le.AppendUint16(le.AppendUint16(b, 20), 0x800|r.flags), r.method)
			b = le.AppendUint32(le.AppendUint32(b, 0), sum) // no time
			b = le.AppendUint32(le.AppendUint32(b, size), full)
			return le.AppendUint16(le.AppendUint16(b, uint16(len(name))), uint16(len(extra)))
		}
		b = append(append(common(append(b, "PK\x03\x04"...), extra, local), local...), extra...)
		b = append(b, stored...)
		times := 1
		if r.twice {
			times = 2
		}
		for range times {
			directory = common(append(directory, "PK\x01\x02\x14\x00"...), central, r.name)
			directory = append(directory, make([]byte, 10)...)
			directory = le.AppendUint32(directory, uint32(at+r.offset))
			directory = append(append(directory, r.name...), central...)
			entries++
		}
	}
	at := len(b)
	b = append(b, directory...)
	if e.zip64 {
		at64 := len(b)
		b = append(le.AppendUint64(append(b, "PK\x06\x06"...), 44), 45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		b = le.AppendUint64(le.AppendUint64(b, uint64(entries)+e.entries64), uint64(entries)+e.entries64)
		b = le.AppendUint64(le.AppendUint64(b, uint64(len(directory))), uint64(at))
		b = le.AppendUint64(append(b, "PK\x06\x07\x00\x00\x00\x00"...), uint64(at64)+e.at64)
		b = le.AppendUint32(b, 1)
		b = append(b, "PK\x05\x06\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"...)
	} else {
		n := uint16(entries + e.entries)
		b = le.AppendUint16(le.AppendUint16(append(b, "PK\x05\x06\x00\x00\x00\x00"...), n), n)
		b = le.AppendUint32(le.AppendUint32(b, uint32(len(directory)+e.size)), uint32(at+e.offset))
	}
	return append(le.AppendUint16(b, uint16(len(e.comment))), e.comment...)
}

// torchRecords are the records that torch.save writes for a pickle and storages.
func torchRecords(pickle string, storages ...[]byte) []record {
	list := []record{{name: "m/data.pkl", content: []byte(pickle)}, {name: "m/byteorder", content: []byte("little")}}
	for i, s := range storages {
		list = append(list, record{name: "m/data/" + strconv.Itoa(i), content: s, align: 64})
	}
	return append(list, record{name: "m/version", content: []byte("3\n")})
}

// stateDict is the pickle of tensors that have a storage each, and the storages.
func stateDict(tensors []Tensor) (pickle string, storages [][]byte) {
	var pairs []string
	for i, t := range tensors {
		n := count(t.Shape)
		pairs = append(pairs, t.Name, view(storage("FloatStorage", strconv.Itoa(i), n), 0, t.Shape, strides(t.Shape)))
		storages = append(storages, encode("F32", t.Values))
	}
	return proto + ordered(pairs...) + ".", storages
}

// torched is an older Hugging Face folder with these weights.
func torched(weights []byte) files {
	return files{"config.json": []byte(configHF), "pytorch_model.bin": weights}
}

// saved are the records of the model as torch.save writes it.
func saved() []record {
	pickle, storages := stateDict(Tensors("mamba"))
	return torchRecords(pickle, storages...)
}

// original is the model in the layout of mamba_ssm, its tied head in the same storage.
func original() files {
	tensors := Tensors("mamba")
	tensors[0].Name = "backbone.embedding.weight"
	pickle, storages := stateDict(tensors)
	head := view(storage("FloatStorage", "0", vocab*width), 0, []int{vocab, width}, []int{width, 1})
	pickle = strings.TrimSuffix(pickle, "u.") + text("lm_head.weight") + head + "u."
	return files{"config.json": []byte(configOriginal), "pytorch_model.bin": zipOf(torchRecords(pickle, storages...))}
}

func zipEntries() []Entry {
	const family, file = "zip", "pytorch_model.bin"
	good := zipOf(saved())
	var list []Entry
	add := func(name, want string, weights []byte) {
		list = append(list, torched(weights).bad(family+"/"+name, want))
	}
	// change makes an entry in which record i, from the end where negative, is another.
	change := func(name, want string, i int, edit func(r *record)) {
		records := slices.Clone(saved())
		if i < 0 {
			i += len(records)
		}
		edit(&records[i])
		add(name, want, zipOf(records))
	}
	for _, odd := range []string{"../data/0", "/etc/passwd", "m/../../x", `m\data\0`, "m//data/0", "m/./data/0", "C:/x", "m/data/\x00", "m/data/\xff", "\x1b[2J", "",
		strings.Repeat("n", 40_000), "m/data.pkl/", "M/data.pkl"} {
		change("name "+strconv.Quote(odd[:min(len(odd), 30)]), file, 3, func(r *record) { r.name = odd })
	}
	change("names differ", "own header", 3, func(r *record) { r.local = "m/data/9" })
	change("local name leads out", "own header", 3, func(r *record) { r.local = "../../etc" })
	change("wrong checksum of a tensor", "CRC-32", 3, func(r *record) { r.crc = 1 })
	list[len(list)-1].Deep = true
	change("wrong checksum of the pickle", "CRC-32", 0, func(r *record) { r.crc = 1 })
	change("deflated tensor of another size", "inflates", 3, func(r *record) { r.method, r.inflated = 8, 4 })
	change("encrypted", "encrypted", 3, func(r *record) { r.flags = 1 })
	change("strongly encrypted", "encrypted", 3, func(r *record) { r.flags = 1 | 1<<6 })
	change("patched data", "flags", 3, func(r *record) { r.flags = 1 << 5 })
	for _, version := range []string{"", "x", "-3", "0", "11", "99999999999999999999", strings.Repeat("3", 100)} {
		change("version "+strconv.Quote(version[:min(len(version), 20)]), "version", -1, func(r *record) { r.content = []byte(version) })
	}
	for _, method := range []uint16{1, 6, 9, 12, 14, 93, 99, 0xffff} {
		change("method "+strconv.Itoa(int(method)), "method", 3, func(r *record) { r.method = method })
	}
	change("tensor longer than it is", "", 3, func(r *record) { r.size, r.inflated = 4, 4 })
	change("tensor shorter than it is", "", 3, func(r *record) { r.size, r.inflated = 1<<32-4, 1<<32-4 })
	change("tensor of 4 GiB", "", 3, func(r *record) { r.size, r.inflated = 1<<31, 1<<31 })
	change("sizes differ", "", 3, func(r *record) { r.inflated = 4 })
	change("begins elsewhere", "", 3, func(r *record) { r.offset = 1 })
	change("begins at the one before", "", 3, func(r *record) { r.offset = -200 })
	change("begins beyond the file", "", 3, func(r *record) { r.offset = 1 << 30 })
	change("listed twice", "twice", 3, func(r *record) { r.twice = true })
	change("pickle listed twice", "twice", 0, func(r *record) { r.twice = true })
	change("pickle deflated, said to be empty", "", 0, func(r *record) { r.method, r.inflated = 8, -uint32(len(r.content)) })
	change("pickle deflated, said to be 2 GiB", "", 0, func(r *record) { r.method, r.inflated = 8, 1<<31 })
	for _, size := range []int{60, 200} {
		list = append(list, late(fmt.Sprintf("%s/pickle a bomb of %d MiB", family, size), "", func() files {
			records := slices.Clone(saved())
			records[0].method, records[0].content = 8, bytes.Repeat([]byte("N"), size<<20)
			return torched(zipOf(records))
		}))
	}
	list = append(list, late(family+"/tensor a bomb of 200 MiB", "compressed", func() files {
		records := slices.Clone(saved())
		records[3].method, records[3].content = 8, make([]byte, 200<<20)
		return torched(zipOf(records))
	}))
	list = append(list, late(family+"/pickle stored of 70 MiB", "", func() files {
		records := slices.Clone(saved())
		records[0].content = bytes.Repeat([]byte("N"), 70<<20)
		return torched(zipOf(records))
	}))
	change("broken extra field", "extra", 3, func(r *record) { r.extra, r.align = []byte{9, 9, 255, 255}, 0 })
	change("byte order big", "big-endian", 1, func(r *record) { r.content = []byte("big") })
	change("byte order middle", "byteorder", 1, func(r *record) { r.content = []byte("middle") })
	change("no pickle", "data.pkl", 0, func(r *record) { r.name = "m/date.pkl" })
	change("pickle too deep", "data.pkl", 0, func(r *record) { r.name = "m/m/data.pkl" })
	change("pickle on top", "data.pkl", 0, func(r *record) { r.name = "data.pkl" })
	change("two pickles", "two pickles", -1, func(r *record) { r.name = "n/data.pkl" })
	change("TorchScript", "TorchScript", -1, func(r *record) { r.name = "m/constants.pkl" })
	change("storage missing", "missing", 3, func(r *record) { r.name = "m/data/x" })
	for i, e := range []end{{entries: 1}, {entries: -1}, {entries: 10_000}, {size: 1}, {size: -1}, {size: 1 << 30}, {offset: 1}, {offset: -1}, {offset: 1 << 30},
		{before: []byte("MZ\x90\x00")}, {before: []byte("PK\x03\x04")}, {zip64: true, entries64: 1 << 60}, {zip64: true, at64: 1}, {zip64: true, at64: 1 << 63}} {
		add("end record "+strconv.Itoa(i), "", zipWith(saved(), e))
	}
	elsewhere := bytes.Clone(good)
	le.PutUint16(elsewhere[bytes.LastIndex(elsewhere, []byte("PK\x01\x02"))+34:], 1)
	add("record in another part", "split", elsewhere)
	add("no records", "", zipOf(nil))
	add("an office document", "data.pkl", zipOf([]record{{name: "word/document.xml", content: []byte("<xml/>")}}))
	add("30,000 records", "", zipOf(slices.Repeat([]record{{name: "m/x"}}, 30_000)))
	add("two archives", "", append(bytes.Clone(good), good...))
	add("zip after a script", "", append([]byte("#!/bin/sh\ntouch "+Canary+"\nexit\n"), good...))
	add("bytes at the end", "", append(bytes.Clone(good), 0))
	add("overlapping records (zip bomb of one kernel)", "", overlapping())
	var at []int
	for i := range good {
		if bytes.HasPrefix(good[i:], []byte("PK")) {
			at = append(at, i)
		}
	}
	at = append(at[:6], at[len(at)-3:]...)
	return append(list, cuts(family, file, torched(good), append(at, 2, 4, 29, len(good)-1, len(good)/2))...)
}

// overlapping lists many records that share one body.
func overlapping() []byte {
	pickle, storages := stateDict(Tensors("mamba"))
	records := torchRecords(pickle, storages[0])
	r := records[2]
	for range 5000 {
		records = append(records, r)
	}
	b := zipOf(records)
	first := bytes.Index(b, []byte("PK\x03\x04"))
	// All entries of the directory point to the first record.
	for i := bytes.Index(b, []byte("PK\x01\x02")); i >= 0 && i+46 < len(b) && b[i] == 'P' && b[i+2] == 1; {
		le.PutUint32(b[i+42:], uint32(first))
		i += 46 + int(le.Uint16(b[i+28:])) + int(le.Uint16(b[i+30:]))
	}
	return b
}
