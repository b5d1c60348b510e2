package hostile

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// piece is a tensor of those that make up a quantized weight.
type piece struct {
	name, dtype string // the name follows that of the module
	shape       []int
	data        []byte // nil: zeros
}

// bytesOf are the bytes of an element, of F4 those of two.
var bytesOf = map[string]int{"U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "BOOL": 1, "F4": 1, "F16": 2, "BF16": 2, "F32": 4, "I32": 4, "U32": 4, "I64": 8}

// projection is the module whose weight is quantized.
const projection = "backbone.layers.0.mixer.in_proj."

// quantized is the model with a weight replaced by pieces; metadata goes into the header.
func quantized(quantization, metadata string, pieces []piece) files {
	entries := []string{`"__metadata__":{"format":"pt"` + metadata + `}`}
	var body []byte
	add := func(name, dtype string, shape []int, data []byte) {
		text, _ := json.Marshal(shape) // of ints
		entries = append(entries, fmt.Sprintf(`%q:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, name, dtype, text, len(body), len(body)+len(data)))
		body = append(body, data...)
	}
	for _, t := range Tensors("mamba") {
		if t.Name != projection+"weight" {
			add(t.Name, "F32", t.Shape, encode("F32", t.Values))
		}
	}
	for _, p := range pieces {
		data := p.data
		if data == nil {
			data = make([]byte, count(p.shape)*bytesOf[p.dtype])
		}
		add(projection+p.name, p.dtype, p.shape, data)
	}
	f := hf(raw("{"+strings.Join(entries, ",")+"}", body))
	if quantization != "" {
		f = configured(changed(configHF, "quantization_config", quantization), f)
	}
	return f
}

// of is a tensor of zeros.
func of(name, dtype string, shape ...int) piece {
	return piece{name, dtype, append([]int{}, shape...), nil}
}

// holding is a tensor of text, and counting one of numbers of 32 bits.
func holding(name, text string) piece { return piece{name, "U8", []int{len(text)}, []byte(text)} }

func counting(name string, numbers ...int32) piece {
	p := piece{name, "I32", []int{len(numbers)}, []byte{}}
	for _, n := range numbers {
		p.data = binary.LittleEndian.AppendUint32(p.data, uint32(n))
	}
	return p
}

// schemeEntries are about weights that other programs have quantized.
func schemeEntries() []Entry {
	const (
		ct    = `{"quant_method": "compressed-tensors"}`
		mlx   = `{"bits": %s, "group_size": %s}`
		gptq  = `{"quant_method": "gptq"}`
		state = "weight.quant_state.bitsandbytes__nf4"
	)
	list := []Entry{}
	add := func(name, want, quantization string, pieces ...piece) {
		list = append(list, quantized(quantization, "", pieces).bad("schemes/"+name, want))
	}
	fp8, scale := of("weight", "F8_E4M3", 32, 8), func(dtype string, shape ...int) piece { return of("weight_scale", dtype, shape...) }
	add("fp8 without a scale", "weight_scale", "", fp8)
	for _, shape := range [][]int{{31}, {8}, {1, 8}, {32, 3}, {33, 1}, {1, 1, 2}, {0}, {32, 0}, {1 << 30, 0}, {32, 8, 1}} {
		add(fmt.Sprintf("fp8 scales %v", shape), "weight_scale", "", fp8, scale("F32", shape...))
	}
	for _, dtype := range []string{"I32", "F8_E4M3", "BOOL", "I64"} {
		add("fp8 scales of "+dtype, dtype, "", fp8, scale(dtype, 32))
	}
	for _, block := range []string{"[0, 128]", "[-1, -1]", "[128]", "128", `"x"`, "[1e9, 2]", "[9223372036854775808, 1]", "[128, 128, 128]", "{}"} {
		add("fp8 blocks "+block, "weight_block_size", `{"quant_method": "fp8", "weight_block_size": `+block+"}", fp8, of("weight_scale_inv", "F32", 2, 2))
	}
	add("fp8 blocks that are huge", "weight_scale_inv", `{"quant_method": "fp8", "weight_block_size": [4611686018427387904, 4611686018427387904]}`, fp8, of("weight_scale_inv", "F32", 2, 2))
	add("fp8 of no elements", "none of them 0", "", of("weight", "F8_E4M3", 0, 8), scale("F32", 1))
	add("fp8 of four dimensions", "dimensions", "", of("weight", "F8_E4M3", 2, 2, 8, 8), scale("F32", 1))
	add("fp8 experts with scales of others", "weight_scale", "", of("weight", "F8_E4M3", 4, 8, 8), scale("F32", 3, 8, 1))
	add("fp8 experts with scales of one", "weight_scale", "", of("weight", "F8_E4M3", 4, 8, 8), scale("F32", 1, 8, 1))
	add("int8 in packed FP4", "FP4 of transformers", "", of("weight", "I8", 32, 4), of("weight_scale_inv", "F32", 32, 1))
	add("int8 zero points", "weight_zero_point", ct, of("weight", "I8", 32, 8), scale("F32", 32, 1), of("weight_zero_point", "I8", 8, 32))
	add("int8 zero points of I64", "I64", ct, of("weight", "I8", 32, 8), scale("F32", 32, 1), of("weight_zero_point", "I64", 32, 1))
	add("an unknown part", "not known", "", fp8, scale("F32", 1), of("svdquant_lora_a", "F32", 1, 8))
	add("a part of another program", "not known", "", fp8, scale("F32", 1), of("weight_g_idx", "I32", 8))
	add("input factors of another width", "pre_quant_scale", "", fp8, scale("F32", 1), of("pre_quant_scale", "F32", 9))
	add("input factors of a plain weight", "pre_quant_scale", "", of("weight", "F32", 32, 8), of("pre_quant_scale", "F32", 8))

	add("nvfp4 of odd rows", "multiple of 16", "", of("weight", "U8", 32, 5), scale("F8_E4M3", 32, 1), of("weight_scale_2", "F32"))
	add("nvfp4 with a scale each", "weight_scale_2", "", of("weight", "U8", 32, 8), scale("F8_E4M3", 32, 1), of("weight_scale_2", "F32", 32))
	add("nvfp4 with scales of BF16", "weight_scale_2", "", of("weight", "U8", 32, 8), scale("BF16", 32, 1), of("weight_scale_2", "F32"))
	add("mxfp4 of odd rows", "weight_scale", "", of("weight", "U8", 32, 5), scale("U8", 32, 1))
	add("mxfp6 with too few scales", "weight_scale", ct, of("weight_packed", "U8", 32, 48), scale("U8", 32, 1))
	add("int4 with groups that do not divide", "weight_scale", "", of("weight", "U8", 16, 8), scale("F32", 32, 3))
	add("int4 with a second scale", "W4A8_AWQ", "", of("weight", "U8", 16, 8), scale("F32", 32, 1), of("weight_scale_2", "F32"))

	words, shape := of("weight_packed", "I32", 32, 1), func(rows, cols int64) piece {
		return piece{"weight_shape", "I64", []int{2}, binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, uint64(rows)), uint64(cols))}
	}
	for _, s := range [][2]int64{{32, 0}, {32, -8}, {-32, 8}, {32, 33}, {32, math.MaxInt64}, {math.MinInt64, 8}, {31, 8}} {
		add(fmt.Sprint("packed shape ", s), "weight_shape", ct, words, scale("F32", 32, 1), shape(s[0], s[1]))
	}
	add("packed of 9 bits", "1 to 8 bits", ct, of("weight_packed", "I32", 32, 3), scale("F32", 32, 1), shape(32, 8))
	add("packed with groups that do not divide", "weight_scale", ct, words, scale("F32", 32, 3), shape(32, 8))
	add("packed with zero points of F32", "weight_zero_point", ct, words, scale("F32", 32, 1), shape(32, 8), of("weight_zero_point", "F32", 32, 1))
	for _, g := range []int32{-2, 2, math.MaxInt32, math.MinInt32} {
		add(fmt.Sprint("packed column of group ", g), "weight_g_idx", ct, words, scale("F32", 32, 2), shape(32, 8), counting("weight_g_idx", 0, 0, 0, 0, 1, 1, 1, g))
	}
	add("packed without a shape", "weight_shape", ct, words, scale("F32", 32, 1))

	codes, absmax, values := of("weight", "U8", 128, 1), of("weight.absmax", "F32", 4), of("weight.quant_map", "F32", 16)
	for _, text := range []string{"", "[]", "{", `{"shape": [32, 8]}`, `{"blocksize": 64}`, strings.Repeat("[", 100_000), strings.Repeat(`{"a":`, 2000), "\xff", "{\"blocksize\": 64, \"shape\": [32, 8]}\x00",
		`{"blocksize": 0, "shape": [32, 8]}`, `{"blocksize": -64, "shape": [32, 8]}`, `{"blocksize": 1e400, "shape": [32, 8]}`, `{"blocksize": "64", "shape": [32, 8]}`,
		`{"blocksize": 9223372036854775807, "shape": [32, 8]}`, `{"blocksize": 64, "shape": [32]}`, `{"blocksize": 64, "shape": [32, 8, 2]}`, `{"blocksize": 64, "shape": "32"}`,
		`{"blocksize": 64, "shape": [-32, -8]}`, `{"blocksize": 64, "shape": [0, 8]}`, `{"blocksize": 64, "shape": [4611686018427387904, 8]}`,
		`{"blocksize": 64, "shape": [1,1,1,1,1,1,1,1,1,1,1,256]}`, `{"blocksize": 64, "shape": [32.5, 8]}`, `{"x": "` + strings.Repeat("x", 100_000) + `"}`} {
		add(fmt.Sprintf("nf4 state %d %.40q", len(list), text), "in_proj", "", codes, absmax, values, holding(state, text))
	}
	good := `{"blocksize": 64, "shape": [32, 8]}`
	add("nf4 without a state", "quant_state", "", codes, absmax, values)
	add("nf4 without a map", "quant_map", "", codes, absmax, holding(state, good))
	add("nf4 map of 256", "quant_map", "", codes, absmax, of("weight.quant_map", "F32", 256), holding(state, good))
	add("nf4 map of F16", "quant_map", "", codes, absmax, of("weight.quant_map", "F16", 16), holding(state, good))
	add("nf4 scales of too few blocks", "absmax", "", codes, of("weight.absmax", "F32", 3), values, holding(state, good))
	add("nf4 nested without the rest", "nested_offset", "", codes, of("weight.absmax", "U8", 4), values, holding(state, good))
	for _, more := range []string{`"nested_offset": 0, "nested_blocksize": 0`, `"nested_offset": "x", "nested_blocksize": 256`, `"nested_offset": 0, "nested_blocksize": -1`, `"nested_offset": 0, "nested_blocksize": 1`} {
		add("nf4 nested "+more, "nested", "", codes, of("weight.absmax", "U8", 4), values, of("weight.nested_absmax", "F32", 1), of("weight.nested_quant_map", "F32", 256),
			holding(state, `{"blocksize": 64, "shape": [32, 8], `+more+"}"))
	}
	add("int8 rows of others", "SCB", "", of("weight", "I8", 32, 8), of("SCB", "F32", 8))
	add("int8 rows in tiles", "weight_format", "", of("weight", "I8", 32, 8), of("SCB", "F32", 32), holding("weight_format", "\x02"))
	add("int8 rows of U8", "U8", "", of("weight", "U8", 32, 8), of("SCB", "F32", 32))

	for _, n := range [][2]string{{"0", "32"}, {"33", "32"}, {"9", "32"}, {"-4", "32"}, {"4", "0"}, {"4", "-32"}, {"4", "9223372036854775807"}, {"4", "31"}, {`"4"`, "32"}, {"4.5", "32"}, {"1e30", "1e30"}, {"null", "null"}} {
		add("mlx bits and group "+n[0]+" "+n[1], "in_proj", fmt.Sprintf(mlx, n[0], n[1]), of("weight", "U32", 32, 4), of("scales", "F32", 32, 1), of("biases", "F32", 32, 1))
	}
	add("mlx without biases", "biases", fmt.Sprintf(mlx, "4", "32"), of("weight", "U32", 32, 4), of("scales", "F32", 32, 1))
	add("mlx with scales of U8", "scales", fmt.Sprintf(mlx, "4", "32"), of("weight", "U32", 32, 4), of("scales", "U8", 32, 1), of("biases", "F32", 32, 1))
	add("mlx in an unknown mode", "mode", `{"mode": "mxfp5", "bits": 4, "group_size": 32}`, of("weight", "U32", 32, 4), of("scales", "U8", 32, 1))

	q, z, s := of("qweight", "I32", 1, 32), of("qzeros", "I32", 1, 4), of("scales", "F16", 1, 32)
	for _, columns := range []int{0, 33, 9, 1} {
		add(fmt.Sprint("gptq zero points of ", columns), "in_proj", gptq, q, of("qzeros", "I32", 1, columns), s)
	}
	add("gptq with groups that do not divide", "scales", gptq, q, of("qzeros", "I32", 3, 4), of("scales", "F16", 3, 32))
	add("gptq of no groups", "in_proj", gptq, q, of("qzeros", "I32", 0, 4), of("scales", "F16", 0, 32))
	add("gptq zero points of F16", "F16", gptq, q, of("qzeros", "F16", 1, 4), s)
	for _, g := range []int32{-2, 1, math.MaxInt32, math.MinInt32} {
		add(fmt.Sprint("gptq column of group ", g), "g_idx", gptq, q, z, s, counting("g_idx", 0, 0, 0, 0, 0, 0, 0, g))
	}
	add("gptq without scales", "scales", gptq, q, z)
	add("awq with groups that do not divide", "scales", "", of("qweight", "I32", 8, 4), of("qzeros", "I32", 3, 4), of("scales", "F16", 3, 32))

	nan := binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.NaN())))
	for _, p := range []piece{{"weight_scale", "F32", []int{1}, nan}, {"weight_scale", "F8_E8M0", []int{1}, []byte{255}}} {
		e := quantized("", "", []piece{of("weight", "F8_E4M3", 32, 8), p}).bad("schemes/fp8 scale NaN of "+p.dtype, "NaN")
		e.Deep = true
		list = append(list, e)
	}
	return append(list, torchAOEntries()...)
}

// torchAOEntries are about weights of torchao, which are described in the header.
func torchAOEntries() []Entry {
	var list []Entry
	add := func(name, want, text string, pieces ...piece) {
		metadata := ""
		if text != "" {
			quoted, _ := json.Marshal(text) // a string
			metadata = `,"` + projection + `weight":` + string(quoted)
		}
		list = append(list, quantized(`{"quant_method": "torchao"}`, metadata, pieces).bad("schemes/torchao "+name, want))
	}
	codes, scale := of("_weight_qdata", "I8", 32, 8), of("_weight_scale", "F32", 32, 1)
	describe := func(class, block string) string {
		return `{"_type": "` + class + `", "_data": {"block_size": ` + block + "}}"
	}
	rows := describe("Int8Tensor", "[1, 8]")
	add("not described", "not described", "", codes, scale)
	for _, text := range []string{"{", "{}", `{"_type": 8}`, `{"_type": "Int8Tensor"}`, `{"_type": "Int8Tensor", "_data": []}`, "{" + strings.Repeat(`"a":{`, 3000)} {
		add(fmt.Sprintf("described as %.40q", text), "_weight_qdata", text, codes, scale)
	}
	for _, class := range []string{"Int4TilePackedTo4dTensor", "MXTensor", "", "os.system"} {
		add("of class "+class, "of the class", describe(class, "[1, 8]"), codes, scale)
	}
	for _, block := range []string{"null", "8", "[0, 8]", "[-1, 8]", "[1, 3]", "[1]", "[1, 8, 1]", "[1, 9223372036854775808]", "[1, 8.5]", "[1,1,1,1,1,1,1,1,1]", "[32, 8]", "[]"} {
		add("in blocks of "+block, "_weight_", describe("Int8Tensor", block), codes, scale)
	}
	add("without scales", "_weight_scale", rows, codes)
	add("with scales of I32", "I32", rows, codes, of("_weight_scale", "I32", 32, 1))
	add("with zero points of others", "_weight_zero_point", rows, codes, scale, of("_weight_zero_point", "I8", 8, 1))
	add("with codes of U8", "U8", rows, of("_weight_qdata", "U8", 32, 8), scale)
	add("with a part of another class", "_weight_per_tensor_scale", rows, codes, scale, of("_weight_per_tensor_scale", "F32"))
	add("with input factors of another width", "_weight_act_pre_scale", rows, codes, scale, of("_weight_act_pre_scale", "F32", 7))
	add("of 4 bits in groups that do not divide", "_weight_qdata", describe("Int4Tensor", "[1, 3]"), of("_weight_qdata", "I8", 32, 4), of("_weight_scale", "F32", 2, 32), of("_weight_zero_point", "F32", 2, 32))
	add("of 4 bits with scales by rows", "_weight_scale", describe("Int4Tensor", "[1, 4]"), of("_weight_qdata", "I8", 32, 4), of("_weight_scale", "F32", 32, 2), of("_weight_zero_point", "F32", 32, 2))
	add("of 4 bits without zero points", "_weight_zero_point", describe("Int4Tensor", "[1, 4]"), of("_weight_qdata", "I8", 32, 4), of("_weight_scale", "F32", 2, 32))
	return list
}
