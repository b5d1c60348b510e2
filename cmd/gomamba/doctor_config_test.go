package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/gomamba/gomamba/doctor"
)

// utf16Text renders a text as UTF-16 with a mark.
func utf16Text(text string) string {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

// asPython renders JSON as Python shows a dict.
func asPython(text string) string {
	return strings.NewReplacer(`"`, `'`, "true", "True", "false", "False", "null", "None").Replace(text)
}

// beforeLast puts a text before the last brace.
func beforeLast(text, insert string) string {
	i := strings.LastIndex(text, "}")
	return strings.TrimRight(text[:i], " \n") + insert + text[i:]
}

// TestDoctorKeepsSettings damages config.json of every family in every way that leaves all settings readable: the
// repaired copy is the same model.
func TestDoctorKeepsSettings(t *testing.T) {
	unquoted := regexp.MustCompile(`"(\w+)":`)
	for _, test := range []struct {
		name string
		harm func(text string) string
	}{
		{"a comma at the end", func(s string) string { return beforeLast(s, ",\n") }},
		{"a missing comma", func(s string) string { return strings.Replace(s, ",\n", "\n", 3) }},
		{"a comma too many", func(s string) string { return strings.ReplaceAll(s, ",\n  \"", ",,\n  \"") }},
		{"no closing brace", func(s string) string { return s[:strings.LastIndex(s, "}")] }},
		{"no opening brace", func(s string) string { return strings.Replace(s, "{", "", 1) }},
		{"no closing bracket", func(s string) string { return strings.Replace(s, "]", "", 1) }},
		{"comments", func(s string) string {
			return "// the model\n" + strings.ReplaceAll(s, ",\n", ", # a key\n/* and another */\n")
		}},
		{"single quotes", func(s string) string { return strings.ReplaceAll(s, `"`, `'`) }},
		{"keys without quotes", func(s string) string { return unquoted.ReplaceAllString(s, "$1:") }},
		{"a Python dict", asPython},
		{"assigned to a variable", func(s string) string { return "config = " + s }},
		{"in a list", func(s string) string { return "[" + s + "]" }},
		{"a byte order mark", func(s string) string { return "\ufeff" + s }},
		{"UTF-16", utf16Text},
		{"Latin-1", func(s string) string { return beforeLast(s, ",\n\"_name_or_path\": \"caf\xe9\"\n") }},
		{"a doubled key", func(s string) string {
			return strings.Replace(s, "{", `{"layer_norm_epsilon": 0.25, "n_groups": 1,`, 1)
		}},
		{"text behind it", func(s string) string { return s + "\nConfiguration saved in ./model\n" }},
		{"a brace too many", func(s string) string { return s + "}" }},
		{"written twice", func(s string) string { return s + s }},
		{"two objects deep", func(s string) string {
			return `{"a": {"config": ` + s + `}, "model_type": ` + modelType.FindStringSubmatch(s)[1] + `}`
		}},
		{"under text_config", func(s string) string {
			return `{"text_config": ` + s + `, "model_type": ` + modelType.FindStringSubmatch(s)[1] + `}`
		}},
		{"a value cut that decides nothing", func(s string) string {
			return strings.Replace(s, `"initializer_range": 0.1`, `"initializer_range": `, 1)
		}},
	} {
		for _, fixture := range []string{"mamba1/eps", "falcon/default", "mamba2/limit", "mamba2/groups8"} {
			p := admit(t, fixture)
			text := string(p.read("config.json"))
			harmed := test.harm(text)
			if harmed == text {
				t.Fatalf("%s: nothing is wrong with %s", test.name, fixture)
			}
			p.write("config.json", harmed)
			fixed := filepath.Join(filepath.Dir(p.dir), "fixed")
			if out, err := gomamba(t, "doctor", p.dir, "--fix", fixed); err != nil {
				t.Errorf("%s: %s: %v: %s", test.name, fixture, err, out)
				continue
			}
			if out, err := gomamba(t, "diff", filepath.Join("../../fixtures", fixture), fixed); err != nil || strings.Contains(out, "setting that") {
				t.Errorf("%s: %s is another model: %v: %s", test.name, fixture, err, out)
			}
			if out, err := gomamba(t, "doctor", fixed); err != nil {
				t.Errorf("%s: the copy of %s: %v: %s", test.name, fixture, err, out)
			}
		}
	}
}

var modelType = regexp.MustCompile(`"model_type": ("\w+")`)

// TestDoctorOfACutConfig cuts config.json in many places. A copy is made only if it is the same model, and whenever
// all that results depend on is still there.
func TestDoctorOfACutConfig(t *testing.T) {
	for fixture, decisive := range map[string][]string{
		"mamba1/eps":     {"layer_norm_epsilon"},
		"falcon/default": {"layer_norm_epsilon", "mixer_rms_eps"},
		"mamba2/limit":   {"layer_norm_epsilon", "n_groups", "time_step_limit"},
	} {
		p := admit(t, fixture)
		text := string(p.read("config.json"))
		end := 0 // of the last line that results depend on
		for _, key := range decisive {
			value := regexp.MustCompile(`"` + key + `": ([^\[]*?,|\[[^\]]*\])`).FindStringIndex(text)
			end = max(end, value[1])
		}
		for cut := range len(text) {
			if cut%13 != 0 && (cut < end-3 || cut > end+3) {
				continue
			}
			p.write("config.json", text[:cut])
			fixed := filepath.Join(t.TempDir(), "fixed")
			out, err := gomamba(t, "doctor", p.dir, "--fix", fixed)
			if (err == nil) != (cut >= end) {
				t.Fatalf("%s, cut behind %q: %v: %s", fixture, text[max(0, cut-30):cut], err, out)
			}
			if err != nil {
				if !strings.Contains(out, "not repairable") || !strings.Contains(out, "not in what can be read of the file") {
					t.Fatalf("%s, cut behind %q: %s", fixture, text[max(0, cut-30):cut], out)
				}
				continue
			}
			if out, err := gomamba(t, "diff", filepath.Join("../../fixtures", fixture), fixed); err != nil {
				t.Fatalf("%s, cut behind %q, is another model: %s", fixture, text[max(0, cut-30):cut], out)
			}
		}
	}
}

// TestDoctorOfOtherLayouts damages the configurations of the original and of mistral's layout.
func TestDoctorOfOtherLayouts(t *testing.T) {
	original := filepath.Join(t.TempDir(), "original")
	if out, err := gomamba(t, "convert", "../../fixtures/mamba2/limit", original, "--to", "original"); err != nil {
		t.Fatal(out)
	}
	if err := os.Remove(filepath.Join(original, "hf_config.json")); err != nil {
		t.Fatal(err)
	}
	for _, source := range []struct{ dir, file string }{
		{original, "config.json"}, {"../../fixtures/mamba2/original", "config.json"}, {"../../fixtures/mamba2/mistral", "params.json"},
	} {
		text, err := os.ReadFile(filepath.Join(source.dir, source.file))
		if err != nil {
			t.Fatal(err)
		}
		for name, harmed := range map[string]string{
			"comma": beforeLast(string(text), ","), "brace": string(text[:bytes.LastIndexByte(text, '}')]), "Python": asPython(string(text)),
		} {
			dir := filepath.Join(t.TempDir(), "ill")
			if err := os.CopyFS(dir, os.DirFS(source.dir)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, source.file), []byte(harmed), 0o666); err != nil {
				t.Fatal(err)
			}
			fixed := filepath.Join(filepath.Dir(dir), "fixed")
			if out, err := gomamba(t, "doctor", dir, "--fix", fixed); err != nil {
				t.Errorf("%s, %s: %v: %s", source.dir, name, err, out)
			} else if out, err := gomamba(t, "diff", source.dir, fixed); err != nil || strings.Contains(out, "setting that") {
				t.Errorf("%s, %s, is another model: %v: %s", source.dir, name, err, out)
			}
		}
	}
}

