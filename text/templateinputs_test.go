package text

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/tensor"
)

// Conversations with tools, documents and variables are rendered as transformers renders them.
func TestTemplateInputs(t *testing.T) {
	data, err := os.ReadFile("testdata/inputs.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Templates map[string]string
		Cases     []struct {
			Template         string
			Messages         json.RawMessage
			Tools, Documents []json.RawMessage
			Vars             map[string]json.RawMessage
			Text             string
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	tok, err := Open("../fixtures/tokenizers/llama3")
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range file.Cases {
		template, err := tok.ParseChatTemplate(file.Templates[c.Template], c.Template)
		if err != nil {
			t.Fatal(err)
		}
		in := TemplateInputs{Tools: anys(c.Tools), Documents: anys(c.Documents), Vars: map[string]any{
			"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}}
		for name, v := range c.Vars {
			in.Vars[name] = v
		}
		if template, err = template.With(in); err != nil {
			t.Fatal(err)
		}
		if got, err := template.RenderJSON(string(c.Messages), true); err != nil || got != c.Text {
			t.Errorf("case %d of %s, %s\n got %q (%v)\nwant %q", i, c.Template, c.Messages, got, err, c.Text)
		}
	}
	if len(file.Cases) < 30 {
		t.Errorf("%d cases", len(file.Cases))
	}
}

func anys(list []json.RawMessage) (all []any) {
	if list != nil {
		all = []any{}
	}
	for _, v := range list {
		all = append(all, v)
	}
	return all
}

// An input that is not what a template may see is refused by its name.
func TestTemplateInputsRefused(t *testing.T) {
	template, err := Bytes().ParseChatTemplate("{{ messages }}", "t.jinja")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		in   TemplateInputs
		want string
	}{
		{TemplateInputs{Tools: []any{map[string]any{}, "f"}}, "tools[1]: expected a JSON object"},
		{TemplateInputs{Documents: []any{func() {}}}, "documents[0]: expected a JSON object"},
		{TemplateInputs{Vars: map[string]any{"messages": 1}}, "the variable messages of a chat template cannot be set"},
		{TemplateInputs{Vars: map[string]any{"x": make(chan int)}}, "the variable x of a chat template: json: unsupported type"},
	} {
		if _, err := template.With(c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

// thinker writes a tokenizer for a model of 256 tokens with those of a model that thinks and calls tools, all of them special.
func thinker(t *testing.T) *Tokenizer {
	t.Helper()
	vocab := map[string]int{"Ċ": 0, "Ġ": 1}
	for c := '!'; c <= '~'; c++ {
		vocab[string(c)] = len(vocab)
	}
	var added []map[string]any
	for _, token := range []string{"<s>", "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool_call>", "</tool_call>", "<other>"} {
		added = append(added, map[string]any{"id": len(vocab) + len(added), "content": token, "special": true})
	}
	split := map[string]any{"type": "ByteLevel", "add_prefix_space": false}
	dir := t.TempDir()
	for name, v := range map[string]any{
		"tokenizer.json": map[string]any{
			"added_tokens": added, "pre_tokenizer": split, "decoder": split, "model": map[string]any{"type": "BPE", "vocab": vocab, "merges": []string{}},
		},
		"tokenizer_config.json": map[string]any{"bos_token": "<s>", "eos_token": "<|im_end|>"},
	} {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	tok, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// reciting returns a model that goes on from each token of a script with the next one.
func reciting(t *testing.T, script []int64) *model.Model {
	t.Helper()
	const vocab = 128
	cfg := config.NewMamba()
	cfg.VocabSize, cfg.HiddenSize, cfg.NumHiddenLayers, cfg.TieWordEmbeddings = vocab, vocab, 1, false
	params, err := model.Init(cfg, 1)
	if err != nil {
		t.Fatal(err)
	}
	var sources []convert.Source
	for _, p := range params {
		n, _ := tensor.Count(p.Shape)
		values := make([]float32, n)
		switch {
		case p.Name == names.Embedding:
			for id := range vocab {
				values[id*vocab+id] = 1
			}
		case p.Name == names.Head:
			for i, id := range script[1:] {
				values[int(id)*vocab+int(script[i])] = 1
			}
		case !strings.HasSuffix(p.Name, "out_proj.weight"):
			sources = append(sources, convert.Source{Name: p.Name, DType: tensor.F32, Shape: p.Shape,
				Write: func(emit func([]byte) error) error { return p.Encode(tensor.F32, emit) }})
			continue
		}
		data := make([]byte, 4*n)
		tensor.NarrowF32(data, tensor.F32, values)
		sources = append(sources, convert.Source{Name: p.Name, DType: tensor.F32, Shape: p.Shape,
			Write: func(emit func([]byte) error) error { return emit(data) }})
	}
	dst := filepath.Join(t.TempDir(), "reciting")
	if err := convert.WriteHF(t.Context(), dst, cfg, sources, convert.Options{}); err != nil {
		t.Fatal(err)
	}
	ck, err := loader.Open(dst, loader.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ck.Close() })
	m, err := model.New(ck, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// thinking begins answers with <think> and leaves out of those before the last turn what was thought.
const thinking = `{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}
{%- if m.role == 'assistant' and not loop.last %}{{ '<think></think>' + m.content.split('</think>')[-1] }}{% else %}{{ m.content }}{% endif %}
{{- '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}{# <tool_call> </tool_call> #}`

// Special tokens that the template spells are text of an answer, with the one that the prompt began it with: those that end it,
// mark turns, have a name or are not the template's are not. What was thought is not run again.
func TestThinking(t *testing.T) {
	tok := thinker(t)
	template, err := tok.ParseChatTemplate(thinking, "template")
	if err != nil {
		t.Fatal(err)
	}
	m := reciting(t, tok.Encode("\nhm</think>ok <other><tool_call>{}</tool_call><s><|im_start|><|im_end|>", false))
	g, err := m.NewGenerator(nil, model.Sampling{})
	if err != nil {
		t.Fatal(err)
	}
	end, _ := template.EndOfTurn()
	limits := Limits{Tokens: 50, StopTokens: []int64{end}}
	d := NewConversation(tok, g, ConversationOptions{Template: template})
	for turn := range 3 {
		if err := d.Say(context.Background(), "hi"); err != nil {
			t.Fatal(err)
		}
		same(t, d, m, d.ran)
		if begun := d.answering.text; turn > 0 && (!strings.HasSuffix(begun, "hi<|im_end|>\n") || !strings.HasPrefix(d.ran, begun)) {
			t.Errorf("turn %d kept the state after %q", turn, begun)
		}
		c := NewContinuation(tok, d.Past(), limits)
		var pieces []string
		if err := d.Answer(context.Background(), context.Background(), c, func(piece string) error {
			pieces = append(pieces, piece)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		const want = "<think>\nhm</think>ok <tool_call>{}</tool_call>"
		if got := strings.Join(pieces, ""); got != want || !slices.Contains(pieces, "</think>") || c.Finish() != FinishEOS {
			t.Errorf("turn %d: shown %q, want %q (%s)", turn, pieces, want, c.Finish())
		}
	}
	if err := d.SayAs(context.Background(), "tool", "42"); err != nil || !strings.HasSuffix(d.ran, "<|im_start|>tool\n42<|im_end|>\n<|im_start|>assistant\n<think>\n") {
		t.Errorf("%v: ran %q", err, d.ran)
	}
}
