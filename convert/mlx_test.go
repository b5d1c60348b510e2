package convert_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/layout/layouttest"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/tensor"
)

const mlxFixtures = "../fixtures/mlx"

// TestMLX holds what is written for mlx-lm to what it has written itself of the same checkpoints, in every byte: plain, and in every
// mode.
func TestMLX(t *testing.T) {
	var manifest map[string]map[string]string
	text, err := os.ReadFile(filepath.Join(mlxFixtures, "manifest.json"))
	if err == nil {
		err = json.Unmarshal(text, &manifest)
	}
	if err != nil || len(manifest) < 8 {
		t.Fatal(len(manifest), err)
	}
	for model, cases := range manifest {
		for how, want := range cases {
			dst := filepath.Join(t.TempDir(), "x")
			if err := conversion(t, filepath.Join(mlxFixtures, model), dst, mlxRequest(t, how)); err != nil {
				t.Fatal(model, how, err)
			}
			if got := digestMLX(t, dst); got != want {
				t.Errorf("%s %s: other tensors than mlx-lm has", model, how)
			}
		}
	}
}

// mlxRequest reads a dtype and the flags of mlx_lm.convert.
func mlxRequest(t *testing.T, how string) convert.Request {
	t.Helper()
	words := strings.Fields(how)
	recipe, ok := convert.ParseRecipe(words[0])
	req := convert.Request{To: convert.MLX, Recipe: recipe}
	var err error
	if len(words) > 1 {
		bits, _ := strconv.Atoi(words[4])
		group, _ := strconv.Atoi(words[6])
		req.Groups, err = convert.ParseGroups(words[2], bits, group)
	}
	if !ok || err != nil {
		t.Fatal(how, err)
	}
	return req
}

// digestMLX is the hash of a line for each tensor: name, dtype, shape and hash, as fixtures/interop_mlx.py has them.
func digestMLX(t *testing.T, dir string) string {
	t.Helper()
	f, err := safetensors.Open(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Metadata()["format"] != "mlx" {
		t.Errorf("metadata %v", f.Metadata())
	}
	var lines []string
	for _, x := range f.Tensors() {
		dtype := map[tensor.DType]string{tensor.F32: "float32", tensor.F16: "float16", tensor.BF16: "bfloat16", tensor.U32: "uint32", tensor.U8: "uint8"}[x.DType]
		shape := strings.ReplaceAll(fmt.Sprint(x.Shape), " ", ", ")
		lines = append(lines, fmt.Sprintf("%s %s %s %s", x.Name, dtype, shape, sum(x.Data)))
	}
	slices.Sort(lines)
	return sum([]byte(strings.Join(lines, "\n")))
}

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

// TestMLXAndBack: plain weights come back from mlx-lm's layout as the same bytes, with every setting; codes stay what they are, and
// compute what their values in float32 do.
func TestMLXAndBack(t *testing.T) {
	for _, model := range []string{"mamba", "falcon", "mamba2", "nemotron", "granite", "granitemoe", "jamba"} {
		src, dir := filepath.Join(mlxFixtures, model), t.TempDir()
		plain := converted(t, src, filepath.Join(dir, "plain"), convert.Request{To: convert.MLX})
		back := converted(t, plain, filepath.Join(dir, "back"), convert.Request{To: convert.HF})
		if !sameFile(t, filepath.Join(src, "model.safetensors"), filepath.Join(back, "model.safetensors")) {
			t.Errorf("%s: model.safetensors came back as other bytes", model)
		}
		for _, groups := range []convert.Groups{{Mode: "affine", Bits: 4, Group: 32}, {Mode: "mxfp4", Bits: 4, Group: 32}} {
			name := filepath.Join(dir, groups.String())
			coded := converted(t, src, name, convert.Request{To: convert.MLX, Groups: groups})
			again := converted(t, coded, name+"-again", convert.Request{To: convert.MLX})
			for _, file := range []string{"config.json", "model.safetensors", "model.safetensors.index.json"} {
				if !sameFile(t, filepath.Join(coded, file), filepath.Join(again, file)) {
					t.Errorf("%s, %s: a copy has another %s", model, groups, file)
				}
			}
			wide := converted(t, coded, name+"-wide", convert.Request{To: convert.HF, DType: tensor.F32})
			if !slices.Equal(logits(t, coded), logits(t, wide)) {
				t.Errorf("%s, %s: other logits than from the values in float32", model, groups)
			}
		}
	}
}

// conversion plans and writes, and returns the first error.
func conversion(t *testing.T, src, dst string, req convert.Request) error {
	t.Helper()
	plan, err := convert.NewPlan(openFixture(t, src), req)
	if err != nil {
		return err
	}
	return plan.Write(context.Background(), dst, convert.Options{})
}

// TestMLXOfBadWeights: what codes cannot stand for is refused by element.
func TestMLXOfBadWeights(t *testing.T) {
	for _, test := range []struct {
		mode  string
		dtype tensor.DType
		value float32
		want  string
	}{
		{"affine", tensor.F32, float32(math.NaN()), "element 5 is NaN: codes stand for finite values"},
		{"mxfp8", tensor.F32, float32(math.Inf(-1)), "element 5 is -Inf: codes stand for finite values"},
		{"affine", tensor.F32, -math.MaxFloat32, "elements 0 to 4095 are too far apart"},
		{"nvfp4", tensor.F16, 1e6, "element 5 is 1e+06, which is beyond the largest F16"},
	} {
		c := layouttest.Load(t)
		x := c.At(t, "backbone.layers.0.mixer.in_proj.weight")
		values := tensor.Float32s(*x)
		values = slices.Clone(values)
		values[5], values[6] = test.value, math.MaxFloat32/4
		if test.dtype == tensor.F16 {
			values[6] = 1
		} else if test.value == -math.MaxFloat32 {
			values[6] = math.MaxFloat32
		}
		x.Data = tensor.Bytes(values)
		groups, err := convert.ParseGroups(test.mode, 0, 0)
		if test.mode == "affine" {
			groups, err = convert.ParseGroups(test.mode, 2, 32)
		}
		if err != nil {
			t.Fatal(err)
		}
		err = conversion(t, c.Write(t), filepath.Join(t.TempDir(), "x"), convert.Request{To: convert.MLX, DType: test.dtype, Groups: groups})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.mode, err, test.want)
		}
	}
}