// mistral's weights alone show all that its layout leaves open.
func TestDoctorOfWeightsAlone(t *testing.T) {
	const mistral = "../../fixtures/mamba2/mistral"
	dir := t.TempDir()
	ill, fixed := filepath.Join(dir, "ill"), filepath.Join(dir, "fixed")
	if err := os.CopyFS(ill, os.DirFS(mistral)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(ill, "params.json")); err != nil {
		t.Fatal(err)
	}
	if out, err := gomamba(t, "doctor", ill, "--fix", fixed); err != nil || !strings.Contains(out, "n_groups 2") {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := gomamba(t, "diff", mistral, fixed); err != nil || strings.Contains(out, "token_id") {
		t.Errorf("%v: %s", err, out)
	}
}

// hf_config.json, which we put beside the configurations of other layouts, is repaired with them.
func TestDoctorOfOurOwnConfig(t *testing.T) {
	dir := t.TempDir()
	ill, fixed := filepath.Join(dir, "ill"), filepath.Join(dir, "fixed")
	if out, err := gomamba(t, "convert", "../../fixtures/mamba2/limit", ill, "--to", "original"); err != nil {
		t.Fatal(out)
	}
	path := filepath.Join(ill, "hf_config.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for harmed, same := range map[string]bool{asPython(string(text)): true, "Not Found": false} {
		if err := os.WriteFile(path, []byte(harmed), 0o666); err != nil {
			t.Fatal(err)
		}
		if out, err := gomamba(t, "doctor", ill, "--fix", fixed, "--force"); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		out, err := gomamba(t, "diff", "../../fixtures/mamba2/limit", fixed)
		if err != nil || strings.Contains(out, "token_id") == same {
			t.Errorf("%v: %s", err, out)
		}
	}
}

// The report of a cut config says where each setting comes from.
func TestDoctorSaysWhereSettingsComeFrom(t *testing.T) {
	p := admit(t, "mamba1/eps")
	text := string(p.read("config.json"))
	p.write("config.json", text[:strings.Index(text, `  "pad_token_id"`)])
	out, err := gomamba(t, "doctor", p.dir, "--json")
	var d doctor.Diagnosis
	if jerr := json.Unmarshal([]byte(out), &d); err == nil || jerr != nil || len(d.Findings) == 0 || !d.Repairable {
		t.Fatalf("%v, %v: %s", err, jerr, out)
	}
	f := d.Findings[0]
	for _, list := range []struct {
		keys []string
		want string
	}{{f.Kept, "layer_norm_epsilon"}, {f.Inferred, "vocab_size 61"}, {f.Defaults, "use_cache"}} {
		if !slices.Contains(list.keys, list.want) {
			t.Errorf("%s is not in %v", list.want, list.keys)
		}
	}
	out, err = gomamba(t, "doctor", p.dir)
	if want := fmt.Sprintf("   by default, as no result depends on it: %s\n", strings.Join(f.Defaults, ", ")); err == nil || !strings.Contains(out, want) {
		t.Errorf("%v: %s\nexpected %s", err, out, want)
	}
}
