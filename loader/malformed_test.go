package loader

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/hostile"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// oneLine checks what every message owes its reader.
func oneLine(t *testing.T, message, dir string) {
	t.Helper()
	if strings.ContainsFunc(message, unicode.IsControl) {
		t.Errorf("control characters in %q", message)
	}
	if len(message) > 1000 {
		t.Errorf("%d bytes: %q", len(message), message)
	}
	if !strings.Contains(message, dir) {
		t.Errorf("no file named in %q", message)
	}
}

// isUnsupported tells the two kinds of error apart, and fails for any other.
func isUnsupported(t *testing.T, err error) bool {
	t.Helper()
	var format *badfile.FormatError
	var unsupported *badfile.UnsupportedError
	if errors.As(err, &unsupported) {
		return true
	}
	if !errors.As(err, &format) {
		t.Errorf("neither a FormatError nor an UnsupportedError: %v", err)
	}
	return false
}

// Each row makes one thing wrong with a good checkpoint, and Check says so.
func TestContradictions(t *testing.T) {
	for _, test := range []struct {
		name        string
		damage      func(c *checkpoint)
		want        string // part of the message
		unsupported bool
	}{
		{
			"missing tensor",
			func(c *checkpoint) { c.drop("layers.2.mixer.D") },
			`1 of 42 tensors missing: "backbone.layers.2.mixer.D"`, false,
		},
		{
			"missing block",
			func(c *checkpoint) { c.drop("layers.3.") },
			`10 of 42 tensors missing: "backbone.layers.3.norm.weight", "backbone.layers.3.mixer.in_proj.weight", ` +
				`"backbone.layers.3.mixer.conv1d.weight" and 7 more (num_hidden_layers is 4, the files hold 3 blocks)`, false,
		},
		{
			"block beyond the last",
			func(c *checkpoint) { c.edit(`"num_hidden_layers": 4`, `"num_hidden_layers": 3`) },
			`found 10 tensors that config.json leaves no place for: "backbone.layers.3.mixer.A_log", "backbone.layers.3.mixer.D", ` +
				`"backbone.layers.3.mixer.conv1d.bias" and 7 more (num_hidden_layers is 3, the files hold 4 blocks)`, false,
		},
		{
			"unexpected bias",
			func(c *checkpoint) { c.add("backbone.layers.0.mixer.in_proj.bias", tensor.F32, 128) },
			`"backbone.layers.0.mixer.in_proj.bias" (use_bias is false)`, false,
		},
		{
			"missing bias",
			func(c *checkpoint) { c.drop("conv1d.bias") },
			`4 of 42 tensors missing: "backbone.layers.0.mixer.conv1d.bias", "backbone.layers.1.mixer.conv1d.bias", ` +
				`"backbone.layers.2.mixer.conv1d.bias" and 1 more (use_conv_bias is true)`, false,
		},
		{
			"untied without a head",
			func(c *checkpoint) { c.edit(`"tie_word_embeddings": true`, `"tie_word_embeddings": false`) },
			`1 of 43 tensors missing: "lm_head.weight" (tie_word_embeddings is false)`, false,
		},
		{
			"size of the state",
			func(c *checkpoint) { c.edit(`"state_size": 16`, `"state_size": 8`) },
			`tensor "backbone.layers.0.mixer.A_log": found [64, 16], config.json says [64, 8] (state_size is 8 there, 16 by the tensor); ` +
				`wrong likewise: "backbone.layers.0.mixer.x_proj.weight", "backbone.layers.1.mixer.A_log", "backbone.layers.1.mixer.x_proj.weight" and 4 more`, false,
		},
		{
			"size of the mixer",
			func(c *checkpoint) { c.edit(`"intermediate_size": 64`, `"intermediate_size": 48`) },
			`(intermediate_size is 48 there, 64 by the tensor)`, false,
		},
		{
			"one shape",
			func(c *checkpoint) { c.at(t, "backbone.layers.1.mixer.x_proj.weight").Shape = []int{32, 68} },
			`tensor "backbone.layers.1.mixer.x_proj.weight": found [32, 68], config.json says [34, 64] ` +
				`(time_step_rank is 2, state_size is 16; intermediate_size is 64 there, 68 by the tensor)`, false,
		},
		{
			"convolution squeezed",
			func(c *checkpoint) { c.at(t, "backbone.layers.1.mixer.conv1d.weight").Shape = []int{64, 4} },
			`found [64, 4], [channels, kernel], squeezed as in GGUF; expected [channels, 1, kernel]`, false,
		},
		{
			"integers",
			func(c *checkpoint) {
				c.drop("layers.1.mixer.out_proj")
				c.add("backbone.layers.1.mixer.out_proj.weight", tensor.I8, 32, 64)
			},
			`tensor "backbone.layers.1.mixer.out_proj.weight": found dtype I8, expected F32, F16, BF16 or F64`, true,
		},
		{
			"singular embedding",
			func(c *checkpoint) { c.at(t, names.Embedding).Name = "backbone.embedding.weight" },
			`tensor "backbone.embedding.weight": transformers reads this tensor only under the name "backbone.embeddings.weight"; rename it`, false,
		},
		{
			"singular embedding beside the plural",
			func(c *checkpoint) { c.add("backbone.embedding.weight", tensor.F32, 128, 32) },
			`found 1 tensor that config.json leaves no place for: "backbone.embedding.weight"`, false,
		},
		{
			"twice under two names",
			func(c *checkpoint) { c.add("norm_f.weight", tensor.F32, 32) },
			`found 1 tensor that config.json leaves no place for: "norm_f.weight"`, false,
		},
		{
			"control characters in a name",
			func(c *checkpoint) { c.add("backbone.layers.0.mixer.A_log\n\x1b[31m", tensor.F32, 1) },
			``, false,
		},
		{
			"quantized by GPTQ",
			func(c *checkpoint) {
				c.drop("in_proj")
				for _, i := range []string{"0", "1", "2", "3"} {
					for _, tail := range []string{"g_idx", "qweight", "qzeros", "scales"} {
						c.add("backbone.layers."+i+".mixer.in_proj."+tail, tensor.I32, 4)
					}
				}
			},
			`found weights quantized with GPTQ`, true,
		},
		{
			"Mamba-2",
			func(c *checkpoint) {
				c.drop("x_proj")
				c.drop("dt_proj")
				c.add("backbone.layers.0.mixer.dt_bias", tensor.F32, 8)
			},
			`tensor "backbone.layers.0.mixer.dt_bias": found Mamba-2 blocks, config.json says that the model is a mamba; gomamba doctor`, false,
		},
		{
			"attention",
			func(c *checkpoint) {
				for _, part := range []string{"A_log", "D", "x_proj", "dt_proj"} {
					c.drop("layers.1.mixer." + part)
					c.drop("layers.3.mixer." + part)
				}
			},
			`found a hybrid model: 2 blocks (1, 3) have projections but no A_log`, true,
		},
		{
			"MLP blocks beside a complete model",
			func(c *checkpoint) {
				c.add("backbone.layers.2.norm2.weight", tensor.F32, 32)
				c.add("backbone.layers.2.mlp.fc1.weight", tensor.F32, 128, 32)
			},
			`tensor "backbone.layers.2.mlp.fc1.weight": found attention or MLP blocks of a hybrid model`, true,
		},
		{
			"LayerNorm",
			func(c *checkpoint) { c.add("backbone.layers.0.norm.bias", tensor.F32, 32) },
			`tensor "backbone.layers.0.norm.bias": found biases of LayerNorm`, true,
		},
		{
			"another model",
			func(c *checkpoint) {
				c.tensors = nil
				for _, name := range []string{"wte.weight", "wpe.weight", "h.0.attn.bias", "h.0.ln_1.weight"} {
					c.add(name, tensor.F32, 2)
				}
			},
			`found unknown names: "h.0.attn.bias", "h.0.ln_1.weight", "wpe.weight" and 1 more, expected 42 tensors of a mamba model, such as ` +
				`"backbone.layers.0.mixer.in_proj.weight"; these are weights of another model, or something has changed their names`, false,
		},
		{
			"nothing",
			func(c *checkpoint) { c.tensors = nil },
			`found no tensors, expected 42 tensors of a mamba model`, false,
		},
		{
			"two things at once",
			func(c *checkpoint) {
				c.drop("norm_f")
				c.at(t, "backbone.layers.1.norm.weight").Shape = []int{2, 16}
			},
			`tensor "backbone.layers.1.norm.weight": found [2, 16], config.json says [32]; 1 more problem`, false,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := load(t)
			test.damage(c)
			dir := c.write(t)
			ck := open(t, dir, Options{})
			err := ck.Check()
			if test.want == "" {
				if err != nil {
					t.Errorf("error %v, want a warning", err)
				}
			} else if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v\nwant      %s", err, test.want)
			} else if got := isUnsupported(t, err); got != test.unsupported {
				t.Errorf("unsupported: %t, want %t", got, test.unsupported)
			}
			problems := ck.Problems()
			if len(problems) == 0 {
				t.Error("Problems are empty")
			}
			for _, p := range problems {
				oneLine(t, p.Text, dir)
			}
		})
	}
}

