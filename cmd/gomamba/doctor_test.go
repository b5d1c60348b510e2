package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/doctor"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/internal/safetensors/safetensorstest"
	"github.com/gomamba/gomamba/tensor"
)

// patient is a copy of a fixture, to be made ill.
type patient struct {
	t       *testing.T
	dir     string
	config  map[string]any
	tensors []tensor.Tensor
	plain   bool // without the metadata that transformers writes
}

// admit copies a fixture with a single weight file.
func admit(t *testing.T, fixture string) *patient {
	t.Helper()
	from := filepath.Join("../../fixtures", fixture)
	p := &patient{t: t, dir: filepath.Join(t.TempDir(), "ill")}
	if err := os.CopyFS(p.dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(p.read("config.json"), &p.config); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Parse("model", p.read("model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range f.Tensors() {
		x.Data = slices.Clone(x.Data)
		p.tensors = append(p.tensors, x)
	}
	return p
}

func (p *patient) read(name string) []byte {
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	return data
}

func (p *patient) write(name, text string) {
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o666); err != nil {
		p.t.Fatal(err)
	}
}

// release writes config and weights as they are now.
func (p *patient) release() {
	text, err := json.Marshal(p.config)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write("config.json", string(text))
	p.save("model.safetensors", p.tensors)
}

func (p *patient) save(name string, tensors []tensor.Tensor) {
	f, err := os.Create(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	metadata := map[string]string{"format": "pt"}
	if p.plain {
		metadata = nil
	}
	if err := safetensorstest.Write(f, tensors, metadata); err != nil {
		p.t.Fatal(err)
	}
}

// tensor returns the one whose name ends so.
func (p *patient) tensor(ending string) *tensor.Tensor {
	for i := range p.tensors {
		if strings.HasSuffix(p.tensors[i].Name, ending) {
			return &p.tensors[i]
		}
	}
	p.t.Fatalf("no tensor %s", ending)
	return nil
}

// gomamba runs a command line and returns its stdout and error.
func gomamba(t *testing.T, args ...string) (string, error) {
	var out, errs bytes.Buffer
	root := newRootCmd()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&errs)
	ctx, session := newSession(t.Context())
	err := errors.Join(root.ExecuteContext(ctx), session.end())
	return out.String() + errs.String(), err
}

func TestDoctorRepairs(t *testing.T) {
	set := func(keys ...any) func(p *patient) {
		return func(p *patient) {
			for i := 0; i < len(keys); i += 2 {
				key := keys[i].(string)
				if keys[i+1] == nil {
					delete(p.config, key)
				} else {
					p.config[key] = keys[i+1]
				}
			}
			p.release()
		}
	}
	const mamba, untied, falcon, mamba2 = "mamba1/default", "mamba1/untied", "falcon/default", "mamba2/default"
	for _, test := range []struct {
		name, fixture string
		harm          func(p *patient)
		want          []string // of each finding, in order
	}{
		{"no architectures", mamba, set("architectures", nil), []string{"architectures: missing; llama.cpp"}},
		{"no model_type", mamba, set("model_type", nil), []string{"model_type: missing; transformers"}},
		{"neither", mamba, set("model_type", nil, "architectures", nil), []string{"model_type: missing, and"}},
		{"wrong sizes", mamba, set("hidden_size", 4096, "vocab_size", 50280),
			[]string{"vocab_size: found 50280, the tensors say 128", "hidden_size: found 4096, the tensors say 32"}},
		{"wrong layers", mamba, set("num_hidden_layers", 64), []string{"num_hidden_layers: found 64, the tensors say 4"}},
		{"a bias that is not there", mamba, set("use_bias", true), []string{"use_bias: found true, the tensors say false"}},
		{"keys of the wrong type", "mamba1/eps", set("vocab_size", "61", "layer_norm_epsilon", "1e-3", "use_cache", "maybe"), []string{
			`vocab_size: found the string "61", expected an integer`, `layer_norm_epsilon: found the string "1e-3", expected a number`,
			`use_cache: found the string "maybe", expected true or false`, `use_cache: found the string "maybe", which has no meaning`,
		}},
		{"a dtype for each module", mamba, set("dtype", map[string]string{"": "float32"}), []string{"dtype: found an object"}},
		{"no dtype", mamba, set("dtype", nil, "torch_dtype", "auto"), []string{`torch_dtype: found the string "auto"`}},
		{"weights that transformers rescales", mamba, set("rescale_prenorm_residual", true), []string{"rescale_prenorm_residual: found true, with which"}},
		{"contradictory names", mamba, set("model_type", "mamba2"), []string{"contradicts model_type"}},
		{"the other family", mamba, set("model_type", "mamba2", "architectures", nil), []string{"num_heads: found 128"}},
		{"tied without being so", untied, set("tie_word_embeddings", true), []string{"differs from the embedding"}},
		{"untied without a head", mamba, set("tie_word_embeddings", false), []string{"but there is no lm_head.weight"}},
		{"falcon as mamba", falcon, set("model_type", "mamba", "architectures", []string{"MambaForCausalLM"}), []string{"it has the key mixer_rms_eps: this is FalconMamba"}},
		{"falcon as MLX says it", falcon, set("model_type", "mamba", "architectures", []string{"MambaForCausalLM"}, "use_bcdt_rms", true),
			[]string{"use_bcdt_rms is true: this is FalconMamba; transformers"}},
		{"another model's class", mamba, set("architectures", []string{"LlamaForCausalLM"}), []string{`expected "MambaForCausalLM"; llama.cpp`}},
		{"a wrong state of Mamba-2", "mamba2/groups4", set("state_size", 128), []string{"state_size: found 128, the tensors say 8, if the other"}},
		{"no state of Mamba-2", "mamba2/groups4", set("state_size", nil), []string{"state_size: missing, and its default 128 contradicts the tensors, which say 8"}},
		{"no state of Mamba-1", "mamba1/oddstate", set("state_size", nil), []string{"state_size: missing, and its default 16 contradicts the tensors, which say 11"}},
		{"falcon by its class", falcon, set("model_type", "mamba"), []string{"contradicts model_type", "this is FalconMamba"}},
		{"embedding", mamba, func(p *patient) {
			p.tensor("embeddings.weight").Name = "backbone.embedding.weight"
			p.release()
		}, []string{`found 1 tensor under another name than transformers reads, such as "backbone.embedding.weight"`}},
		{"a trainer's names", mamba, func(p *patient) {
			for i := range p.tensors {
				p.tensors[i].Name = "module._orig_mod." + p.tensors[i].Name
			}
			p.release()
		}, []string{`read without "module.", "_orig_mod."`}},
		{"twice", mamba, func(p *patient) {
			twin := *p.tensor("embeddings.weight")
			twin.Name = "backbone.embedding.weight"
			p.tensors = append(p.tensors, twin)
			p.release()
		}, []string{"1 tensor under another name", "found 1 tensor twice"}},
		{"a stray buffer", mamba, func(p *patient) {
			p.tensors = append(p.tensors, tensor.Tensor{Name: "step", DType: tensor.F32, Shape: []int{1}, Data: make([]byte, 4)})
			p.release()
		}, []string{`found 1 tensor that a mamba model does not have: "step"`}},
		{"MLX convolutions", mamba, func(p *patient) {
			for i := range p.tensors {
				if x := &p.tensors[i]; strings.HasSuffix(x.Name, "conv1d.weight") {
					x.Shape = []int{x.Shape[0], x.Shape[2], 1}
				}
			}
			p.release()
		}, []string{"the order of an MLX conversion"}},
		{"no format", mamba, func(p *patient) { p.plain = true; p.release() }, []string{`lacks "format": "pt"`}},
		{"a byte after the last tensor", mamba, func(p *patient) {
			p.write("model.safetensors", string(p.read("model.safetensors"))+"\n")
		}, []string{": 1 byte after the last tensor"}},
		{"bytes after those of a shard", mamba, func(p *patient) {
			p.save("model-00001-of-00002.safetensors", p.tensors[:7])
			p.save("model-00002-of-00002.safetensors", p.tensors[7:])
			os.Remove(filepath.Join(p.dir, "model.safetensors"))
			p.write("model-00001-of-00002.safetensors", string(p.read("model-00001-of-00002.safetensors"))+"\x00\x00")
		}, []string{": 2 bytes after the last tensor", "model.safetensors.index.json: missing"}},
		{"a number in the metadata", falcon, func(p *patient) {
			p.write("model.safetensors", strings.Replace(string(p.read("model.safetensors")), `"pt"`, "1234", 1))
		}, []string{`__metadata__: "format" is the number "1234"`, `lacks "format": "pt"`}},
		{"an adapter beside the weights", mamba2, func(p *patient) {
			p.write("adapter_config.json", "{}")
		}, []string{"found an adapter (PEFT) beside the weights"}},
		{"the epoch's file, in a wrapper", mamba2, func(p *patient) {
			for i := range p.tensors {
				p.tensors[i].Name = "student." + p.tensors[i].Name
			}
			p.release()
			if err := os.Rename(filepath.Join(p.dir, "model.safetensors"), filepath.Join(p.dir, "epoch=3.safetensors")); err != nil {
				p.t.Fatal(err)
			}
		}, []string{"epoch=3.safetensors: holds the weights", `read without "student."`}},
		{"shards without an index", mamba, func(p *patient) {
			p.save("model-00001-of-00002.safetensors", p.tensors[:7])
			p.save("model-00002-of-00002.safetensors", p.tensors[7:])
			os.Remove(filepath.Join(p.dir, "model.safetensors"))
		}, []string{"model.safetensors.index.json: missing, though there are shards"}},
		{"an index of another model", mamba, func(p *patient) {
			p.save("model-00001-of-00002.safetensors", p.tensors[:7])
			p.save("model-00002-of-00002.safetensors", p.tensors[7:])
			os.Remove(filepath.Join(p.dir, "model.safetensors"))
			p.write("model.safetensors.index.json", `{"weight_map": {"x": "model-00001-of-00009.safetensors"}}`)
		}, []string{"1 of 1 shards missing"}},
		{"much at once", untied, func(p *patient) {
			p.tensor("embeddings.weight").Name = "backbone.embedding.weight"
			set("architectures", nil, "num_hidden_layers", 9, "tie_word_embeddings", true)(p)
		}, []string{"under another name", "architectures: missing", "num_hidden_layers: found 9", "differs from the embedding"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := admit(t, test.fixture)
			test.harm(p)
			out, err := gomamba(t, "doctor", p.dir, "--json")
			if err == nil {
				t.Errorf("exit status 0 for a broken checkpoint")
			}
			var d doctor.Diagnosis
			if err := json.Unmarshal([]byte(out), &d); err != nil {
				t.Fatalf("%v in %s", err, out)
			}
			if len(d.Findings) != len(test.want) || !d.Repairable {
				t.Errorf("findings (repairable: %t):\n%s\nexpected %q", d.Repairable, out, test.want)
			}
			for i, f := range d.Findings {
				if i < len(test.want) && !strings.Contains(f.Problem, test.want[i]) {
					t.Errorf("finding %q, expected %q", f.Problem, test.want[i])
				}
				if strings.Contains(f.Problem+f.Remedy, "\n") {
					t.Errorf("more than a line: %q", f)
				}
			}
			fixed := filepath.Join(filepath.Dir(p.dir), "fixed")
			if out, err := gomamba(t, "doctor", p.dir, "--fix", fixed); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if out, err := gomamba(t, "doctor", fixed); err != nil || !strings.Contains(out, "nothing is wrong") {
				t.Errorf("the copy: %v: %s", err, out)
			}
			if out, err := gomamba(t, "diff", filepath.Join("../../fixtures", test.fixture), fixed); err != nil {
				t.Errorf("the copy is another model: %v: %s", err, out)
			}
		})
	}
}

func TestDoctorCannotRepair(t *testing.T) {
	const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 516567560\n"
	for _, test := range []struct {
		name string
		harm func(p *patient)
		want string
	}{
		{"no config", func(p *patient) { os.Remove(filepath.Join(p.dir, "config.json")) }, "layer_norm_epsilon: not in what can be read of the file"},
		{"the start of a config", func(p *patient) { p.write("config.json", `{"model_type": "mam`) },
			`model_type: not in what can be read of the file; "mamba" and "falcon_mamba" have the same tensors`},
		{"an empty config", func(p *patient) { p.write("config.json", "{}") }, "model_type: not in what can be read of the file"},
		{"an epsilon that is none", func(p *patient) { p.config["layer_norm_epsilon"] = "small"; p.release() },
			`layer_norm_epsilon: found the string "small", which has no meaning, and results depend on it`},
		{"git-lfs pointer", func(p *patient) { p.write("model.safetensors", pointer) }, "is a git-lfs pointer to a file of 516567560 bytes"},
		{"web page", func(p *patient) { p.write("model.safetensors", "<!DOCTYPE html><html>Sign in</html>") }, "is a web page (HTML)"},
		{"short download", func(p *patient) { p.write("model.safetensors", string(p.read("model.safetensors")[:20_000])) }, "20000"},
		{"one of two shards", func(p *patient) {
			p.save("model-00001-of-00002.safetensors", p.tensors[:7])
			os.Remove(filepath.Join(p.dir, "model.safetensors"))
		}, "missing"},
		{"a lost tensor", func(p *patient) {
			p.tensors = slices.DeleteFunc(p.tensors, func(x tensor.Tensor) bool { return strings.HasSuffix(x.Name, "layers.2.mixer.D") })
			p.release()
		}, "1 of 42 tensors missing"},
		{"not a number", func(p *patient) {
			data := p.tensor("layers.1.mixer.D").Data
			copy(data, tensor.Bytes([]float32{float32(math.NaN()), float32(math.Inf(1))}))
			p.release()
		}, `"backbone.layers.1.mixer.D": found 1 NaN and 1 infinity among 64 elements`},
		{"quantized", func(p *patient) {
			p.config["quantization_config"] = map[string]any{"quant_method": "hqq"}
			p.release()
		}, "already quantized"},
		{"a dead link", func(p *patient) {
			os.Remove(filepath.Join(p.dir, "model.safetensors"))
			os.Symlink("../../blobs/0123", filepath.Join(p.dir, "model.safetensors"))
		}, "which is missing; download it again"},
		{"no weights", func(p *patient) { os.Remove(filepath.Join(p.dir, "model.safetensors")) }, "without weights"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := admit(t, "mamba1/default")
			test.harm(p)
			fixed := filepath.Join(filepath.Dir(p.dir), "fixed")
			out, err := gomamba(t, "doctor", p.dir, "--fix", fixed)
			if err == nil || !strings.Contains(out, test.want) || !strings.Contains(out, "not repairable from these files") {
				t.Errorf("%v: %s\nexpected %q", err, out, test.want)
			}
			if _, err := os.Stat(fixed); err == nil {
				t.Error("a copy was written all the same")
			}
		})
	}
}

