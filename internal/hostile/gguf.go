package hostile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The kinds of GGUF values that are used here.
const (
	kindU32, kindF32, kindBool, kindString, kindArray, kindU64 = 4, 6, 7, 8, 9, 10
)

// pair is a key with its kind and value, spelled out.
type pair struct {
	key   string
	kind  uint32
	value []byte
}

func u32(n uint32) []byte  { return le.AppendUint32(nil, n) }
func u64(n uint64) []byte  { return le.AppendUint64(nil, n) }
func str(s string) []byte  { return append(u64(uint64(len(s))), s...) }
func f32(v float32) []byte { return u32(math.Float32bits(v)) }

// array is the value of an array of n elements.
func array(kind uint32, n uint64, elements []byte) []byte {
	return append(append(u32(kind), u64(n)...), elements...)
}

// info is a tensor in the list of a file.
type info struct {
	name   string
	dims   []uint64 // fastest first
	kind   uint32
	offset uint64
	data   []byte
}

// container is a GGUF file before it is spelled out.
type container struct {
	magic          string
	version        uint32
	tensors, pairs uint64 // added to the true counts
	keys           []pair
	list           []info
	align          int

	ends []int
}

// lay gives the tensors their offsets.
func (c *container) lay() *container {
	at := 0
	for i := range c.list {
		c.list[i].offset = uint64(at)
		at += (len(c.list[i].data) + c.align - 1) / c.align * c.align
	}
	return c
}

// bytes spells the file out, and notes where its parts end.
func (c *container) bytes() []byte {
	b := append([]byte(c.magic), u32(c.version)...)
	b = append(append(b, u64(uint64(len(c.list))+c.tensors)...), u64(uint64(len(c.keys))+c.pairs)...)
	c.ends = []int{3, 4, 8, 16, len(b)}
	for _, p := range c.keys {
		b = append(append(append(b, str(p.key)...), u32(p.kind)...), p.value...)
		c.ends = append(c.ends, len(b), len(b)-1)
	}
	for _, t := range c.list {
		b = append(append(b, str(t.name)...), u32(uint32(len(t.dims)))...)
		for _, d := range t.dims {
			b = append(b, u64(d)...)
		}
		b = append(append(b, u32(t.kind)...), u64(t.offset)...)
		c.ends = append(c.ends, len(b), len(b)-9)
	}
	for i, t := range c.list {
		b = append(b, make([]byte, (c.align-len(b)%c.align)%c.align)...)
		if b = append(b, t.data...); i%7 == 0 {
			c.ends = append(c.ends, len(b)-1)
		}
	}
	return b
}

// gguf is the model of a family as llama.cpp's converter writes it, matrices in F32.
func gguf(family string) *container {
	size := func(key string, n uint32) pair { return pair{family + key, kindU32, u32(n)} }
	c := &container{magic: "GGUF", version: 3, align: 32, keys: []pair{
		{"general.architecture", kindString, str(family)}, size(".context_length", 1<<20), size(".embedding_length", width),
		size(".feed_forward_length", 0), size(".attention.head_count", 0), size(".block_count", layers), size(".ssm.conv_kernel", kernel),
		size(".ssm.inner_size", inner), size(".ssm.state_size", state), {family + ".attention.layer_norm_rms_epsilon", kindF32, f32(1e-5)},
		{"general.file_type", kindU32, u32(0)},
	}}
	if family == "mamba2" {
		c.keys = append(c.keys, size(".ssm.time_step_rank", heads), size(".ssm.group_count", groups))
	} else {
		c.keys = append(c.keys, size(".ssm.time_step_rank", rank), pair{"mamba.ssm.dt_b_c_rms", kindBool, []byte{0}})
	}
	for _, t := range Tensors(family) {
		c.list = append(c.list, ggufTensor(family, t))
	}
	return c.lay()
}

var ggufNames = strings.NewReplacer("backbone.embeddings.weight", "token_embd.weight", "backbone.norm_f.weight", "output_norm.weight",
	"backbone.layers.", "blk.", ".mixer.norm.weight", ".ssm_norm.weight", ".norm.weight", ".attn_norm.weight", "mixer.in_proj.", "ssm_in.", "mixer.conv1d.", "ssm_conv1d.", "mixer.x_proj.", "ssm_x.",
	"mixer.dt_proj.", "ssm_dt.", "mixer.dt_bias", "ssm_dt.bias", "mixer.A_log", "ssm_a", "mixer.D", "ssm_d", "mixer.out_proj.", "ssm_out.")