func TestForeign(t *testing.T) {
	c := load(t)
	c.add("backbone.layers.0.mixer.dt_layernorm.weight", tensor.F32, 2)
	c.add("stray.scales", tensor.I32, 2)           // a complete model beside it is not quantized
	c.add("vision.0.mlp.weight", tensor.F32, 2, 2) // nor a hybrid
	dir := c.write(t)
	const want = `found 3 tensors that are no part of a mamba model: "backbone.layers.0.mixer.dt_layernorm.weight", "vision.0.mlp.weight", "stray.scales"`

	ck := open(t, dir, Options{})
	problems := ck.Problems()
	if err := ck.Check(); err != nil || len(problems) != 1 || problems[0].Severity != Warning || !strings.Contains(problems[0].Text, want) {
		t.Errorf("error %v, problems %v, want the warning %s", err, problems, want)
	}
	if err := open(t, dir, Options{Strict: true}).Check(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("strictly: %v, want %s", err, want)
	}
}

// Each row is a path that does not lead to a checkpoint.
func TestDetect(t *testing.T) {
	for _, test := range []struct {
		name        string
		files       []string
		path        string // below the folder
		want        string
		unsupported bool
	}{
		{"empty folder", nil, "", "found an empty folder; use a Hugging Face folder with config.json and model.safetensors", false},
		{"original", []string{"config.json", "pytorch_model.bin"}, "", "config.json: empty file", false},
		{"old transformers", []string{"config.json", "pytorch_model.bin.index.json"}, "", "config.json: empty file", false},
		{"mistral", []string{"params.json", "consolidated.safetensors"}, "", `params.json: empty file`, false},
		{"mistral weights", []string{"params.json", "consolidated.safetensors"}, "consolidated.safetensors", `params.json: empty file`, false},
		{"mistral without weights", []string{"params.json"}, "", `found "params.json": mistral's layout without its weights; download consolidated`, true},
		{"mistral without sizes", []string{"consolidated.safetensors"}, "", `found "consolidated.safetensors": mistral's layout without params.json`, true},
		{"gguf folder", []string{"x.Q8_0.gguf", "README.md"}, "", "x.Q8_0.gguf: is empty", false},
		{"gguf file", []string{"x.gguf"}, "x.gguf", "x.gguf: is empty", false},
		{"gguf files", []string{"x.gguf", "y.gguf"}, "", `found "x.gguf": one of several GGUF files; give the file`, true},
		{"bin file", []string{"pytorch_model.bin"}, "pytorch_model.bin", `found "pytorch_model.bin": weights without config.json`, false},
		{"another bin file", []string{"model.bin"}, "model.bin", `found "model.bin": weights without config.json`, false},
		{"adapter", []string{"adapter_config.json", "adapter_model.safetensors"}, "", "merge_and_unload", true},
		{"no config", []string{"model.safetensors"}, "", `found "model.safetensors": weights without config.json`, false},
		{"no config, by file", []string{"model.safetensors"}, "model.safetensors", `found "model.safetensors": weights without config.json`, false},
		{"no weights", []string{"config.json", "tokenizer.json"}, "", "found config.json without weights", false},
		{"no index", []string{"config.json", "model-00001-of-00002.safetensors"}, "", "without model.safetensors.index.json", false},
		{
			"a shard", []string{"config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors"},
			"model-00001-of-00002.safetensors", "found one shard of a checkpoint; give the folder", true,
		},
		{"something else", []string{"a", "b", "c", "d", "e"}, "", `found no checkpoint but "a", "b", "c" and 2 more`, false},
		{"some file", []string{"README.md"}, "README.md", "expected a checkpoint's folder", true},
		{"empty files", []string{"config.json", "model.safetensors"}, "", "empty file", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range test.files {
				writeFile(t, filepath.Join(dir, name), nil)
			}
			_, err := Open(filepath.Join(dir, test.path), Options{})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v\nwant      %s", err, test.want)
			}
			if got := isUnsupported(t, err); got != test.unsupported {
				t.Errorf("unsupported: %t, want %t", got, test.unsupported)
			}
			oneLine(t, err.Error(), dir)
		})
	}
	if _, err := Open(filepath.Join(t.TempDir(), "nowhere"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a path that leads nowhere: %v", err)
	}
}