// A cut file in the hub's cache is known by the listing that came with it.
func TestDoctorKnowsExpectedSizes(t *testing.T) {
	hub := testHub(t)
	t.Setenv("HF_ENDPOINT", hub.URL)
	t.Setenv("HF_HOME", t.TempDir())
	out, err := gomamba(t, "download", "-q", "gomamba/demo")
	if err != nil {
		t.Fatal(err)
	}
	dir := strings.TrimSpace(out)
	if out, err := gomamba(t, "doctor", dir); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if err := os.Truncate(filepath.Join(dir, "greedy.json"), 10); err != nil {
		t.Fatal(err)
	}
	out, err = gomamba(t, "doctor", dir)
	if err == nil || !strings.Contains(out, "greedy.json: found 10 bytes, the hub has") || !strings.Contains(out, "gomamba download gomamba/demo completes it") {
		t.Errorf("%v: %s", err, out)
	}
}

// Mamba-2's heads and groups follow from several tensors together.
func TestDoctorRepairsMamba2(t *testing.T) {
	for _, test := range []struct {
		config map[string]any
		want   string
	}{
		{
			map[string]any{"model_type": "mamba", "hidden_size": 4096, "state_size": 16, "layer_norm_epsilon": 1e-6},
			`model_type: found "mamba", but the tensors are those of mamba2`,
		},
		{
			map[string]any{"model_type": "mamba2", "hidden_size": 32, "num_heads": 7, "head_dim": 13, "state_size": 16, "layer_norm_epsilon": 1e-6},
			"num_heads: found 7, the tensors say 8",
		},
		{
			map[string]any{"model_type": "mamba2", "hidden_size": 32, "num_heads": 8, "head_dim": 8, "state_size": 16, "n_groups": 1, "layer_norm_epsilon": 1e-6},
			"n_groups: found 1, the tensors say 2",
		},
	} {
		p := mamba2Patient(t)
		p.config = test.config
		p.release()
		fixed := filepath.Join(filepath.Dir(p.dir), "fixed")
		out, err := gomamba(t, "doctor", p.dir, "--fix", fixed)
		if err != nil || !strings.Contains(out, test.want) {
			t.Fatalf("%v: %s\nexpected %q", err, out, test.want)
		}
		var got map[string]any
		data, err := os.ReadFile(filepath.Join(fixed, "config.json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]any{
			"model_type": "mamba2", "hidden_size": 32.0, "num_heads": 8.0, "head_dim": 8.0, "n_groups": 2.0, "state_size": 16.0,
			"conv_kernel": 4.0, "vocab_size": 64.0, "num_hidden_layers": 2.0, "expand": 2.0, "tie_word_embeddings": true,
			"layer_norm_epsilon": 1e-6,
		} {
			if got[key] != want {
				t.Errorf("%s is %v, expected %v", key, got[key], want)
			}
		}
	}
}

// The tensors of Mamba-2 show only the product of groups and states: without either there is nothing to go by.
func TestDoctorGuessesNoGroups(t *testing.T) {
	p := mamba2Patient(t)
	p.config = map[string]any{"model_type": "mamba2", "architectures": []string{"Mamba2ForCausalLM"}, "hidden_size": 32, "num_heads": 8,
		"head_dim": 8, "num_hidden_layers": 2, "vocab_size": 64, "tie_word_embeddings": true}
	p.release()
	out, err := gomamba(t, "doctor", p.dir)
	if err == nil || !strings.Contains(out, "state_size: missing, and its default 128 contradicts the tensors") || !strings.Contains(out, "not repairable") {
		t.Errorf("%v: %s", err, out)
	}
}

// mamba2Patient has 2 layers, D 32, I 64 in 8 heads of 8, 2 groups of N 16, K 4, V 64, tied.
func mamba2Patient(t *testing.T) *patient {
	const d, heads, inner, kernel, vocab = 32, 8, 64, 4, 64
	const channels = inner + 2*2*16
	p := &patient{t: t, dir: filepath.Join(t.TempDir(), "ill")}
	if err := os.Mkdir(p.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	add := func(name string, shape ...int) {
		n, _ := tensor.Count(shape)
		values := make([]float32, n)
		for i := range values {
			values[i] = float32(r.NormFloat64())
		}
		p.tensors = append(p.tensors, tensor.Tensor{Name: "backbone." + name, DType: tensor.F32, Shape: shape, Data: tensor.Bytes(values)})
	}
	add("embeddings.weight", vocab, d)
	for _, block := range []string{"layers.0.", "layers.1."} {
		add(block+"norm.weight", d)
		add(block+"mixer.in_proj.weight", inner+channels+heads, d)
		add(block+"mixer.conv1d.weight", channels, 1, kernel)
		add(block+"mixer.conv1d.bias", channels)
		add(block+"mixer.dt_bias", heads)
		add(block+"mixer.A_log", heads)
		add(block+"mixer.D", heads)
		add(block+"mixer.norm.weight", inner)
		add(block+"mixer.out_proj.weight", d, inner)
	}
	add("norm_f.weight", d)
	return p
}