func ggufTensor(family string, t Tensor) info {
	shape, values := slices.Clone(t.Shape), t.Values
	switch {
	case strings.HasSuffix(t.Name, "A_log"):
		values = make([]float32, len(values))
		for i, v := range t.Values {
			values[i] = float32(-math.Exp(float64(v)))
		}
		fallthrough
	case strings.HasSuffix(t.Name, "mixer.D"):
		if family == "mamba2" {
			shape = []int{heads, 1}
		}
	case len(shape) == 3:
		shape = []int{shape[0], shape[2]}
	case strings.HasSuffix(t.Name, "mixer.norm.weight"):
		shape = []int{groups, inner / groups}
	}
	slices.Reverse(shape)
	i := info{name: ggufNames.Replace(t.Name), data: encode("F32", values)}
	for _, d := range shape {
		i.dims = append(i.dims, uint64(d))
	}
	return i
}

// inGGUF is a folder that holds one GGUF file.
func inGGUF(content []byte) files { return files{"model.gguf": content} }

func ggufEntries() []Entry {
	const family = "gguf"
	var list []Entry
	add := func(name, want string, edit func(c *container)) {
		c := gguf("mamba")
		edit(c)
		list = append(list, inGGUF(c.bytes()).bad(family+"/"+name, want).at("model.gguf"))
	}
	key := func(c *container, name string) *pair {
		i := slices.IndexFunc(c.keys, func(p pair) bool { return p.key == name })
		return &c.keys[i]
	}
	for _, v := range []uint32{0, 1, 4, 5, 255, 1 << 24, 2 << 24, 3 << 24, 1<<32 - 1} {
		add("version "+strconv.Itoa(int(v)), "version", func(c *container) { c.version = v })
	}
	for _, magic := range []string{"GGUD", "gguf", "FUGG", "GGML", "ggjt", "tjgg", "lmgg", "\x00\x00\x00\x00", "<htm"} {
		add("magic "+strconv.Quote(magic), "model.gguf", func(c *container) { c.magic = magic })
	}
	for _, n := range []uint64{1, 1000, 1 << 20, 1 << 31, 1 << 32, 1 << 40, 1 << 60, 1 << 62, 1 << 63, 1<<64 - 30} {
		add(fmt.Sprint("tensor count +", n), "", func(c *container) { c.tensors = n })
		add(fmt.Sprint("key count +", n), "", func(c *container) { c.pairs = n })
	}
	add("no tensors", "", func(c *container) { c.list = nil })
	add("no keys", "", func(c *container) { c.keys = nil })
	alignment := func(kind uint32, value []byte) func(c *container) {
		return func(c *container) { c.keys = append(c.keys, pair{"general.alignment", kind, value}) }
	}
	for _, n := range []uint32{0, 1, 2, 3, 4, 7, 24, 33, 48, 1 << 21, 1 << 31, 1<<32 - 1} {
		add("alignment "+strconv.Itoa(int(n)), "alignment", alignment(kindU32, u32(n)))
	}
	add("alignment a string", "alignment", alignment(kindString, str("32")))
	add("alignment u64", "alignment", alignment(kindU64, u64(32)))
	add("alignment an array", "alignment", alignment(kindArray, array(kindU32, 1, u32(32))))
	add("alignment twice", "twice", func(c *container) { alignment(kindU32, u32(32))(c); alignment(kindU32, u32(64))(c) })
	add("alignment 64 in a file laid out by 32", "", alignment(kindU32, u32(64)))
	odd := func(name string, kind uint32, value []byte) {
		add("value: "+name, "odd", func(c *container) { c.keys = append(c.keys, pair{"odd", kind, value}) })
	}
	for _, n := range []uint64{5, 1 << 20, 1 << 31, 1 << 40, 1 << 62, 1 << 63, 1<<64 - 1} {
		odd(fmt.Sprint("string of ", n), kindString, append(u64(1<<33|n), "abcd"...))
		odd(fmt.Sprint("array of ", n, " bytes"), kindArray, array(0, 1<<33|n, []byte("abcd")))
		odd(fmt.Sprint("array of ", n, " u64"), kindArray, array(kindU64, 1<<33|n, nil))
		odd(fmt.Sprint("array of ", n, " strings"), kindArray, array(kindString, 1<<33|n, str("")))
	}
	odd("kind 13", 13, nil)
	odd("kind 2^32-1", 1<<32-1, nil)
	odd("array of kind 13", kindArray, array(13, 1, []byte{0}))
	odd("array of arrays", kindArray, array(kindArray, 1, array(kindArray, 1, array(kindU32, 1, u32(1)))))
	odd("arrays 10,000 deep", kindArray, bytes.Repeat(array(kindArray, 1, nil), 10_000))
	odd("bool 2", kindBool, []byte{2})
	odd("array of bools 255", kindArray, array(kindBool, 2, []byte{1, 255}))
	odd("strings of which one is too long", kindArray, array(kindString, 3, append(str("a"), u64(1<<63)...)))
	add("key of 2^63", "", func(c *container) { c.keys = append(c.keys, pair{"", 0, nil}) })
	add("key empty", "", func(c *container) { c.keys = append(c.keys, pair{"", kindU32, u32(1)}) })
	add("key of 70,000 bytes", "", func(c *container) { c.keys = append(c.keys, pair{strings.Repeat("k", 70_000), kindU32, u32(1)}) })
	add("key not UTF-8", "UTF-8", func(c *container) { c.keys = append(c.keys, pair{"k\xff", kindU32, u32(1)}) })
	add("key twice", "twice", func(c *container) { c.keys = append(c.keys, c.keys[3]) })
	add("20,000 keys", "", func(c *container) {
		for i := range 20_000 {
			c.keys = append(c.keys, pair{"k" + strconv.Itoa(i), 0, []byte{1}})
		}
	})
	for _, name := range []string{"embedding_length", "block_count", "ssm.conv_kernel", "ssm.inner_size", "ssm.state_size", "ssm.time_step_rank"} {
		k := "mamba." + name
		for _, n := range []uint32{0, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
			add(fmt.Sprint(k, " ", n), "", func(c *container) { key(c, k).value = u32(n) })
		}
		add(k+" a string", k, func(c *container) { p := key(c, k); p.kind, p.value = kindString, str("8") })
		add(k+" of another shape", k, func(c *container) { key(c, k).value = u32(7) })
		add(k+" 2^40", "", func(c *container) { p := key(c, k); p.kind, p.value = kindU64, u64(1<<40) })
		add(k+" missing", k, func(c *container) { *key(c, k) = pair{"else", kindU32, u32(1)} })
	}
	add("epsilon NaN", "epsilon", func(c *container) { key(c, "mamba.attention.layer_norm_rms_epsilon").value = f32(float32(math.NaN())) })
	add("epsilon -1", "epsilon", func(c *container) { key(c, "mamba.attention.layer_norm_rms_epsilon").value = f32(-1) })
	for _, arch := range []string{"llama", "mamba3", "", "jamba", "\x1b[2J", strings.Repeat("a", 5000)} {
		add(fmt.Sprintf("architecture %.20q", arch), "", func(c *container) { key(c, "general.architecture").value = str(arch) })
	}
	add("architecture a number", "general.architecture", func(c *container) { p := key(c, "general.architecture"); p.kind, p.value = kindU32, u32(1) })
	tensor := func(name, want string, edit func(t *info)) {
		add("tensor: "+name, want, func(c *container) { edit(&c.list[3]) })
	}
	for _, n := range []uint64{1, 31, 33, 32, 1 << 20, 1 << 40, 1 << 62, 1 << 63, 1<<64 - 32} {
		tensor(fmt.Sprint("offset +", n), "", func(t *info) { t.offset += n })
	}
	for _, dims := range [][]uint64{{}, {0, 16}, {4, 0}, {1 << 63, 2}, {1 << 32, 1 << 32}, {1 << 62, 4}, {1<<64 - 1, 1}, {1, 1, 1, 1, 1}, {16, 4}, {5, 16}, {1 << 31, 1 << 31, 1 << 2}} {
		tensor(fmt.Sprint("dimensions ", dims), "", func(t *info) { t.dims = dims })
	}
	tensor("100,000 dimensions", "", func(t *info) { t.dims = make([]uint64, 100_000) })
	for _, kind := range []uint32{4, 5, 31, 36, 38, 99, 1 << 31, 1<<32 - 1} {
		tensor(fmt.Sprint("type ", kind), "type", func(t *info) { t.kind = kind })
	}
	for _, kind := range []uint32{2, 8, 12, 16, 24, 26} { // quantized or integers: of another size, and no weights of this model
		tensor(fmt.Sprint("type ", kind), "", func(t *info) { t.kind = kind })
	}
	tensor("name twice", "", func(t *info) { t.name = "blk.0.attn_norm.weight" })
	tensor("name of 65 bytes", "", func(t *info) { t.name = strings.Repeat("n", 65) })
	tensor("name of 1 MiB", "", func(t *info) { t.name = strings.Repeat("n", 1<<20) })
	tensor("name not UTF-8", "UTF-8", func(t *info) { t.name = "\xff" })
	tensor("name of control characters", "", func(t *info) { t.name = "\x1b[2J\r\n" })
	tensor("unknown", "", func(t *info) { t.name = "blk.7.ssm_conv1d.weight" })
	add("a tensor missing", "blk.0.", func(c *container) { c.list = slices.Delete(c.list, 5, 6); c.lay() })
	add("no embedding", "token_embd", func(c *container) { c.list = c.list[1:]; c.lay() })
	add("no bias of the convolution in the first block only", "blk.0.ssm_conv1d.bias", func(c *container) {
		c.list = slices.DeleteFunc(c.list, func(t info) bool { return t.name == "blk.0.ssm_conv1d.bias" })
		c.lay()
	})
	add("A above 0", "blk.0.ssm_a", func(c *container) {
		i := slices.IndexFunc(c.list, func(t info) bool { return t.name == "blk.0.ssm_a" })
		copy(c.list[i].data, f32(1))
	})
	add("two tensors at one place", "", func(c *container) { c.list[4].offset = c.list[3].offset })
	whole := gguf("mamba")
	content := whole.bytes()
	list = append(list, cuts(family, "model.gguf", inGGUF(content), whole.ends)...)
	swap := func(name string, edit func(c *container)) {
		c := gguf("mamba2")
		edit(c)
		list = append(list, inGGUF(c.bytes()).bad(family+"/mamba2 "+name, ""))
	}
	swap("group_count 0", func(c *container) { key(c, "mamba2.ssm.group_count").value = u32(0) })
	swap("group_count 3", func(c *container) { key(c, "mamba2.ssm.group_count").value = u32(3) })
	swap("group_count 2^31", func(c *container) { key(c, "mamba2.ssm.group_count").value = u32(1 << 31) })
	swap("group_count missing", func(c *container) { key(c, "mamba2.ssm.group_count").key = "else" })
	swap("heads 0", func(c *container) { key(c, "mamba2.ssm.time_step_rank").value = u32(0) })
	swap("heads 5", func(c *container) { key(c, "mamba2.ssm.time_step_rank").value = u32(5) })
	swap("called mamba", func(c *container) { key(c, "general.architecture").value = str("mamba") })
	big := bytes.Clone(content)
	binary.BigEndian.PutUint32(big[4:], 3)
	return append(list, inGGUF(big).bad(family+"/big-endian", "big-endian"))
}

