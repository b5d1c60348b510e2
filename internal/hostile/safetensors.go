package hostile

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
)

// raw is a file with that header, its length in front.
func raw(header string, body []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), body...)
}

// header describes tensors that lie one after another.
func header(dtype string, tensors []Tensor) (text string, body []byte) {
	entries := []string{`"__metadata__":{"format":"pt"}`}
	for _, t := range tensors {
		begin := len(body)
		body = append(body, encode(dtype, t.Values)...)
		shape, _ := json.Marshal(t.Shape) // of ints
		entries = append(entries, fmt.Sprintf(`%q:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, t.Name, dtype, shape, begin, len(body)))
	}
	return "{" + strings.Join(entries, ",") + "}", body
}

// packed is a safetensors file of the tensors.
func packed(dtype string, tensors []Tensor) []byte { return raw(header(dtype, tensors)) }

// edited is the model's file with its header changed: the first old becomes new.
func edited(old, new string) []byte {
	text, body := header("F32", Tensors("mamba"))
	if !strings.Contains(text, old) {
		panic("the header has no " + old)
	}
	return raw(strings.Replace(text, old, new, 1), body)
}

func safetensorsEntries() []Entry {
	const family = "safetensors"
	text, body := header("F32", Tensors("mamba"))
	good := raw(text, body)
	const (
		norm  = `"backbone.norm_f.weight":{"dtype":"F32","shape":[8],"data_offsets":[`
		first = `"backbone.embeddings.weight":{"dtype":"F32","shape":[16,8],"data_offsets":[0,512]}`
	)
	last := fmt.Sprintf("%d,%d", len(body)-32, len(body))
	length := func(n uint64) []byte {
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint64(b, n)
		return b
	}
	var list []Entry
	add := func(name, want string, weights []byte) { list = append(list, hf(weights).bad(family+"/"+name, want)) }

	add("empty", "is empty", []byte{})
	add("length 0", "", length(0))
	add("length 1", "", length(1))
	add("length one less", "JSON", length(uint64(len(text)-1)))
	add("length one more", "", length(uint64(len(text)+1)))
	add("length of the file", "truncated", length(uint64(len(good))))
	add("length 100 MB", "truncated", length(100_000_000))
	add("length above the cap", "", length(100_000_001))
	add("length 2^31", "", length(1<<31))
	add("length 2^63", "", length(1<<63))
	add("length 2^64-1", "", length(1<<64-1))
	add("length 2^64-8 wraps", "", length(1<<64-8))
	add("text, no tensors", "", raw("{}", nil))
	add("metadata only", "no tensors", raw(`{"__metadata__":{"format":"pt"}}`, nil))
	for _, odd := range []string{"null", "[]", "1", `"x"`, "true", "", " ", "{", "}", "{]", `{"a"}`, `{"a":}`, `{,}`, "{}{}", "{} x", "{\"a\":1,}", "\x00\x00\x00\x00"} {
		add("header "+fmt.Sprintf("%q", odd), "", raw(odd, nil))
	}
	add("header of deep brackets", "", raw(`{"a":`+strings.Repeat("[", 100_000), nil))
	add("header of deep closed brackets", "", raw(`{"a":`+strings.Repeat("[", 50_000)+strings.Repeat("]", 50_000)+"}", nil))
	add("header of deep objects", "", raw(strings.Repeat(`{"a":`, 50_000)+"1"+strings.Repeat("}", 50_000), nil))
	add("byte order mark", "", raw("\ufeff"+text, body))
	add("UTF-16", "", raw(strings.Join(strings.Split("{}", ""), "\x00")+"\x00", nil))
	add("trailing NUL in header", "", raw(text+"\x00", body))
	add("comment in header", "", raw("{/*x*/"+text[1:], body))
	add("single quotes", "", raw(strings.ReplaceAll(text, `"`, "'"), body))
	add("name not UTF-8", "UTF-8", edited("norm_f", "norm_\xff"))
	add("name of half a surrogate", "surrogate", edited("norm_f", `norm_\ud800`))
	add("name with NUL escape", "", edited("norm_f", `norm_\u0000`))
	add("name with escape sequence", "", edited("norm_f", `norm_\u001b[2J`))
	add("name with newline", "", edited("norm_f", `norm_\n\nok`))
	add("name of right-to-left override", "", edited("norm_f", "norm_\u202e"))
	add("name empty", "", edited("backbone.norm_f.weight", ""))
	add("name of 1 MiB", "", edited("norm_f", strings.Repeat("n", 1<<20)))
	add("name of another case", "", edited("norm_f", "NORM_F"))
	add("name twice", "twice", edited("{", "{"+first+","))
	add("name twice by escape", "twice", edited("{", "{"+strings.Replace(first, "b", `\u0062`, 1)+","))
	add("metadata twice", "twice", edited(`{"__metadata__"`, `{"__metadata__":{},"__metadata__"`))
	add("metadata key twice", "twice", edited(`"format":"pt"`, `"format":"pt","format":"np"`))
	add("metadata number", "__metadata__", edited(`"pt"`, "1"))
	add("metadata nested", "__metadata__", edited(`"pt"`, `{"a":"b"}`))
	add("metadata list", "__metadata__", edited(`{"format":"pt"}`, "[]"))
	add("tensor null", "norm_f", edited(norm+last+"]}", `"backbone.norm_f.weight":null`))
	add("tensor a list", "norm_f", edited(norm+last+"]}", `"backbone.norm_f.weight":[]`))
	add("tensor without dtype", "incomplete", edited(`"dtype":"F32",`, ""))
	add("tensor without shape", "incomplete", edited(`"shape":[16,8],`, ""))
	add("tensor without offsets", "incomplete", edited(`,"data_offsets":[0,512]`, ""))
	add("unknown key twice", "twice", edited(`"shape":[16,8]`, `"x":1,"shape":[16,8],"x":0`))
	add("field twice", "twice", edited(`"dtype":"F32"`, `"dtype":"F32","dtype":"F32"`))
	add("field of another case", "incomplete", edited(`"dtype"`, `"DType"`))
	for _, dtype := range []string{"F8_E4M3", "F8_E5M2", "F4", "F6_E2M3", "C64"} {
		add("dtype "+dtype, dtype, edited(`"dtype":"F32"`, `"dtype":"`+dtype+`"`))
	}
	for _, dtype := range []string{`"F31"`, `"f32"`, `""`, "32", "null", `"F32\u0000"`, `["F32"]`} {
		add("dtype "+dtype, "", edited(`"dtype":"F32"`, `"dtype":`+dtype))
	}
	for _, dtype := range []string{"I32", "U32", "F32x"} {
		add("weights as "+dtype, dtype, edited(`"dtype":"F32"`, `"dtype":"`+dtype+`"`))
	}
	for _, shape := range []string{"[16,9]", "[8,16]", "[-16,-8]", "[16.0,8]", "[1e1,8]", `["16",8]`, "[[16],8]", "16", "null", "{}", "[]", "[16,8,0]",
		"[9223372036854775808,8]", "[18446744073709551616]", "[4294967296,4294967296]", "[0,18446744073709551615]", "[1,1,1,1,1,1,1,1,16,8]",
		"[" + strings.Repeat("1,", 50_000) + "16,8]", "[9999999999999999999999999999999999999999]", "[true,8]", "[16,8,null]"} {
		add("shape "+shape[:min(len(shape), 45)], "embeddings", edited(`"shape":[16,8]`, `"shape":`+shape))
	}
	for _, offsets := range []string{"[0,511]", "[0,513]", "[512,0]", "[1,513]", "[-1,511]", "[0]", "[]", "[0,512,1024]", "null", `"0,512"`, "[0,512.0]",
		"[0,18446744073709551615]", "[18446744073709551104,0]", "[18446744073709551615,511]", "[0.0,512]", `["0","512"]`} {
		add("offsets "+offsets, "embeddings", edited(`"data_offsets":[0,512]`, `"data_offsets":`+offsets))
	}
	for _, offsets := range []string{"[9223372036854775807,9223372036854776319]", "[512,1024]", "[4611686018427387904,4611686018427388416]"} {
		add("offsets "+offsets, "hole", edited(`"data_offsets":[0,512]`, `"data_offsets":`+offsets))
	}
	add("two tensors at one place", "", raw(strings.Replace(text, last, fmt.Sprintf("%d,%d", len(body)-64, len(body)-32), 1), body))
	add("hole before the last", "hole", raw(strings.Replace(text, last, fmt.Sprintf("%d,%d", len(body)-28, len(body)+4), 1), append(bytes.Clone(body), 0, 0, 0, 0)))
	add("bytes at the end", "after the last tensor", append(bytes.Clone(good), 1, 2, 3))
	add("a zip at the end (polyglot)", "after the last tensor", append(bytes.Clone(good), zipOf(nil)...))
	long := Tensors("mamba")
	long = append(long, Tensor{strings.Repeat("layers.0.", 1<<13) + "mixer.D", []int{inner}, long[0].Values[:inner]}, Tensor{"module.lm_head.weight", []int{inner}, long[0].Values[:inner]})
	add("names that are long and in wrappers", "lm_head.weight", packed("F32", long))
	add("a tensor twice, once in a wrapper", "in a wrapper", packed("F32", append(Tensors("mamba"), Tensor{"module.backbone.norm_f.weight", []int{width}, long[0].Values[:width]})))
	add("one byte more", "1 byte after the last tensor", append(bytes.Clone(good), 0))
	add("no offset reaches the end", "", raw(text, append(bytes.Clone(body), body...)))
	list = append(list,
		late(family+"/100,000 entries at one place", "", func() files { return hf(raw("{"+manyEntries(100_000)+"}", nil)) }),
		late(family+"/70,000 metadata keys", "", func() files { return hf(raw(`{"__metadata__":{`+manyKeys(70_000)+"},"+text[1:], body)) }))
	list = append(list, late(family+"/17 MiB of spaces", "", func() files { return hf(raw(text+strings.Repeat(" ", 17<<20), body)) }))
	add("extra tensor of the family", "backbone.layers.9", edited("{", `{"backbone.layers.9.mixer.D":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},`))
	add("a tensor missing", "missing", packed("F32", Tensors("mamba")[:len(Tensors("mamba"))-1]))
	add("a block missing", "missing", packed("F32", append(Tensors("mamba")[:11:11], Tensors("mamba")[21:]...)))
	add("weights of another family", "Mamba-2", packed("F32", Tensors("mamba2")))
	add("integer weights", "", edited(`"dtype":"F32","shape":[16,8],"data_offsets":[0,512]`, `"dtype":"I8","shape":[64,8],"data_offsets":[0,512]`))
	boundaries := []int{1, 4, 7, 8, 9, 16, 8 + len(text)/2, 8 + len(text) - 1, 8 + len(text), 8 + len(text) + 1, len(good) / 2, len(good) - 33, len(good) - 1}
	return append(list, cuts(family, "model.safetensors", base(), boundaries)...)
}

func manyEntries(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"t%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`, i)
	}
	return b.String()[1:]
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"k%d":""`, i)
	}
	return b.String()[1:]
}