// Each row makes one thing wrong with a good sharded checkpoint.
func TestShards(t *testing.T) {
	naming := func(shard string) func(*testing.T, string, *checkpoint) {
		return func(t *testing.T, dir string, c *checkpoint) {
			edited := strings.Replace(c.index, `"a.safetensors"`, shard, 1)
			writeFile(t, filepath.Join(dir, filenames.ModelIndex), []byte(edited))
		}
	}
	text := func(index string) func(*testing.T, string, *checkpoint) {
		return func(t *testing.T, dir string, _ *checkpoint) {
			writeFile(t, filepath.Join(dir, filenames.ModelIndex), []byte(index))
		}
	}
	const plain = "expected a plain file name in the same folder"
	for _, test := range []struct {
		name   string
		damage func(t *testing.T, dir string, c *checkpoint)
		want   string
	}{
		{"parent folder", naming(`"../x.safetensors"`), `found the shard name "../x.safetensors", ` + plain},
		{"absolute", naming(`"/etc/passwd"`), plain},
		{"folder", naming(`"sub/a.safetensors"`), plain},
		{"backslash", naming(`"..\\a.safetensors"`), plain},
		{"dot", naming(`"."`), plain},
		{"dots", naming(`".."`), plain},
		{"no name", naming(`""`), `found the shard name "", ` + plain},
		{"NUL", naming(`"a\u0000.safetensors"`), plain},
		{"escape sequence", naming(`"\u001b[31m.safetensors"`), plain},
		{"long name", naming(`"` + strings.Repeat("a", 300) + `"`), plain},
		{"number for a name", naming(`7`), `found 7, expected the name of a shard`},
		{"no weight_map", text(`{"metadata": {}}`), `found no "weight_map"`},
		{"no object", text(`{"weight_map": ["a.safetensors"]}`), `weight_map: found an array, expected an object`},
		{"no entries", text(`{"weight_map": {}}`), `weight_map: found no tensors`},
		{"HTML", text(`<!DOCTYPE html>`), `HTML`},
		{"cut short", text(`{"weight_map": {"a": `), `end of the file`},
		{
			"missing shard",
			func(t *testing.T, dir string, _ *checkpoint) {
				if err := os.Remove(filepath.Join(dir, "b.safetensors")); err != nil {
					t.Fatal(err)
				}
			},
			`1 of 2 shards missing: "b.safetensors"; download again`,
		},
		{
			"shard cut short",
			func(t *testing.T, dir string, _ *checkpoint) {
				if err := os.Truncate(filepath.Join(dir, "b.safetensors"), 20000); err != nil {
					t.Fatal(err)
				}
			},
			`b.safetensors: `,
		},
		{
			"shard that is a folder",
			func(t *testing.T, dir string, _ *checkpoint) {
				path := filepath.Join(dir, "b.safetensors")
				if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o755)); err != nil {
					t.Fatal(err)
				}
			},
			`b.safetensors: is a directory, expected a regular file`,
		},
		{
			"in both shards",
			func(t *testing.T, dir string, c *checkpoint) {
				writeTensors(t, filepath.Join(dir, "b.safetensors"), c.tensors)
			},
			`is in two shards, "a.safetensors" and "b.safetensors"`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := load(t)
			c.shardOf = halves
			dir := c.write(t)
			test.damage(t, dir, c)
			_, err := Open(dir, Options{})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v\nwant      %s", err, test.want)
			}
			if isUnsupported(t, err) {
				t.Errorf("%T, want a FormatError", err)
			}
			oneLine(t, err.Error(), dir)
		})
	}
}

