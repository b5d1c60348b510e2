package doctor_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/doctor"
	"github.com/gomamba/gomamba/loader"
)

// TestLayersFromTensors takes the keys that say which layers are what out of every hybrid's configuration: the tensors give them back.
func TestLayersFromTensors(t *testing.T) {
	keys := append([]string{"attn_layer_idx", "attn_layer_indices", "attn_layer_period", "attn_layer_offset", "expert_layer_period", "expert_layer_offset"}, config.LayerSpellings...)
	lost := 0
	for _, family := range []string{"nemotron", "granite", "bamba", "jamba", "zamba", "zamba2", "mambassm"} {
		folders, err := filepath.Glob("../fixtures/" + family + "/*/config.json")
		if err != nil || len(folders) == 0 {
			t.Fatal(family, err)
		}
		for _, file := range folders {
			whole, err := loader.Open(filepath.Dir(file), loader.Options{})
			if err != nil {
				t.Fatal(err)
			}
			dir := without(t, file, append(keys, config.KeyOfLayers(whole.Config().Family()))...)
			ck, findings, err := doctor.Examine(dir)
			if err != nil || ck == nil {
				t.Fatal(file, findings, err)
			}
			for _, f := range findings {
				if f.Remedy == "" {
					t.Errorf("%s: %s: no remedy", file, f.Problem)
				}
			}
			if len(findings) > 0 {
				lost++
			}
			if got, want := config.Blocks(ck.Config()), config.Blocks(whole.Config()); ck.Check() != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: found %v, want %v: %v", file, got, want, ck.Check())
			}
			ck.Close()
			whole.Close()
		}
	}
	if lost < 20 {
		t.Errorf("only %d models did not have the layers by default", lost)
	}
}

// without links a checkpoint's files into a folder, but for some keys of its configuration.
func without(t *testing.T, file string, keys ...string) string {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cfg map[string]json.RawMessage
	if err := json.Unmarshal(text, &cfg); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		delete(cfg, key)
	}
	if text, err = json.Marshal(cfg); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*model*"))
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(f)), content, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), text, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}
