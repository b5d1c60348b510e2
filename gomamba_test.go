package gomamba_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomamba/gomamba"
	"github.com/gomamba/gomamba/fixtures"
	"github.com/gomamba/gomamba/internal/hub/hubtest"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/text"
)

func openBox(t *testing.T) *gomamba.Model {
	t.Helper()
	m, err := gomamba.Open("box")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// TestGenerate compares with the greedy continuations of transformers.
func TestGenerate(t *testing.T) {
	m := openBox(t)
	data, err := fs.ReadFile(fixtures.Box(), "greedy.json")
	if err != nil {
		t.Fatal(err)
	}
	var runs []fixtures.Greedy
	if err := json.Unmarshal(data, &runs); err != nil {
		t.Fatal(err)
	}
	for _, run := range runs {
		prompt, err := m.Decode(run.Prompt)
		if err != nil {
			t.Fatal(err)
		}
		want, err := m.Decode(run.Tokens)
		if err != nil {
			t.Fatal(err)
		}
		got := collect(t, m, prompt, gomamba.Sampling{MaxTokens: len(run.Tokens)})
		if got != want {
			t.Errorf("after %q: got %q, want %q", prompt, got, want)
		}
		stop := want[len(want)/2:][:3]
		before, _, _ := strings.Cut(want, stop)
		if got := collect(t, m, prompt, gomamba.Sampling{MaxTokens: len(run.Tokens), Stop: []string{stop}}); got != before {
			t.Errorf("after %q: got %q, want %q, up to %q", prompt, got, before, stop)
		}
	}
}

func collect(t *testing.T, m *gomamba.Model, prompt string, how gomamba.Sampling) string {
	t.Helper()
	var all strings.Builder
	for piece, err := range m.Generate(t.Context(), prompt, how) {
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(piece)
	}
	return all.String()
}

// TestChat stops answers early, saves and loads, and compares with the conversation that went on.
// A chat template sees the inputs of a chat, and a tool that answers.
func TestChatWithTools(t *testing.T) {
	m := openBox(t)
	opts := gomamba.ChatOptions{
		Template: "{% for x in messages %}{% if x.role == 'tool' %}{{ raise_exception(tools[0].name ~ ' says ' ~ x.content ~ ', ' ~ loud) }}{% endif %}{{ x.content }}{% endfor %}",
		Inputs:   text.TemplateInputs{Tools: []any{map[string]any{"name": "clock"}}, Vars: map[string]any{"loud": true}},
		Sampling: gomamba.Sampling{MaxTokens: 3},
	}
	c, err := m.Chat(opts)
	if err != nil {
		t.Fatal(err)
	}
	say(t, c, "What time is it?")
	for _, err := range c.SayAs(t.Context(), "tool", "noon") {
		if err == nil || !strings.Contains(err.Error(), "clock says noon, True") {
			t.Errorf("%v", err)
		}
	}
	opts.Inputs.Tools = []any{"clock"}
	if _, err := m.Chat(opts); err == nil || !strings.Contains(err.Error(), "tools[0]: expected a JSON object") {
		t.Errorf("%v", err)
	}
}

func TestChat(t *testing.T) {
	m := openBox(t)
	opts := gomamba.ChatOptions{
		System:   "Write Go.",
		Template: "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
		Sampling: gomamba.Sampling{Temperature: 0.8, Seed: 3, MaxTokens: 30},
	}
	c, err := m.Chat(opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range c.Say(t.Context(), "func") {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range c.Say(ctx, "more") {
		cancel()
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("a cancelled answer ended with %v", last)
	}
	if n := len(c.Messages()); n != 5 {
		t.Fatalf("%d messages, want 5: %v", n, c.Messages())
	}
	path := filepath.Join(t.TempDir(), "talk.safetensors")
	if err := c.Save(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	other, err := m.Chat(opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Load(path); err != nil {
		t.Fatal(err)
	}
	if got, want := say(t, other, "again"), say(t, c, "again"); got != want || got == "" {
		t.Errorf("after a load %q, without %q", got, want)
	}
}

func say(t *testing.T, c *gomamba.Chat, message string) string {
	t.Helper()
	var all strings.Builder
	for piece, err := range c.Say(t.Context(), message) {
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(piece)
	}
	return all.String()
}

// TestScore adds up the log-likelihoods of a forward pass.
func TestScore(t *testing.T) {
	m := openBox(t)
	const code = "func main() {\n\tfmt.Println(\"héllo\")\n}\n"
	got, err := m.Score(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := m.Encode(code)
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.Network().Forward(t.Context(), model.Single(ids), m.Network().NewCache(1), model.Want{Logits: model.LogitsAll})
	if err != nil {
		t.Fatal(err)
	}
	want, vocab := 0.0, len(out.Logits)/len(ids)
	for i, next := range ids[1:] {
		row, sum := out.Logits[i*vocab:][:vocab], 0.0
		for _, v := range row {
			sum += math.Exp(float64(v))
		}
		want += float64(row[next]) - math.Log(sum)
	}
	if math.Abs(got.LogLikelihood-want) > 1e-9*math.Abs(want) {
		t.Errorf("log-likelihood %v, want %v", got.LogLikelihood, want)
	}
	if bits := -want / math.Ln2 / float64(len(code)); math.Abs(got.BitsPerByte-bits) > 1e-9*bits {
		t.Errorf("%v bits per byte, want %v", got.BitsPerByte, bits)
	}
	if got.Tokens != int64(len(ids)) || got.Scored != int64(len(ids)-1) {
		t.Errorf("%d tokens, %d scored, want %d and one less", got.Tokens, got.Scored, len(ids))
	}
	if _, err := m.Score(t.Context(), "x"); err == nil {
		t.Error("a single token is scored")
	}
}

// TestVerify judges the reference of transformers, and a network by the oracle.
func TestVerify(t *testing.T) {
	var stages []string
	m, err := gomamba.OpenWith(t.Context(), "box", gomamba.Options{Progress: func(p gomamba.Progress) {
		if p.Done == p.Total {
			stages = append(stages, p.Stage)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, reference := range []string{"box/ref.safetensors", ""} {
		report, err := m.Verify(t.Context(), reference)
		if err != nil {
			t.Fatal(err)
		}
		if !report.Passed || len(report.Tensors) == 0 {
			t.Errorf("%q: %+v", reference, report)
		}
	}
	if len(stages) == 0 {
		t.Error("no progress")
	}
}

// TestHub downloads a model by its name, and finds it in the cache when the hub is gone.
func TestHub(t *testing.T) {
	repo := &hubtest.Repo{Files: map[string][]byte{}}
	for _, name := range []string{"config.json", "model.safetensors"} {
		data, err := fs.ReadFile(fixtures.Box(), name)
		if err != nil {
			t.Fatal(err)
		}
		repo.Files[name] = data
	}
	hub := hubtest.New(map[string]*hubtest.Repo{"owner/tiny": repo})
	t.Setenv("HF_ENDPOINT", hub.URL)
	t.Setenv("HF_HOME", t.TempDir())
	for _, variable := range []string{"HF_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE"} {
		t.Setenv(variable, "")
	}
	var last gomamba.Progress
	open := func(name string) error {
		m, err := gomamba.OpenWith(t.Context(), name, gomamba.Options{Progress: func(p gomamba.Progress) { last = p }})
		if err != nil {
			return err
		}
		return m.Close()
	}
	if err := open("owner/tiny"); err != nil {
		t.Fatal(err)
	}
	if last.Stage != "download" || last.Done != last.Total || last.Total < int64(len(repo.Files["model.safetensors"])) {
		t.Errorf("progress ended at %+v", last)
	}
	if err := open("owner/other"); err == nil || !strings.Contains(err.Error(), "owner/other") {
		t.Errorf("a repository that does not exist: %v", err)
	}
	hub.Close()
	if err := open("owner/tiny"); err != nil {
		t.Errorf("without the hub: %v", err)
	}
}

// TestErrors finds the errors of files in what Open returns.
func TestErrors(t *testing.T) {
	dir := t.TempDir()
	const empty = "\x02\x00\x00\x00\x00\x00\x00\x00{}"
	if err := os.WriteFile(filepath.Join(dir, "model.safetensors"), []byte(empty), 0o666); err != nil {
		t.Fatal(err)
	}
	write := func(config string) {
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"model_type": "mamba", "hidden_size": "wide"}`)
	_, err := gomamba.Open(dir)
	if bad, ok := errors.AsType[*gomamba.FormatError](err); !ok || !strings.HasPrefix(bad.File, dir) || bad.Where != "hidden_size" || bad.Detail == "" {
		t.Errorf("%#v: %v", bad, err)
	}
	write(`{"model_type": "bert"}`)
	_, err = gomamba.Open(dir)
	if bad, ok := errors.AsType[*gomamba.UnsupportedError](err); !ok || !strings.HasPrefix(bad.File, dir) {
		t.Errorf("%#v: %v", bad, err)
	}
	if _, err = gomamba.Open("no/such/model"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	_, err = gomamba.OpenWith(t.Context(), "box", gomamba.Options{Tokenizer: dir})
	if !errors.Is(err, text.ErrNoTokenizer) {
		t.Errorf("%v", err)
	}
}

// TestMisuse reports what makes no sense.
func TestMisuse(t *testing.T) {
	m := openBox(t)
	for want, how := range map[string]gomamba.Sampling{
		"MaxTokens": {MaxTokens: -1}, "stop string": {Stop: []string{""}}, "temperature": {Temperature: -1},
	} {
		n := 0
		for _, err := range m.Generate(t.Context(), "x", how) {
			if n++; err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %v", how, err)
			}
		}
		if n != 1 {
			t.Errorf("%+v: %d results", how, n)
		}
	}
	if _, err := m.Chat(gomamba.ChatOptions{System: "Be brief."}); err == nil || !strings.Contains(err.Error(), "Template") {
		t.Errorf("a system message without a template: %v", err)
	}
}