func FuzzIndex(f *testing.F) {
	for _, seed := range hostile.Seeds(".index.json") {
		f.Add(seed)
	}
	for _, seed := range []string{
		`{"metadata": {"total_size": 112368.0, "total_parameters": 28092}, "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "c"}}`,
		`{"weight_map": {"a": "../x"}}`, `{"weight_map": {"a": "/x"}}`, `{"weight_map": {"a": "x\\y"}}`, `{"weight_map": {"a": ""}}`,
		`{"weight_map": {"a": "\u0000"}}`, `{"weight_map": {"a": null}}`, `{"weight_map": {"a": "x", "a": "y"}}`, `{"weight_map": {}}`,
		`{"weight_map": []}`, `{"metadata": null, "weight_map": {"a": "x"}}`, `{"metadata": {"total_size": NaN}, "weight_map": {"a": "x"}}`,
		`{"metadata": {"total_size": 1e999}, "weight_map": {"\ud800": "x"}}`, `{"Weight_Map": {"a": "x"}}`, `{"weight_map": {"a": "."}}`,
		`{"weight_map": {"a": "x", "b": "x", "c": "CON", "d": "C:"}}`, `{`, ``, `[]`, `<html>`, "version https://git-lfs.github.com/spec/v1\n",
		strings.Repeat(`{"weight_map":`, 2000),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := parseIndex("index.json", data)
		if err != nil {
			isUnsupported(t, err)
			oneLine(t, err.Error(), "index.json")
			return
		}
		if len(x.shards) == 0 || len(x.shards) > MaxShards || len(x.shardOf) < len(x.shards) {
			t.Fatalf("%d shards, %d tensors", len(x.shards), len(x.shardOf))
		}
		dir := filepath.Join("some", "dir")
		for _, shard := range x.shards {
			if path := filepath.Join(dir, shard); filepath.Dir(path) != dir || bytes.ContainsAny([]byte(shard), "/\\\x00") {
				t.Fatalf("shard %q leads to %s", shard, path)
			}
		}
	})
}
