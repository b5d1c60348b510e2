package loader_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/layout/layouttest"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/loader"
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

// isUnsupported distinguishes the two kinds of error, and fails for any other.
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
		damage      func(c *layouttest.Checkpoint)
		want        string // part of the message
		unsupported bool
	}{
		{
			"missing tensor",
			func(c *layouttest.Checkpoint) { c.Drop("layers.2.mixer.D") },
			`1 of 42 tensors missing: "backbone.layers.2.mixer.D"`, false,
		},
		{
			"missing block",
			func(c *layouttest.Checkpoint) { c.Drop("layers.3.") },
			`10 of 42 tensors missing: "backbone.layers.3.norm.weight", "backbone.layers.3.mixer.in_proj.weight", ` +
				`"backbone.layers.3.mixer.conv1d.weight" and 7 more (num_hidden_layers is 4, the files hold 3 blocks)`, false,
		},
		{
			"block beyond the last",
			func(c *layouttest.Checkpoint) { c.Edit(`"num_hidden_layers": 4`, `"num_hidden_layers": 3`) },
			`found 10 tensors that config.json leaves no place for: "backbone.layers.3.mixer.A_log", "backbone.layers.3.mixer.D", ` +
				`"backbone.layers.3.mixer.conv1d.bias" and 7 more (num_hidden_layers is 3, the files hold 4 blocks)`, false,
		},
		{
			"unexpected bias",
			func(c *layouttest.Checkpoint) { c.Add("backbone.layers.0.mixer.in_proj.bias", tensor.F32, 128) },
			`"backbone.layers.0.mixer.in_proj.bias" (use_bias is false)`, false,
		},
		{
			"missing bias",
			func(c *layouttest.Checkpoint) { c.Drop("conv1d.bias") },
			`4 of 42 tensors missing: "backbone.layers.0.mixer.conv1d.bias", "backbone.layers.1.mixer.conv1d.bias", ` +
				`"backbone.layers.2.mixer.conv1d.bias" and 1 more (use_conv_bias is true)`, false,
		},
		{
			"untied without a head",
			func(c *layouttest.Checkpoint) { c.Edit(`"tie_word_embeddings": true`, `"tie_word_embeddings": false`) },
			`1 of 43 tensors missing: "lm_head.weight" (tie_word_embeddings is false)`, false,
		},
		{
			"size of the state",
			func(c *layouttest.Checkpoint) { c.Edit(`"state_size": 16`, `"state_size": 8`) },
			`tensor "backbone.layers.0.mixer.A_log": found [64, 16], config.json says [64, 8] (state_size is 8 there, 16 by the tensor); ` +
				`also wrong: "backbone.layers.0.mixer.x_proj.weight", "backbone.layers.1.mixer.A_log", "backbone.layers.1.mixer.x_proj.weight" and 4 more`, false,
		},
		{
			"size of the mixer",
			func(c *layouttest.Checkpoint) { c.Edit(`"intermediate_size": 64`, `"intermediate_size": 48`) },
			`(intermediate_size is 48 there, 64 by the tensor)`, false,
		},
		{
			"one shape",
			func(c *layouttest.Checkpoint) { c.At(t, "backbone.layers.1.mixer.x_proj.weight").Shape = []int{32, 68} },
			`tensor "backbone.layers.1.mixer.x_proj.weight": found [32, 68], config.json says [34, 64] ` +
				`(time_step_rank is 2, state_size is 16; intermediate_size is 64 there, 68 by the tensor)`, false,
		},
		{
			"convolution squeezed",
			func(c *layouttest.Checkpoint) { c.At(t, "backbone.layers.1.mixer.conv1d.weight").Shape = []int{64, 4} },
			`found [64, 4], [channels, kernel], squeezed as in GGUF; expected [channels, 1, kernel]`, false,
		},
		{
			"integers",
			func(c *layouttest.Checkpoint) {
				c.Drop("layers.1.mixer.out_proj")
				c.Add("backbone.layers.1.mixer.out_proj.weight", tensor.I8, 32, 64)
			},
			`tensor "backbone.layers.1.mixer.out_proj.weight": found dtype I8, expected F32, F16, BF16 or F64`, true,
		},
		{
			"singular embedding",
			func(c *layouttest.Checkpoint) { c.At(t, names.Embedding).Name = "backbone.embedding.weight" },
			`tensor "backbone.embedding.weight": transformers reads this tensor only under the name "backbone.embeddings.weight"; rename it`, false,
		},
		{
			"singular embedding beside the plural",
			func(c *layouttest.Checkpoint) { c.Add("backbone.embedding.weight", tensor.F32, 128, 32) },
			`found 1 tensor that config.json leaves no place for: "backbone.embedding.weight"`, false,
		},
		{
			"twice under two names",
			func(c *layouttest.Checkpoint) { c.Add("norm_f.weight", tensor.F32, 32) },
			`found 1 tensor that config.json leaves no place for: "norm_f.weight"`, false,
		},
		{
			"control characters in a name",
			func(c *layouttest.Checkpoint) { c.Add("backbone.layers.0.mixer.A_log\n\x1b[31m", tensor.F32, 1) },
			``, false,
		},
		{
			"quantized by AQLM",
			func(c *layouttest.Checkpoint) {
				c.Drop("in_proj")
				for _, i := range []string{"0", "1", "2", "3"} {
					for _, tail := range []string{"codes", "codebooks"} {
						c.Add("backbone.layers."+i+".mixer.in_proj."+tail, tensor.I32, 4)
					}
				}
			},
			`found weights quantized with AQLM`, true,
		},
		{
			"Mamba-2",
			func(c *layouttest.Checkpoint) {
				c.Drop("x_proj")
				c.Drop("dt_proj")
				c.Add("backbone.layers.0.mixer.dt_bias", tensor.F32, 8)
			},
			`tensor "backbone.layers.0.mixer.dt_bias": found Mamba-2 blocks, config.json says that the model is a mamba`, false,
		},
		{
			"attention",
			func(c *layouttest.Checkpoint) {
				for _, part := range []string{"A_log", "D", "x_proj", "dt_proj"} {
					c.Drop("layers.1.mixer." + part)
					c.Drop("layers.3.mixer." + part)
				}
			},
			`found a hybrid model: 2 blocks (1, 3) have projections but no A_log`, true,
		},
		{
			"MLP blocks beside a complete model",
			func(c *layouttest.Checkpoint) {
				c.Add("backbone.layers.2.norm2.weight", tensor.F32, 32)
				c.Add("backbone.layers.2.mlp.fc1.weight", tensor.F32, 128, 32)
			},
			`tensor "backbone.layers.2.mlp.fc1.weight": found attention or MLP blocks of a hybrid model`, true,
		},
		{
			"LayerNorm",
			func(c *layouttest.Checkpoint) { c.Add("backbone.layers.0.norm.bias", tensor.F32, 32) },
			`tensor "backbone.layers.0.norm.bias": found biases of LayerNorm`, true,
		},
		{
			"another model",
			func(c *layouttest.Checkpoint) {
				c.Tensors = nil
				for _, name := range []string{"wte.weight", "wpe.weight", "h.0.attn.bias", "h.0.ln_1.weight"} {
					c.Add(name, tensor.F32, 2)
				}
			},
			`found unknown names: "h.0.attn.bias", "h.0.ln_1.weight", "wpe.weight" and 1 more, expected 42 tensors of a mamba model, such as ` +
				`"backbone.layers.0.mixer.in_proj.weight"; these are weights of another model, or something has changed their names`, false,
		},
		{
			"nothing",
			func(c *layouttest.Checkpoint) { c.Tensors = nil },
			`found no tensors, expected 42 tensors of a mamba model`, false,
		},
		{
			"two things at once",
			func(c *layouttest.Checkpoint) {
				c.Drop("norm_f")
				c.At(t, "backbone.layers.1.norm.weight").Shape = []int{2, 16}
			},
			`tensor "backbone.layers.1.norm.weight": found [2, 16], config.json says [32]; 1 more problem`, false,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := layouttest.Load(t)
			test.damage(c)
			dir := c.Write(t)
			ck := open(t, dir, loader.Options{})
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
	c := layouttest.Load(t)
	c.Add("backbone.layers.0.mixer.dt_layernorm.weight", tensor.F32, 2)
	c.Add("stray.scales", tensor.I32, 2)           // a complete model beside it is not quantized
	c.Add("vision.0.mlp.weight", tensor.F32, 2, 2) // nor a hybrid
	dir := c.Write(t)
	const want = `found 3 tensors that a mamba model does not have: "backbone.layers.0.mixer.dt_layernorm.weight", "vision.0.mlp.weight", "stray.scales"`

	ck := open(t, dir, loader.Options{})
	problems := ck.Problems()
	if err := ck.Check(); err != nil || len(problems) != 1 || problems[0].Severity != loader.Warning || !strings.Contains(problems[0].Text, want) {
		t.Errorf("error %v, problems %v, want the warning %s", err, problems, want)
	}
	if err := open(t, dir, loader.Options{Strict: true}).Check(); err == nil || !strings.Contains(err.Error(), want) {
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
		empty       bool // so are the files of weights
	}{
		{"empty folder", nil, "", "found an empty folder; use a Hugging Face folder with config.json and model.safetensors", false, false},
		{"original", []string{"config.json", "pytorch_model.bin"}, "", "config.json: empty file", false, false},
		{"old transformers", []string{"config.json", "pytorch_model.bin.index.json"}, "", "config.json: empty file", false, false},
		{"mistral", []string{"params.json", "consolidated.safetensors"}, "", `params.json: empty file`, false, false},
		{"mistral weights", []string{"params.json", "consolidated.safetensors"}, "consolidated.safetensors", `params.json: empty file`, false, false},
		{"mistral without weights", []string{"params.json"}, "", `found "params.json": mistral's layout without its weights; download consolidated`, true, false},
		{"mistral without sizes", []string{"consolidated.safetensors"}, "", `found "consolidated.safetensors": mistral's layout without params.json`, true, false},
		{"gguf folder", []string{"x.Q8_0.gguf", "README.md"}, "", "x.Q8_0.gguf: is empty", false, false},
		{"gguf file", []string{"x.gguf"}, "x.gguf", "x.gguf: is empty", false, false},
		{"gguf files", []string{"x.gguf", "y.gguf"}, "", `found "x.gguf": one of several GGUF files; give the file`, true, false},
		{"bin file", []string{"pytorch_model.bin"}, "pytorch_model.bin", `found "pytorch_model.bin": weights without config.json`, false, false},
		{"another bin file", []string{"model.bin"}, "model.bin", `found "model.bin": weights without config.json`, false, false},
		{"adapter", []string{"adapter_config.json", "adapter_model.safetensors"}, "", "give the base model too", true, false},
		{"no config", []string{"model.safetensors"}, "", `found "model.safetensors": weights without config.json`, false, false},
		{"no config, by file", []string{"model.safetensors"}, "model.safetensors", `found "model.safetensors": weights without config.json`, false, false},
		{"no weights", []string{"config.json", "tokenizer.json"}, "", "found config.json without weights", false, false},
		{"no index", []string{"config.json", "model-00001-of-00002.safetensors"}, "", "without model.safetensors.index.json", false, false},
		{
			"a shard", []string{"config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors"},
			"model-00001-of-00002.safetensors", "found one shard of a checkpoint; give the folder", true, false,
		},
		{"something else", []string{"a", "b", "c", "d", "e"}, "", `found no checkpoint but "a", "b", "c" and 2 more`, false, false},
		{"some file", []string{"README.md"}, "README.md", "expected a checkpoint's folder", true, false},
		{"empty weights", []string{"model.safetensors", "x.gguf", "y.gguf"}, "model.safetensors", "model.safetensors: is empty; download it again", false, true},
		{"weights beside GGUF files", []string{"model.safetensors", "x.gguf", "y.gguf"}, "model.safetensors", `found "model.safetensors": weights without config.json`, false, false},
		{"empty files", []string{"config.json", "model.safetensors"}, "", "empty file", false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range test.files {
				var data []byte
				if ext := filepath.Ext(name); !test.empty && (ext == ".safetensors" || ext == ".bin") {
					data = []byte("\x02\x00\x00\x00\x00\x00\x00\x00{}")
				}
				layouttest.WriteFile(t, filepath.Join(dir, name), data)
			}
			_, err := loader.Open(filepath.Join(dir, test.path), loader.Options{})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v\nwant      %s", err, test.want)
			}
			if got := isUnsupported(t, err); got != test.unsupported {
				t.Errorf("unsupported: %t, want %t", got, test.unsupported)
			}
			oneLine(t, err.Error(), dir)
		})
	}
	if _, err := loader.Open(filepath.Join(t.TempDir(), "nowhere"), loader.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a path that leads nowhere: %v", err)
	}
}

