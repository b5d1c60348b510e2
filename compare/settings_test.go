package compare_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
)

// A keyed configuration is config.json by keys.
type keyed = map[string]json.RawMessage

// outcome is what a checkpoint turns out to be.
type outcome struct {
	refused     error
	ck          *loader.Checkpoint
	results     []*model.Output // of a prompt, and of a token that continues from its states
	fingerprint string
}

// outcomeOf opens and runs the fixture's weights with these keys as config.json.
func outcomeOf(t *testing.T, fixture string, keys keyed) (o outcome) {
	t.Helper()
	dir := t.TempDir()
	weights, err := filepath.Abs(filepath.Join("../fixtures", fixture, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(weights, filepath.Join(dir, "model.safetensors")); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), text, 0o666); err != nil {
		t.Fatal(err)
	}
	if o.ck, o.refused = loader.Open(dir, loader.Options{}); o.refused != nil {
		return o
	}
	t.Cleanup(func() { o.ck.Close() })
	if o.refused = o.ck.Check(); o.refused != nil {
		return o
	}
	m, err := model.New(o.ck, model.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	cache := m.NewCache(1)
	for _, ids := range [][]int64{{3, 1, 4, 1, 5, 9, 2, 6, 5, 3}, {5}} {
		out, err := m.Forward(t.Context(), model.Single(ids), cache, model.Want{Logits: model.LogitsAll, HiddenStates: true})
		if err != nil {
			t.Fatal(err)
		}
		o.results = append(o.results, out)
	}
	o.fingerprint = fingerprint(t, o.ck, 1)
	return o
}

// readKeys returns the keys of a fixture's config.json.
func readKeys(t *testing.T, fixture string) (keys keyed) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../fixtures", fixture, "config.json"))
	if err == nil {
		err = json.Unmarshal(text, &keys)
	}
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// with returns the keys with some of them replaced; empty: removed.
func with(keys keyed, changes map[string]string) keyed {
	changed := keyed{}
	for key, text := range keys {
		changed[key] = text
	}
	for key, text := range changes {
		if changed[key] = json.RawMessage(text); text == "" {
			delete(changed, key)
		}
	}
	return changed
}

// otherValues returns values of a setting that differ from the one it has.
func otherValues(s config.Setting) []string {
	named := map[string][]string{
		"architectures": {"null"}, "pad_token_id": {"null", "7"}, "bos_token_id": {"null", "7"}, "eos_token_id": {"null", "[3,7]"},
		"hidden_act": {`"swish"`}, "time_step_init_scheme": {`"constant"`}, "torch_dtype": {`"float16"`}, "dtype": {`"bfloat16"`},
		"time_step_limit": {"[0.0,0.01]", "[0.3,1e9]", "[-1.0,1e300]"}, "output_hidden_states": {"true"},
	}
	if values, ok := named[s.Key]; ok {
		return values
	}
	switch s.Text {
	case "true":
		return []string{"false"}
	case "false":
		return []string{"true"}
	}
	if n, err := strconv.Atoi(s.Text); err == nil {
		return []string{fmt.Sprint(n + 1), fmt.Sprint(2 * n), fmt.Sprint((n + 1) / 2)}
	}
	return []string{"0.3", "0.0"}
}

// TestWhatSettingsDecide changes every key of every family, runs the model before and after, and holds diff and the
// fingerprint to what happened.
func TestWhatSettingsDecide(t *testing.T) {
	for _, fixture := range []string{"mamba1/untied", "mamba1/default", "falcon/default", "mamba2/limit", "mamba2/groups4"} {
		keys := readKeys(t, fixture)
		was := outcomeOf(t, fixture, keys)
		if was.refused != nil {
			t.Fatal(was.refused)
		}
		changed := map[string]bool{} // keys that were seen to change a result
		try := func(t *testing.T, s config.Setting, changes map[string]string) {
			is := outcomeOf(t, fixture, with(keys, changes))
			if is.refused != nil {
				if changed[s.Key] = true; s.Decides == config.Nothing {
					t.Errorf("%s: %v is refused, though it decides nothing: %v", fixture, changes, is.refused)
				}
				return
			}
			same := reflect.DeepEqual(was.results, is.results)
			changed[s.Key] = changed[s.Key] || !same
			if !same && s.Decides == config.Nothing {
				t.Errorf("%s: %v changes results, though it decides nothing", fixture, changes)
			}
			if got := is.fingerprint == was.fingerprint; got != same {
				t.Errorf("%s: %v: the same results: %t, the same fingerprint: %t", fixture, changes, same, got)
			}
			for _, d := range []bool{diff(t, was.ck, is.ck).Identical, diff(t, is.ck, was.ck).Identical} {
				if d != same {
					t.Errorf("%s: %v: the same results: %t, diff says the same model: %t", fixture, changes, same, d)
				}
			}
		}
		for _, s := range config.Settings(was.ck.Config()) {
			if s.Decides == 0 {
				t.Errorf("%s: what does it decide?", s.Key)
			}
			for _, value := range otherValues(s) {
				try(t, s, map[string]string{s.Key: value})
			}
			if s.Key == "n_groups" { // with state_size in the same tensors
				n, size := was.ck.Config().(*config.Mamba2Config).NGroups, was.ck.Config().Shared().StateSize
				try(t, s, map[string]string{"n_groups": fmt.Sprint(n / 2), "state_size": fmt.Sprint(size * 2)})
			}
			tied := s.Key == "tie_word_embeddings" // a head that is stored is used either way
			if s.Decides != config.Nothing && !changed[s.Key] && !tied {
				t.Errorf("%s: %s decides something, but no value of %v changes anything", fixture, s.Key, otherValues(s))
			}
		}
	}
}

// TestDefaultsCount: a key that is absent says the same as one with the default.
func TestDefaultsCount(t *testing.T) {
	for _, fixture := range []string{"mamba1/eps", "falcon/odd", "mamba2/default", "mamba2/limit"} {
		keys := readKeys(t, fixture)
		family := strings.Trim(string(keys["model_type"]), `"`)
		usual, err := config.ParseHF("config.json", []byte(`{"model_type":"`+family+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range config.Settings(usual) {
			value := s.Text
			switch {
			case s.Key == "time_step_rank":
				value = `"auto"`
			case s.Key == "intermediate_size": // follows from others
				continue
			case s.Key == "time_step_limit":
				value = `[0.0,{"__float__":"Infinity"}]`
			case value == "": // leaves the key out
				continue
			}
			absent, stated := outcomeOf(t, fixture, with(keys, map[string]string{s.Key: ""})), outcomeOf(t, fixture, with(keys, map[string]string{s.Key: value}))
			if (absent.refused == nil) != (stated.refused == nil) {
				t.Errorf("%s: without %s: %v; with %s: %v", fixture, s.Key, absent.refused, value, stated.refused)
			}
			if absent.refused != nil {
				continue
			}
			if !diff(t, absent.ck, stated.ck).Identical || absent.fingerprint != stated.fingerprint || !reflect.DeepEqual(absent.results, stated.results) {
				t.Errorf("%s: without %s it is another model than with %s", fixture, s.Key, value)
			}
		}
	}
}
