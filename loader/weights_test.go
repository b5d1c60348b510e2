package loader_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/doctor"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/layout/layouttest"
	"github.com/gomamba/gomamba/internal/torchbin"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// families are a checkpoint of each family, of one file.
var families = []string{"mamba1/default", "falcon/default", "mamba2/default"}

// containers write tensors the ways in which a folder may hold them.
var containers = map[string]func(t *testing.T, c *layouttest.Checkpoint) string{
	"safetensors": func(t *testing.T, c *layouttest.Checkpoint) string { return c.Write(t) },
	"shards": func(t *testing.T, c *layouttest.Checkpoint) string {
		c.ShardOf = layouttest.Halves
		return c.Write(t)
	},
	"pickle": func(t *testing.T, c *layouttest.Checkpoint) string { return writeTorch(t, c, "pytorch_model.bin") },
}

// writeTorch writes c into a new folder, its tensors into a file of PyTorch's.
func writeTorch(t *testing.T, c *layouttest.Checkpoint, name string) string {
	t.Helper()
	dir := t.TempDir()
	layouttest.WriteFile(t, filepath.Join(dir, filenames.Config), []byte(c.Config))
	var entries []torchbin.Entry
	for _, x := range c.Tensors {
		entries = append(entries, torchbin.Entry{Name: x.Name, DType: x.DType, Shape: x.Shape})
	}
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	w, err := torchbin.NewWriter(f, "model", entries)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range c.Tensors {
		if err := w.WriteAt(x.Name, 0, x.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// loadFamily copies a checkpoint of one of the families.
func loadFamily(t *testing.T, family string) *layouttest.Checkpoint {
	return layouttest.LoadFrom(t, filepath.Join("..", "fixtures", family))
}

// usable opens what must be usable, checks that it has the weights of want, and returns its warnings.
func usable(t *testing.T, path string, want *layouttest.Checkpoint) string {
	t.Helper()
	ck := open(t, path, loader.Options{})
	if err := ck.Check(); err != nil {
		t.Fatal(err)
	}
	for _, x := range want.Tensors {
		if got, ok := ck.Tensor(x.Name); !ok || !bytes.Equal(got.Data, x.Data) {
			t.Errorf("%s has other values", x.Name)
		}
	}
	var warnings []string
	for _, p := range ck.Problems() {
		oneLine(t, p.Text, filepath.Dir(path))
		warnings = append(warnings, p.Text)
	}
	return strings.Join(warnings, "\n")
}

// Names in whatever wrapper are read without it, and the user hears of it.
func TestWrappers(t *testing.T) {
	inside := func(part string) func(string) string {
		return func(name string) string { return strings.Replace(name, ".mixer.", part, 1) }
	}
	prefixed := func(prefix string) func(string) string {
		return func(name string) string { return prefix + name }
	}
	for name, test := range map[string]struct {
		wrap func(string) string
		want string
	}{
		"DeepSpeed":    {prefixed("_forward_module."), `read without "_forward_module."`},
		"PEFT":         {prefixed("base_model.model."), `such as "base_model.model.backbone.`},
		"DataParallel": {prefixed("module."), `read without "module."`},
		"unknown":      {prefixed("student.net."), `read without "student.net."`},
		"checkpoint":   {inside("._checkpoint_wrapped_module.mixer."), `read without "_checkpoint_wrapped_module."`},
		"FSDP":         {func(s string) string { return "_fsdp_wrapped_module." + inside("._fsdp_wrapped_module.mixer.")(s) }, `read without "_fsdp_wrapped_module."`},
		"the bare model in a class": {
			func(s string) string { return strings.Replace(s, "backbone.", "model.", 1) }, `read without "model."`,
		},
	} {
		for _, family := range families {
			for container, write := range containers {
				t.Run(name+"/"+family+"/"+container, func(t *testing.T) {
					c := loadFamily(t, family)
					c.Rename(test.wrap)
					if got := usable(t, write(t, c), loadFamily(t, family)); !strings.Contains(got, test.want) || strings.Contains(got, "\n") {
						t.Errorf("warnings %s, want one with %s", got, test.want)
					}
				})
			}
		}
	}
}

// If names are ambiguous or not known, the error says so with examples.
func TestUnknownNames(t *testing.T) {
	for name, test := range map[string]struct {
		change      func(c *layouttest.Checkpoint)
		want        string
		unsupported bool
	}{
		"two models": {func(c *layouttest.Checkpoint) {
			for _, x := range c.Tensors {
				x.Name = "ema." + x.Name
				c.Tensors = append(c.Tensors, x)
			}
			for i := range len(c.Tensors) / 2 {
				c.Tensors[i].Name = "model." + c.Tensors[i].Name
			}
		}, `there are weights under another prefix as well, such as "model.backbone.`, true},
		"one tensor twice": {func(c *layouttest.Checkpoint) { c.Add("module.backbone.norm_f.weight", tensor.F32, 32) },
			`"backbone.norm_f.weight" in a wrapper; keep one of them`, true},
		"unknown": {func(c *layouttest.Checkpoint) {
			c.Rename(func(s string) string { return strings.Replace("x."+s, ".layers.", ".blocks.", 1) })
		}, `found unknown names: "x.backbone.`, false},
		"unknown in blocks alone": {func(c *layouttest.Checkpoint) {
			c.Rename(func(s string) string { return strings.Replace(s, ".layers.", ".blocks.", 1) })
		}, `found unknown names: "backbone.blocks.0.`, false},
		"an adapter that is not merged": {func(c *layouttest.Checkpoint) {
			c.Rename(func(s string) string {
				return "base_model.model." + strings.Replace(s, "in_proj.weight", "in_proj.base_layer.weight", 1)
			})
			c.Add("base_model.model.backbone.layers.0.mixer.in_proj.lora_A.default.weight", tensor.F32, 2, 32)
		}, `found an adapter (PEFT) that is not merged; merge it with merge_and_unload`, true},
		"an adapter beside all weights": {func(c *layouttest.Checkpoint) {
			c.Add("backbone.layers.0.mixer.in_proj.lora_A.weight", tensor.F32, 2, 32)
		},
			`found an adapter (PEFT) that is not merged`, true},
		"a head that an adapter replaces": {func(c *layouttest.Checkpoint) { c.Add("lm_head.modules_to_save.default.weight", tensor.F32, 2, 32) },
			`found an adapter (PEFT) that is not merged`, true},
	} {
		for _, family := range families {
			for container, write := range containers {
				t.Run(name+"/"+family+"/"+container, func(t *testing.T) {
					c := loadFamily(t, family)
					test.change(c)
					dir := write(t, c)
					ck, err := loader.Open(dir, loader.Options{})
					if err == nil {
						t.Cleanup(func() { ck.Close() })
						err = ck.Check()
					}
					repaired, findings, doctorErr := doctor.Examine(dir)
					if repaired != nil {
						repaired.Close()
					}
					for _, f := range findings { // nothing is made up of what is not known
						if strings.Contains(f.Problem, filenames.Config) || doctorErr != nil {
							t.Errorf("doctor: %v, %v", f, doctorErr)
						}
					}
					if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "blocks, config.json says") {
						t.Fatalf("error %v, want %s", err, test.want)
					}
					if got := isUnsupported(t, err); got != test.unsupported {
						t.Errorf("unsupported: %t, want %t", got, test.unsupported)
					}
					oneLine(t, err.Error(), dir)
				})
			}
		}
	}
}

// A tensor that no network needs is left out, whatever its dtype. One that it needs is refused by name.
func TestStrayDTypes(t *testing.T) {
	for _, dtype := range []tensor.DType{tensor.C64, tensor.F8_E4M3, tensor.F8_E5M2, tensor.F8_E8M0, tensor.F4, tensor.F6_E2M3, tensor.U64, tensor.Bool, tensor.I8} {
		for _, family := range families {
			c := loadFamily(t, family)
			dir := c.Write(t)
			layouttest.WriteRaw(t, filepath.Join(dir, filenames.ModelFile), c.Tensors, "freqs_cis", dtype, []int{4, 2})
			if got := usable(t, dir, c); !strings.Contains(got, ` model does not have: `) || !strings.Contains(got, `"freqs_cis"; ignored`) {
				t.Errorf("%s: warnings %s", dtype, got)
			}
			shape := c.At(t, "backbone.layers.1.norm.weight").Shape
			c.Drop("layers.1.norm.weight")
			layouttest.WriteRaw(t, filepath.Join(dir, filenames.ModelFile), c.Tensors, "backbone.layers.1.norm.weight", dtype, shape)
			err := open(t, dir, loader.Options{}).Check()
			want := `tensor "backbone.layers.1.norm.weight": found dtype ` + dtype.String() + `, expected F32, F16, BF16 or F64`
			if err == nil || !isUnsupported(t, err) || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
		}
	}
}

// Index and shards may differ in ways that transformers does not care about.
func TestIndexQuirks(t *testing.T) {
	for name, test := range map[string]struct {
		old, new string // of the index
		want     string // warning
	}{
		"right":             {"", "", ""},
		"no metadata":       {`"metadata": {}, `, "", "metadata: missing, expected an object: transformers cannot read such an index"},
		"null metadata":     {`"metadata": {}`, `"metadata": null`, "metadata: found null, expected an object"},
		"total_size":        {`"metadata": {}`, `"metadata": {"total_size": 175744}`, ""},
		"a float for it":    {`"metadata": {}`, `"metadata": {"total_size": 175744.0}`, ""},
		"a string for it":   {`"metadata": {}`, `"metadata": {"total_size": "175744"}`, ""},
		"another size":      {`"metadata": {}`, `"metadata": {"total_size": 175745}`, "total_size: found 175745, but the shards hold 175744 bytes"},
		"lists what is not": {`"weight_map": {`, `"weight_map": {"mtp.fc.weight": "b.safetensors", `, `tensor "mtp.fc.weight": the index puts it into the shard "b.safetensors", which lacks it`},
		"lists not what is": {`"backbone.layers.1.mixer.D": "a.safetensors", `, "", `tensor "backbone.layers.1.mixer.D": is in the shard "a.safetensors", but the index does not list it; used all the same`},
		"wrong shard": {`"backbone.layers.1.mixer.D": "a.`, `"backbone.layers.1.mixer.D": "b.`,
			`tensor "backbone.layers.1.mixer.D": the index puts it into the shard "b.safetensors", but it is in "a.safetensors"`},
	} {
		t.Run(name, func(t *testing.T) {
			c := layouttest.Load(t)
			c.ShardOf = layouttest.Halves
			dir := c.Write(t)
			edited := strings.Replace(c.Index, test.old, test.new, 1)
			if test.old != "" && edited == c.Index {
				t.Fatalf("no %s in %s", test.old, c.Index)
			}
			layouttest.WriteFile(t, filepath.Join(dir, filenames.ModelIndex), []byte(edited))
			got := usable(t, dir, c)
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("warnings %s, want %s", got, test.want)
			}
			ck, findings, err := doctor.Examine(dir)
			if err != nil || ck == nil {
				t.Fatalf("doctor: %v, %v", findings, err)
			}
			defer ck.Close()
			if want := min(len(test.want), 1); len(findings) != want {
				t.Errorf("findings %v, want %d", findings, want)
			}
			for _, f := range findings {
				if f.Remedy != "an index made from the shards" {
					t.Errorf("remedy %q of %s", f.Remedy, f.Problem)
				}
			}
		})
	}
	c := layouttest.Load(t)
	c.ShardOf = layouttest.Halves
	dir := c.Write(t)
	c.Drop("layers.1.mixer.D")
	var half []tensor.Tensor
	for _, x := range c.Tensors {
		if layouttest.Halves(x.Name) == "a.safetensors" {
			half = append(half, x)
		}
	}
	layouttest.WriteTensors(t, filepath.Join(dir, "a.safetensors"), half)
	want := `1 of 42 tensors missing: "backbone.layers.1.mixer.D" (the index puts the first into the shard "a.safetensors", which lacks it; download the shard again)`
	if err := open(t, dir, loader.Options{}).Check(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a shard without a tensor: %v, want %s", err, want)
	}
}

// Beside config.json the weights may have another name: the folder opens if there is one such file, the file always does.
func TestOtherNames(t *testing.T) {
	move := func(t *testing.T, dir, name string) string {
		if err := os.Rename(filepath.Join(dir, filenames.ModelFile), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for _, family := range families {
		c := loadFamily(t, family)
		for name, dir := range map[string]string{
			"last.ckpt":                  writeTorch(t, c, "last.ckpt"),
			"model.pth":                  writeTorch(t, c, "model.pth"),
			"mp_rank_00_model_states.pt": writeTorch(t, c, "mp_rank_00_model_states.pt"),
			"model.fp16.safetensors":     move(t, c.Write(t), "model.fp16.safetensors"),
			"weights.pt":                 move(t, c.Write(t), "weights.pt"), // safetensors all the same
			"x.safetensors":              writeTorch(t, c, "x.safetensors"), // and a pickle
		} {
			for _, path := range []string{dir, filepath.Join(dir, name)} {
				got := usable(t, path, c)
				odd := name == "weights.pt" || name == "x.safetensors"
				if odd != strings.Contains(got, "which its name does not say; read as what it is") || !odd && got != "" {
					t.Errorf("%s: warnings %s", path, got)
				}
			}
			// What a network computed is not its weights.
			layouttest.WriteTensors(t, filepath.Join(dir, "reference.safetensors"), []tensor.Tensor{tensor.Of("logits", []float32{1}, 1)})
			ck, findings, err := doctor.Examine(dir)
			if err != nil || ck == nil || len(findings) == 0 || !strings.Contains(findings[0].Problem, name+": holds the weights, and no program looks for them under that name") {
				t.Errorf("%s: doctor: %v, %v", name, findings, err)
			} else if err := ck.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	c := layouttest.Load(t)
	dir := writeTorch(t, c, "epoch=1.ckpt")
	layouttest.WriteTensors(t, filepath.Join(dir, "model.fp16.safetensors"), c.Tensors)
	_, err := loader.Open(dir, loader.Options{})
	want := `found 2 files of weights, and none has the usual name: "epoch=1.ckpt", "model.fp16.safetensors"; give the file itself`
	if err == nil || !isUnsupported(t, err) || !strings.Contains(err.Error(), want) {
		t.Errorf("two files: %v, want %s", err, want)
	}
	usable(t, filepath.Join(dir, "epoch=1.ckpt"), c)

	// The file that was asked for is the one that opens.
	other := layouttest.Load(t)
	other.Tensors = append(other.Tensors[:0:0], other.Tensors...)
	norm := other.At(t, "backbone.norm_f.weight")
	norm.Data = bytes.Repeat([]byte{0, 0, 0, 0x40}, 32)
	layouttest.WriteTensors(t, filepath.Join(dir, filenames.ModelFile), other.Tensors)
	usable(t, dir, other)
	usable(t, filepath.Join(dir, "model.fp16.safetensors"), c)
}

// An adapter beside the weights is applied, as transformers does, and the user hears of it; doctor looks at the base model alone.
func TestAdapter(t *testing.T) {
	dir := t.TempDir()
	for _, from := range []string{"../fixtures/adapters/mamba1-patterns", "../fixtures/mamba1/default"} {
		if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		opts    loader.Options
		want    string
		adapted int
	}{
		{loader.Options{}, "found an adapter (PEFT) beside the weights: applied to 16 weights", 16},
		{loader.Options{BaseAlone: true}, "found an adapter (PEFT) beside the weights, which is not applied", 0},
	} {
		ck := open(t, dir, test.opts)
		if err := ck.Check(); err != nil {
			t.Fatal(err)
		}
		if p := ck.Problems(); len(p) != 1 || !strings.Contains(p[0].Text, test.want) {
			t.Errorf("%+v: problems %v, want %s", test.opts, p, test.want)
		}
		if got := len(ck.Adapted()); got != test.adapted {
			t.Errorf("%+v: %d weights are changed, want %d", test.opts, got, test.adapted)
		}
	}
	ck, findings, err := doctor.Examine(dir)
	if err != nil || ck == nil || len(findings) != 1 || !strings.Contains(findings[0].Problem, "which is not applied") {
		t.Fatalf("doctor: %v, %v", findings, err)
	}
	if err := ck.Close(); err != nil {
		t.Error(err)
	}
	for _, config := range []bool{false, true} {
		dir := t.TempDir()
		layouttest.WriteFile(t, filepath.Join(dir, "adapter_config.json"), []byte(`{"base_model_name_or_path": "state-spaces/mamba-130m-hf"}`))
		layouttest.WriteFile(t, filepath.Join(dir, "adapter_model.safetensors"), nil)
		if config {
			layouttest.WriteFile(t, filepath.Join(dir, filenames.Config), []byte(`{"model_type": "mamba"}`))
		}
		_, err := loader.Open(dir, loader.Options{})
		want := `found an adapter (PEFT) for the base model "state-spaces/mamba-130m-hf", and no weights of that; give the base model too`
		if err == nil || !isUnsupported(t, err) || !strings.Contains(err.Error(), want) {
			t.Errorf("an adapter alone: %v, want %s", err, want)
		}
	}
}