// split is the model in two parts.
func split() (first, second *container) {
	first, second = gguf("mamba"), gguf("mamba")
	second.keys = nil
	first.list, second.list = first.list[:9], second.list[9:]
	total := len(first.list) + len(second.list)
	for i, c := range []*container{first, second} {
		c.keys = append(c.keys, pair{"split.no", 2, le.AppendUint16(nil, uint16(i))}, pair{"split.count", 2, le.AppendUint16(nil, 2)},
			pair{"split.tensors.count", 5, u32(uint32(total))})
		c.lay()
	}
	return first, second
}

func ggufSplitEntries() []Entry {
	const one, two = "m-00001-of-00002.gguf", "m-00002-of-00002.gguf"
	var list []Entry
	add := func(name, want string, edit func(a, b *container)) {
		a, b := split()
		edit(a, b)
		list = append(list, files{one: a.bytes(), two: b.bytes()}.bad("split/"+name, want))
	}
	set := func(c *container, i int, value []byte) { c.keys[len(c.keys)-3+i].value = value }
	add("number 1 twice", "", func(a, b *container) { set(b, 0, []byte{0, 0}) })
	add("number 7", "", func(a, b *container) { set(b, 0, []byte{7, 0}) })
	add("numbers swapped", "", func(a, b *container) { set(a, 0, []byte{1, 0}); set(b, 0, []byte{0, 0}) })
	add("count 3", "", func(a, b *container) { set(a, 1, []byte{3, 0}) })
	add("count 65535", "", func(a, b *container) { set(a, 1, []byte{255, 255}); set(b, 1, []byte{255, 255}) })
	add("count 0", "", func(a, b *container) { set(a, 1, []byte{0, 0}) })
	add("counts differ", "", func(a, b *container) { set(b, 1, []byte{3, 0}) })
	add("tensors 7", "", func(a, b *container) { set(a, 2, u32(7)) })
	add("tensors differ", "", func(a, b *container) { set(b, 2, u32(7)) })
	add("tensors -1", "", func(a, b *container) { set(a, 2, u32(1<<32-1)) })
	add("keys missing from the second", "", func(a, b *container) { b.keys = nil })
	add("the same tensors twice", "", func(a, b *container) { b.list = a.list })
	add("number a string", "", func(a, b *container) { a.keys[len(a.keys)-3] = pair{"split.no", kindString, str("0")} })
	a, b := split()
	list = append(list,
		files{one: a.bytes()}.bad("split/second missing", two),
		files{two: b.bytes()}.bad("split/first missing", ""),
		files{one: a.bytes(), two: b.bytes()[:100]}.bad("split/second cut", two),
		files{one: a.bytes(), two: {}}.bad("split/second empty", two),
		files{one: a.bytes(), two: zipOf(nil)}.bad("split/second a zip", two),
		files{"renamed.gguf": a.bytes(), "other.gguf": b.bytes()}.bad("split/renamed", "").at("renamed.gguf"),
	)
	return list
}