// TestMLXRefuses lists what mlx-lm would not load or compute otherwise.
func TestMLXRefuses(t *testing.T) {
	for src, want := range map[string]string{
		"mamba1/eps":      "layer_norm_epsilon: found 0.001: mlx-lm has 1e-05",
		"mamba2/groups4":  "n_groups: found 4: mlx-lm norms all channels",
		"granite/moe":     "mamba_n_groups: found 2: mlx-lm norms all channels",
		"mamba1/default+": "dtype: mlx-lm does not have F64",
	} {
		req := convert.Request{To: convert.MLX}
		if strings.HasSuffix(src, "+") {
			req.DType = tensor.F64
		}
		err := conversion(t, "../fixtures/"+strings.TrimSuffix(src, "+"), filepath.Join(t.TempDir(), "x"), req)
		if _, ok := errors.AsType[*badfile.UnsupportedError](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", src, err, want)
		}
	}
	for _, test := range []struct {
		mode        string
		bits, group int
		want        string
	}{
		{"mxfp5", 0, 0, `mode "mxfp5": expected affine, mxfp4, mxfp8 or nvfp4; did you mean "mxfp4"?`},
		{"", 7, 0, "7 bits: expected 2, 3, 4, 5, 6 or 8"},
		{"", 0, 16, "groups of 16: expected 32, 64 or 128"},
		{"nvfp4", 0, 32, "nvfp4 has codes of 4 bits and groups of 16, and no others"},
	} {
		if _, err := convert.ParseGroups(test.mode, test.bits, test.group); err == nil || err.Error() != test.want {
			t.Errorf("%v: %v", test, err)
		}
	}
	groups, _ := convert.ParseGroups("", 0, 0)
	for _, to := range []convert.Layout{convert.HF, convert.Original, convert.GGUF} {
		err := conversion(t, "../fixtures/mamba1/default", filepath.Join(t.TempDir(), "x.gguf"), convert.Request{To: to, Groups: groups})
		if err == nil || !strings.Contains(err.Error(), "quantization: only the layout mlx has codes of MLX") {
			t.Errorf("%s: %v", to, err)
		}
	}
	coded := converted(t, mlxFixtures+"/mamba", filepath.Join(t.TempDir(), "x"), convert.Request{To: convert.MLX, Groups: groups})
	groups.Bits = 8
	if err := conversion(t, coded, filepath.Join(t.TempDir(), "y"), convert.Request{To: convert.MLX, Groups: groups}); !errors.Is(err, convert.ErrRequantizes) {
		t.Errorf("codes to other codes: %v", err)
	}
}