// Each row makes one thing wrong with a good sharded checkpoint.
func TestShards(t *testing.T) {
	naming := func(shard string) func(*testing.T, string, *layouttest.Checkpoint) {
		return func(t *testing.T, dir string, c *layouttest.Checkpoint) {
			edited := strings.Replace(c.Index, `"a.safetensors"`, shard, 1)
			layouttest.WriteFile(t, filepath.Join(dir, filenames.ModelIndex), []byte(edited))
		}
	}
	text := func(index string) func(*testing.T, string, *layouttest.Checkpoint) {
		return func(t *testing.T, dir string, _ *layouttest.Checkpoint) {
			layouttest.WriteFile(t, filepath.Join(dir, filenames.ModelIndex), []byte(index))
		}
	}
	const plain = "expected a plain file name in the same folder"
	for _, test := range []struct {
		name   string
		damage func(t *testing.T, dir string, c *layouttest.Checkpoint)
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
			func(t *testing.T, dir string, _ *layouttest.Checkpoint) {
				if err := os.Remove(filepath.Join(dir, "b.safetensors")); err != nil {
					t.Fatal(err)
				}
			},
			`1 of 2 shards missing: "b.safetensors"; download again`,
		},
		{
			"shard cut short",
			func(t *testing.T, dir string, _ *layouttest.Checkpoint) {
				if err := os.Truncate(filepath.Join(dir, "b.safetensors"), 20000); err != nil {
					t.Fatal(err)
				}
			},
			`b.safetensors: `,
		},
		{
			"shard that is a folder",
			func(t *testing.T, dir string, _ *layouttest.Checkpoint) {
				path := filepath.Join(dir, "b.safetensors")
				if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o755)); err != nil {
					t.Fatal(err)
				}
			},
			`b.safetensors: is an empty folder, expected a file of weights`,
		},
		{
			"in both shards",
			func(t *testing.T, dir string, c *layouttest.Checkpoint) {
				layouttest.WriteTensors(t, filepath.Join(dir, "b.safetensors"), c.Tensors)
			},
			`is in two shards, "a.safetensors" and "b.safetensors"`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := layouttest.Load(t)
			c.ShardOf = layouttest.Halves
			dir := c.Write(t)
			test.damage(t, dir, c)
			_, err := loader.Open(dir, loader.Options{})
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

// TestQuantizedNames recognises by its names what no configuration gives away.
func TestQuantizedNames(t *testing.T) {
	c := layouttest.Load(t)
	c.Drop("in_proj.weight")
	for _, part := range []string{"codes", "codebooks"} {
		c.Add("backbone.layers.0.mixer.in_proj."+part, tensor.I32, 4, 16)
	}
	err := open(t, c.Write(t), loader.Options{}).Check()
	var unsupported *badfile.UnsupportedError
	if !errors.As(err, &unsupported) || !strings.Contains(err.Error(), "AQLM") {
		t.Errorf("Check: %v", err)
	}
}
