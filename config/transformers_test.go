package config

import (
	"encoding/json"
	"reflect"
	"testing"
)

// recorded is what transformers 5.24 makes of the keys of a config.json (fixtures/configs.py).
type recorded struct {
	Family  Family
	Given   string
	Values  map[string]string // every value the class then has, as JSON
	Refused bool
}

// TestAsTransformers reads every recorded config.json of every family to the values of transformers' own classes,
// defaults and derived sizes included, and refuses what they refuse.
func TestAsTransformers(t *testing.T) {
	var records []recorded
	if err := json.Unmarshal(readTestdata(t, "transformers.json"), &records); err != nil {
		t.Fatal(err)
	}
	seen := map[Family]bool{}
	for _, r := range records {
		text := `{"model_type":"` + string(r.Family) + `"}`
		if r.Given != "{}" {
			text = text[:len(text)-1] + "," + r.Given[1:]
		}
		c, err := ParseHF("config.json", []byte(text))
		if r.Refused {
			if err == nil {
				t.Errorf("%s: accepted, transformers refuses it", text)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		seen[r.Family] = true
		for key, want := range r.Values {
			got := Value(c, key)
			if got == "" && key == "time_step_limit" {
				got = "[0.0,Infinity]" // what limits nothing is not written
			}
			if got != want {
				t.Errorf("%s: %s is %s, transformers has %s", text, key, got, want)
			}
		}
		reencode(t, c)
		if !reflect.DeepEqual(c.Clone(), c) {
			t.Errorf("%s: a clone is another one", text)
		}
	}
	if len(seen) != 10 {
		t.Errorf("records of %v, want ten families", seen)
	}
}
