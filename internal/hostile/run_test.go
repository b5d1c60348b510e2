//go:build unix && !purego

package hostile

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPrompts gives prompts that make no sense.
func TestPrompts(t *testing.T) {
	dir := t.TempDir()
	furnish(t, dir)
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"forward model --ids -1 --out x", 1, "-1"},
		{"forward model --ids 16 --out x", 1, "16"},
		{"forward model --ids 1,2,2147483648 --out x", 1, "2147483648"},
		{"forward model --ids 9223372036854775807 --out x", 1, "9223372036854775807"},
		{"forward model --ids 9223372036854775808 --out x", 2, "9223372036854775808"},
		{"forward model --ids abc --out x", 2, "abc"},
		{"forward model --ids 1,x --out x", 2, `"x"`},
		{"forward model --ids 1,,2 --out x", 2, `"1,,2"`},
		{"forward model --ids , --out x", 2, "ids"},
		{"forward model --out x", 2, "--ids"},
		{"forward model --in model/model.safetensors --out x", 1, "input_ids"},
		{"forward model --ids 1 --cache-in model/model.safetensors --out x", 1, "cache"},
		{"forward model --ids 1 --logits some --out x", 2, "some"},
		{"generate model --ids 99", 1, "99"},
		{"generate model --ids 1 -n -5", 2, "-5"},
		{"generate model --ids 1 --temp NaN", 2, ""},
		{"generate model --ids 1 --top-p -3", 2, "top"},
		{"generate model --ids 1 -n 1 --threads -1", 2, "-1"},
		{"bench model -p 0", 2, "0"},
		{"bench model -n -3", 2, "-3"},
		{"verify model model/model.safetensors", 1, ""},
		{"verify model file", 1, "file"},
		{"init model/model.safetensors x", 1, "model.safetensors"},
	} {
		o := run(t, dir, strings.Fields(c.args)...)
		if o.survived(t); o.Code != c.code || !strings.Contains(o.Stderr, c.want) || strings.Contains(o.Stderr, "Usage:") {
			t.Errorf("%s: exit %d: %swant %d and %q", c.args, o.Code, o.Stderr, c.code, c.want)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "x")); err == nil {
		t.Error("something was written")
	}
}

// spoiled is the model with one value changed.
func spoiled(name string, at int, value float32) files {
	tensors := Tensors("mamba")
	for _, t := range tensors {
		if t.Name == name {
			t.Values[at] = value
		}
	}
	return hf(packed("F32", tensors))
}

// TestNotNumbers spoils weights: the block and the tensor are reported, and the checkpoint still converts.
func TestNotNumbers(t *testing.T) {
	nan := float32(math.NaN())
	large := Tensors("mamba")
	for _, tensor := range large {
		if strings.Contains(tensor.Name, "layers.1.mixer.in_proj") {
			for i := range tensor.Values {
				tensor.Values[i] *= 1e38
			}
		}
	}
	for _, c := range []struct {
		name  string
		model files
		want  []string // in every message
	}{
		{"NaN in a block", spoiled("backbone.layers.1.mixer.D", 5, nan), []string{`"backbone.layers.1.mixer.D"`, "1 NaN"}},
		{"NaN before the state", spoiled("backbone.layers.0.mixer.x_proj.weight", 0, nan), []string{"block 0", `"backbone.layers.0.mixer.x_proj.weight"`}},
		{"infinity", spoiled("backbone.layers.1.mixer.in_proj.weight", 3, float32(math.Inf(1))), []string{"block 1", `"backbone.layers.1.mixer.in_proj.weight"`, "1 infinit"}},
		{"in the final norm", spoiled("backbone.norm_f.weight", 0, nan), []string{`"backbone.norm_f.weight"`}},
		{"too large", hf(packed("F32", large)), []string{"block 1", "overflow"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := errors.Join(os.Mkdir(filepath.Join(dir, "m"), 0o755), c.model.write(filepath.Join(dir, "m"))); err != nil {
				t.Fatal(err)
			}
			for args, code := range map[string]int{
				"forward m --ids 1,2,3 --out all": 0, "forward m --ids 1,2,3 --logits last --out last": 0,
				"forward m --ids 1,2,3 --logits none --cache-out states": 0, "generate m --ids 1,2,3 -n 2": 1, "verify m": -1,
			} {
				o := run(t, dir, strings.Fields(args)...)
				if o.survived(t); o.Code != code && code >= 0 {
					t.Errorf("%s: exit %d: %s", args, o.Code, o.Stderr)
				}
				if strings.Contains(args, "none") && (c.name == "in the final norm" || c.name == "NaN in a block") {
					continue // no state knows of it
				}
				for _, want := range c.want {
					if !strings.Contains(o.Stderr, want) || strings.Count(o.Stderr, "\n") != 1 {
						t.Errorf("%s: %swant %s", args, o.Stderr, want)
					}
				}
			}
			must(t, run(t, dir, "convert", "m", "copy", "--to", "hf"))
		})
	}
}

