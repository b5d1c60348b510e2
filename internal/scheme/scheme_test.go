package scheme_test

import (
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/internal/scheme"
	"github.com/gomamba/gomamba/tensor"
)

// stored are the tensors of a fixture by name, and what its files say about them.
func stored(t testing.TB, name string) (tensors map[string]tensor.Tensor, stated scheme.Stated) {
	t.Helper()
	dir := filepath.Join("../../fixtures/schemes", name)
	f, err := safetensors.Open(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := jsonobj.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	tensors = map[string]tensor.Tensor{}
	for _, x := range f.Tensors() {
		tensors[x.Name] = x
	}
	return tensors, scheme.Stated{Config: config.QuantizationIn(keys), Metadata: f.Metadata()}
}

func assemble(tensors map[string]tensor.Tensor, stated scheme.Stated) (*scheme.Result, error) {
	var list []tensor.Tensor
	for _, x := range tensors {
		list = append(list, x)
	}
	return scheme.Assemble(list, stated)
}

// shaped is a tensor of zeros.
func shaped(d tensor.DType, shape ...int) tensor.Tensor {
	n, _ := tensor.ByteCount(d, shape)
	return tensor.Tensor{DType: d, Shape: shape, Data: make([]byte, n), File: "model.safetensors"}
}

// TestMalformed damages the tensors of a module in every scheme.
func TestMalformed(t *testing.T) {
	const module = "backbone.layers.0.mixer.in_proj."
	type tensors = map[string]tensor.Tensor
	set := func(part string, x tensor.Tensor) func(tensors) {
		return func(m tensors) { x.Name = module + part; m[x.Name] = x }
	}
	without := func(part string) func(tensors) { return func(m tensors) { delete(m, module+part) } }
	state := func(text string) func(tensors) {
		x := shaped(tensor.U8, len(text))
		copy(x.Data, text)
		return set("weight.quant_state.bitsandbytes__fp4", x)
	}
	for _, test := range []struct {
		fixture string
		damage  func(tensors)
		config  string // another than the fixture's
		want    string
	}{
		{"modelopt-nvfp4", without("weight_scale"), "", `in_proj.weight_scale": missing; ModelOpt stores one for every such weight`},
		{"modelopt-nvfp4", without("weight_scale_2"), "", `in_proj.weight_scale_2": missing`},
		{"modelopt-nvfp4", set("weight_scale", shaped(tensor.F8_E4M3, 276, 5)), "", `weight_scale": found [276, 5], expected [276, 4]`},
		{"modelopt-nvfp4", set("weight", shaped(tensor.U8, 276, 33)), "", "found rows of 66 codes, expected a multiple of 16"},
		{"modelopt-nvfp4", set("weight", shaped(tensor.U8, 0, 32)), "", "found [0, 32], expected 2 dimensions, none of them 0"},
		{"modelopt-nvfp4", set("weight_scale_2", shaped(tensor.F32, 2)), "", "found [2], expected [1]"},
		{"modelopt-nvfp4", set("pre_quant_scale", shaped(tensor.F32, 63)), "", `pre_quant_scale": found [63], expected [64]`},
		{"modelopt-nvfp4", set("svdquant_lora_a", shaped(tensor.F32, 4, 64)), "", "stands beside a weight of ModelOpt"},
		{"modelopt-nvfp4", set("weight_g_idx", shaped(tensor.I32, 64)), "", "stands beside a weight of ModelOpt"},
		{"modelopt-int4-awq", set("weight_scale_2", shaped(tensor.F32)), "", "W4A8_AWQ of ModelOpt"},
		{"modelopt-int4-awq", set("weight_scale", shaped(tensor.F32, 128, 3)), "", "expected 128 rows of scales"},
		{"modelopt-mxfp4", set("weight_scale", shaped(tensor.U8, 128, 4)), "", "expected one for 32 columns of a row"},
		{"torchao-int8", without("_weight_scale"), "", `_weight_scale": missing; torchao`},
		{"torchao-int8", set("_weight_zero_point", shaped(tensor.I8, 127, 1)), "", "found [127, 1], expected [128, 1]"},
		{"torchao-int4", set("_weight_scale", shaped(tensor.BF16, 128, 2)), "", "found [128, 2], expected [2, 128]"},
		{"torchao-float8", set("_weight_zero_point", shaped(tensor.I8, 128, 1)), "", "is not a part of Float8Tensor"},
		{"ct-nvfp4", without("weight_packed"), "", `in_proj.weight_packed": missing; compressed-tensors`},
		{"ct-fp8", without("weight_scale"), "", "found F8_E4M3 and no tensor weight_scale beside it"},
		{"ct-fp8", set("weight_scale", shaped(tensor.F32, 127)), "", "found [127] for a weight [128, 64], expected one scale, [128]"},
		{"ct-fp8", set("weight_scale", shaped(tensor.F32, 128, 5)), "", "found [128, 5]"},
		{"ct-fp8", set("weight_scale", shaped(tensor.I32, 128)), "", "found dtype I32, expected F32, BF16, F16"},
		{"ct-fp8", set("weight", shaped(tensor.F8_E4M3, 2, 2, 64, 64)), "", "expected 2 to 3 dimensions"},
		{"ct-int8-zeros", set("weight_zero_point", shaped(tensor.I8, 128, 1)), "", "found [128, 1], expected [128, 2]"},
		{"fp8-block", nil, `{"quant_method": "fp8", "weight_block_size": [0, -4]}`, `weight_block_size: found "[0,-4]"`},
		{"fp8-experts", nil, `{"quant_method": "fp8", "weight_block_size": [48, 48]}`, "do not divide the experts"},
		{"ct-w4a16", set("weight_shape", shaped(tensor.I64, 2)), "", `weight_shape": found [0 0], expected the rows of weight_packed, 276`},
		{"ct-w4a16", set("weight_scale", shaped(tensor.BF16, 276, 5)), "", "as many in each as groups divide 64 columns"},
		{"ct-w4a16", set("weight_packed", shaped(tensor.I32, 276, 64)), "", "only dense codes of 1 to 8 bits"},
		{"ct-asymmetric", set("weight_zero_point", shaped(tensor.I32, 15, 2)), "", "found [15, 2], expected [16, 2]"},
		{"ct-asymmetric", func(m tensors) { m[module+"weight_g_idx"].Data[0] = 9 }, "", "found group 9 for column 0, expected one of 2 groups"},
		{"bnb-fp4", state(`{"blocksize": 64`), "", "bitsandbytes__fp4"},
		{"bnb-fp4", state(`{"blocksize": 0, "shape": [128, 64]}`), "", "does not state a blocksize of 1 or more"},
		{"bnb-fp4", state(`{"blocksize": 1e30, "shape": [128, 64]}`), "", "does not state a blocksize"},
		{"bnb-fp4", state(`{"blocksize": 64, "shape": [4611686018427387904, 4]}`), "", `states the shape`},
		{"bnb-fp4", state(`{"blocksize": 64, "shape": [-128, -64]}`), "", `states the shape`},
		{"bnb-fp4", state(`{"blocksize": 64, "shape": [128, 65]}`), "", "found 4096 bytes, expected 4160 for the shape [128, 65]"},
		{"bnb-fp4", state(`{"blocksize": 32, "shape": [128, 64], "nested_blocksize": 256, "nested_offset": 0}`), "", `absmax": found [128], expected [256]`},
		{"bnb-fp4", state(`{"blocksize": 64, "shape": [128, 64]}`), "", "does not state nested_offset"},
		{"bnb-fp4", without("weight.quant_state.bitsandbytes__fp4"), "", "its quant_state is missing"},
		{"bnb-fp4", without("weight.nested_quant_map"), "", `nested_quant_map": missing, and absmax are codes`},
		{"bnb-fp4", set("weight.quant_map", shaped(tensor.F32, 17)), "", "found [17], expected [16]"},
		{"bnb-int8", set("SCB", shaped(tensor.F32, 1)), "", "found [1], expected [276]"},
		{"bnb-int8", func(m tensors) { m[module+"weight_format"].Data[0] = 1 }, "", "of a GPU's tiles"},
		{"mlx-4", nil, `{"bits": 4}`, "states no bits and group_size under quantization"},
		{"mlx-4", nil, `{"bits": 7, "group_size": 64}`, "which 7 bits a weight and groups of 64 do not divide"},
		{"mlx-4", nil, `{"bits": 4, "group_size": 0}`, "groups of 0 do not divide"},
		{"mlx-4", nil, `{"bits": 4, "group_size": 64, "mode": "mxfp9"}`, `in the mode "mxfp9" of MLX, which is not known`},
		{"mlx-4", set("biases", shaped(tensor.BF16, 128, 2)), "", "found [128, 2], expected [128, 1]"},
		{"mlx-4", without("biases"), "", `biases": missing; MLX stores one`},
		{"gptq-4", set("qzeros", shaped(tensor.I32, 3, 16)), "", "found I32 [3, 16], expected I32 [2, 16]"},
		{"gptq-4", set("qzeros", shaped(tensor.I32, 2, 15)), "", "expected codes of 2, 3, 4 or 8 bits"},
		{"gptq-4", without("scales"), "", `scales": missing; GPTQ`},
		{"gptq-4", set("g_idx", shaped(tensor.I32, 63)), "", "found I32 [63], expected I32 [64]"},
		{"awq", func(m tensors) {
			x := shaped(tensor.F16, 3, 64)
			x.Name = "backbone.layers.0.mixer.out_proj.scales"
			m[x.Name] = x
		}, "", "which are not whole groups"},
		{"awq", nil, `{"quant_method": "awq", "version": "marlin"}`, `for the kernel "marlin"; only gemm is read`},
		{"awq", nil, "[4]", "quantization_config: found an array, expected an object"},
	} {
		m, said := stored(t, test.fixture)
		for name, x := range m { // the files are read-only
			x.Data = slices.Clone(x.Data)
			m[name] = x
		}
		if test.damage != nil {
			test.damage(m)
		}
		if test.config != "" {
			said.Config = test.config
		}
		_, err := assemble(m, said)
		var format *badfile.FormatError
		var unsupported *badfile.UnsupportedError
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 400 || !errors.As(err, &format) && !errors.As(err, &unsupported) {
			t.Errorf("%s: %v\nwant %s", test.fixture, err, test.want)
		}
	}
}

// TestWithoutConfig finds the weights of a config.json that says nothing, as far as their tensors show how they are coded.
func TestWithoutConfig(t *testing.T) {
	for _, name := range []string{"modelopt-nvfp4", "modelopt-fp8", "ct-fp8", "ct-nvfp4", "ct-w4a16", "bnb-fp4", "bnb-int8", "awq", "gptq-4", "ct-mxfp4", "ct-mxfp6", "modelopt-mxfp4", "modelopt-mxfp8", "modelopt-int4-awq", "ct-fp8-experts"} {
		m, said := stored(t, name)
		want, err := assemble(m, said)
		if err != nil {
			t.Fatal(err)
		}
		got, err := assemble(m, scheme.Stated{})
		if err != nil || len(got.Found) != 1 || got.Found[0].Weights != want.Found[0].Weights || len(got.Tensors) != len(want.Tensors) {
			t.Errorf("%s: found %v, %v, want %v", name, got, err, want.Found)
		}
	}
}

// TestNonFiniteScale keeps what a scale that is not a number makes of its group, so that it is found.
func TestNonFiniteScale(t *testing.T) {
	m, said := stored(t, "bnb-nf4")
	const name = "backbone.layers.0.mixer.in_proj.weight.absmax"
	x := m[name]
	values := tensor.Float32s(tensor.Tensor{DType: x.DType, Data: slices.Clone(x.Data)})
	values[1] = float32(math.NaN())
	m[name] = tensor.Of(name, values, len(values))
	r, err := assemble(m, said)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range r.Tensors {
		if w.Name == strings.TrimSuffix(name, ".absmax") {
			for i, v := range tensor.Float32s(w) {
				if (v != v) != (i/64 == 1) {
					t.Fatalf("element %d is %v", i, v)
				}
			}
		}
	}
}

// TestNamesInMemory reads experts under the names that transformers has for them in memory.
func TestNamesInMemory(t *testing.T) {
	m, said := stored(t, "fp8-experts")
	want, err := assemble(m, said)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range maps.Clone(m) {
		delete(m, x.Name)
		x.Name = strings.NewReplacer("input_linear.weight", "experts.gate_up_proj", "output_linear.weight", "experts.down_proj").Replace(x.Name)
		m[x.Name] = x
	}
	got, err := assemble(m, said)
	if err != nil || len(got.Tensors) != len(want.Tensors) || !slices.Equal(got.Found, want.Found) {
		t.Errorf("found %v, %v, want %v", got, err, want.Found)
	}
}

// TestCodesInFloats reads codes that bitsandbytes has stored as BF16 (bnb_4bit_quant_storage).
func TestCodesInFloats(t *testing.T) {
	m, said := stored(t, "bnb-nf4")
	const name = "backbone.layers.0.mixer.in_proj.weight"
	want, err := assemble(m, said)
	if err != nil {
		t.Fatal(err)
	}
	x := m[name]
	x.DType, x.Shape = tensor.BF16, []int{len(x.Data) / 2, 1}
	m[name] = x
	got, err := assemble(m, said)
	if err != nil {
		t.Fatal(err)
	}
	values := func(r *scheme.Result) []float32 {
		i := slices.IndexFunc(r.Tensors, func(x tensor.Tensor) bool { return x.Name == name })
		return tensor.Float32s(r.Tensors[i])
	}
	if !slices.Equal(values(got), values(want)) {
		t.Error("other values than those of the same codes in bytes")
	}
}

// FuzzAssemble puts weights together from metadata and shapes of all kinds. What is taken can be widened.
func FuzzAssemble(f *testing.F) {
	f.Add("{}", `{"blocksize": 64, "shape": [8, 16]}`, uint8(8), uint8(16))
	f.Add(`{"bits": 4, "group_size": 32}`, "", uint8(2), uint8(4))
	f.Add(`{"quant_method": "gptq", "x": {"bits": 2}}`, `{"blocksize": 1, "shape": []}`, uint8(0), uint8(255))
	f.Add(`{"quant_method": "fp8", "weight_block_size": [2, 3]}`, `{"_type": "Int8Tensor", "_data": {"block_size": [1, 16]}}`, uint8(4), uint8(16))
	f.Add("", `{"_type": "Int4Tensor", "_data": {"block_size": [1, 2]}}`, uint8(2), uint8(2))
	names := []string{
		"weight", "weight_scale", "weight_scale_2", "weight_packed", "weight_global_scale", "weight_shape", "weight_zero_point", "scales", "biases",
		"qweight", "qzeros", "g_idx", "SCB", "weight.absmax", "weight.quant_map", "weight.nested_absmax", "weight.nested_quant_map",
		"weight_scale_inv", "pre_quant_scale", "_weight_qdata", "_weight_scale", "_weight_zero_point", "_weight_act_pre_scale", "experts", "experts_scale_inv",
	}
	dtypes := []tensor.DType{tensor.U8, tensor.F8_E4M3, tensor.I32, tensor.U32, tensor.F32, tensor.I8, tensor.I64, tensor.F16, tensor.F8_E8M0, tensor.F8_E5M2}
	f.Fuzz(func(t *testing.T, quantization, state string, rows, cols uint8) {
		i := int(rows) + int(cols)
		var list []tensor.Tensor
		for j, part := range names {
			if (int(rows)+j*int(cols)+i)%3 == 0 {
				continue
			}
			shape := []int{2, int(rows)%17 + j%2, int(cols) % 33}
			if j%2 == 0 {
				shape = []int{2, int(rows) % 50, int(cols) % 130}
			}
			x := shaped(dtypes[(i+j*int(cols))%len(dtypes)], shape[i%2:]...)
			x.Name = "x." + part
			list = append(list, x)
		}
		x := shaped(tensor.U8, len(state))
		copy(x.Data, state)
		x.Name = "x.weight.quant_state.bitsandbytes__nf4"
		for _, list := range [][]tensor.Tensor{append(list, x), some(list, "_weight"), some(list, ".weight"), some(list, "experts")} {
			takes(t, list, scheme.Stated{Config: quantization, Metadata: map[string]string{"x.weight": state}})
		}
	})
}

// some are the tensors whose names have a part, so that there are fewer of which one is wrong.
func some(list []tensor.Tensor, part string) []tensor.Tensor {
	return slices.DeleteFunc(slices.Clone(list), func(x tensor.Tensor) bool { return !strings.Contains(x.Name, part) })
}

// takes puts weights together and widens them, or is refused in a line.
func takes(t *testing.T, list []tensor.Tensor, stated scheme.Stated) {
	r, err := scheme.Assemble(list, stated)
	if err != nil {
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q", err)
		}
		return
	}
	for _, w := range r.Tensors {
		if w.Coding != nil && w.Elems() < 1<<20 {
			tensor.Float32s(w)
		}
	}
}