// TestBlockScales runs blocks of every type. Scales that are not numbers are reported with the tensor; the largest ones are not
// an error, whatever becomes of the sums.
func TestBlockScales(t *testing.T) {
	for _, b := range blockTypes {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, pattern := range map[string]string{"nan.gguf": "\xff", "largest.gguf": "\xff\x7b"} {
				if err := os.WriteFile(filepath.Join(dir, name), blocked(b, pattern).bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
				o := run(t, dir, "forward", name, "--ids", "1,2,3", "--out", "x")
				if o.modest(t); o.Code != 0 || strings.Count(o.Stderr, "\n") > 1 {
					t.Errorf("%s: exit %d: %s", name, o.Code, o.Stderr)
				}
				want := fmt.Sprintf("%d blocks of %s", blocksRows*blocksCols/b.elems, b.name)
				if name == "nan.gguf" && b.name != "NVFP4" && (!strings.Contains(o.Stderr, blocksName) || !strings.Contains(o.Stderr, want)) {
					t.Errorf("%s: %swant %s in %s", name, o.Stderr, want, blocksName)
				}
			}
		})
	}
}

// TestSpecialValues converts values that arithmetic would change: they stay bit for bit.
func TestSpecialValues(t *testing.T) {
	tensors := Tensors("mamba")
	for i, bits := range []uint32{0x7fc00001, 0xffc12345, 0x7f800001, 0x7f800000, 0xff800000, 0x80000000, 1, 0x807fffff, 0x7f7fffff} {
		tensors[0].Values[i] = math.Float32frombits(bits)
	}
	dir := t.TempDir()
	model := filepath.Join(dir, "model")
	if err := errors.Join(os.Mkdir(model, 0o755), hf(packed("F32", tensors)).write(model)); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"hf", "original", "gguf", "mlx"} {
		dst, back := filepath.Join(dir, to), filepath.Join(dir, to+"-back")
		if to == "gguf" {
			dst += ".gguf"
		}
		must(t, run(t, dir, "convert", "model", dst, "--to", to))
		must(t, run(t, dir, "convert", dst, back, "--to", "hf"))
		content, err := os.ReadFile(filepath.Join(back, "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		if want := string(encode("F32", tensors[0].Values)); !strings.Contains(string(content), want) {
			t.Errorf("%s: the embedding came back with other bits", to)
		}
	}
}

// TestLongPrompt runs 1,000 and 100,000 tokens: memory stays.
func TestLongPrompt(t *testing.T) {
	dir := t.TempDir()
	furnish(t, dir)
	var memory [2]int64
	for i, n := range []int{1000, 100_000} {
		var ids []byte
		for j := range n {
			ids = append(ids, u64(uint64(j%vocab))...)
		}
		prompt := files{"ids": raw(fmt.Sprintf(`{"input_ids":{"dtype":"I64","shape":[1,%d],"data_offsets":[0,%d]}}`, n, len(ids)), ids)}
		if err := prompt.write(dir); err != nil {
			t.Fatal(err)
		}
		o := run(t, dir, "forward", "model", "--in", "ids", "--logits", "last", "--out", "x", "--threads", "1")
		must(t, o)
		memory[i] = o.Memory
	}
	t.Logf("%d kB for 1,000 tokens, %d kB for 100,000", memory[0]>>10, memory[1]>>10)
	if grown := memory[1] - memory[0]; grown > 8<<20 { // of which the ids take some
		t.Errorf("%d bytes more", grown)
	}
}
