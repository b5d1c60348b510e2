package text

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
)

// newConversation starts one with the model in the box, for which a text is its bytes.
func newConversation(t *testing.T, template string) (*Conversation, *model.Model) {
	t.Helper()
	ck, err := loader.Open("../fixtures/box/model", loader.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ck.Close() })
	m, err := model.New(ck, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	g, err := m.NewGenerator(nil, model.Sampling{Temperature: 0.7, TopP: 0.9, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	tok := Bytes()
	parsed, err := tok.ParseChatTemplate(template, "template")
	if err != nil {
		t.Fatal(err)
	}
	return NewConversation(tok, g, ConversationOptions{Template: parsed, System: "Be brief."}), m
}

// exchange is one turn of a user and its answer of n bytes, given up after some if those are more than 0.
func exchange(t *testing.T, d *Conversation, text string, n, giveUp int) string {
	t.Helper()
	ctx := context.Background()
	if err := d.Say(ctx, text); err != nil {
		t.Fatal(err)
	}
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	c := NewContinuation(d.t, d.Past(), Limits{Tokens: n})
	if err := d.Answer(ctx, stop, c, func(string) error {
		if len(c.ids) == giveUp {
			cancel()
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return c.Text()
}

// same compares the state of a conversation with that of its text, run at once.
func same(t *testing.T, d *Conversation, m *model.Model, text string) {
	t.Helper()
	cache, logits, err := d.g.State(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	fresh := m.NewCache(1)
	out, err := m.Forward(context.Background(), model.Single(d.t.Encode(text, false)), fresh, model.Want{Logits: model.LogitsLast})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(out.Logits, logits) {
		t.Errorf("other logits than after %q", text)
	}
	for l := range fresh.Layers() {
		for i, s := range fresh.States(l) {
			if !slices.Equal(s.Values, cache.States(l)[i].Values) {
				t.Fatalf("layer %d: other %s than after %q", l, s.Name, text)
			}
		}
	}
}

const (
	chatML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}" +
		"{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
	trimming = "{% for m in messages %}<{{ m.role }}> {{ m.content | trim }}\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
	// forgetful leaves out what is thought, as templates of reasoning models do.
	forgetful = "{% for m in messages %}[{{ m.role }}]{{ m.content | replace('e', '') }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
)

// TestConversation holds the state after turns to that of the whole text: answers given up, saved and loaded, and those that
// the template words otherwise than the model did.
func TestConversation(t *testing.T) {
	for name, template := range map[string]string{"chatml": chatML, "trimming": trimming, "forgetful": forgetful} {
		t.Run(name, func(t *testing.T) {
			d, m := newConversation(t, template)
			exchange(t, d, "func Read(", 40, 0)
			exchange(t, d, "héllo\nwörld", 40, 7)
			exchange(t, d, "more", 40, 0)
			text, err := d.template.Render(d.Messages(), false)
			if err != nil {
				t.Fatal(err)
			}
			if d.ran != "" && name == "chatml" && !strings.HasPrefix(text, d.ran) {
				t.Errorf("ran %q, the conversation is %q", d.ran, text)
			}
			path := filepath.Join(t.TempDir(), "talk.safetensors")
			if err := d.Save(context.Background(), m, path); err != nil {
				t.Fatal(err)
			}
			other, _ := newConversation(t, template)
			if err := other.Load(m, path); err != nil {
				t.Fatal(err)
			}
			for _, d := range []*Conversation{d, other} {
				if err := d.Say(context.Background(), "again"); err != nil {
					t.Fatal(err)
				}
				same(t, d, m, d.ran)
				text, err := d.template.Render(d.Messages(), true)
				if err != nil || text != d.ran {
					t.Errorf("ran %q, the conversation is %q (%v)", d.ran, text, err)
				}
			}
		})
	}
}

// TestOnlyWhatIsNew counts the bytes that are run: a turn costs what is new in it, however long the conversation is.
func TestOnlyWhatIsNew(t *testing.T) {
	d, _ := newConversation(t, chatML)
	for i := range 4 {
		before := d.ran
		if err := d.Say(context.Background(), fmt.Sprint("turn ", i)); err != nil {
			t.Fatal(err)
		}
		rest, ok, _ := d.after(t.Context(), before, d.ran, d.t.EncodeTemplate(d.ran))
		if i > 0 && (!ok || len(rest) > 70) {
			t.Errorf("turn %d runs %d bytes", i, len(rest))
		}
		c := NewContinuation(d.t, d.Past(), Limits{Tokens: 30})
		if err := d.Answer(context.Background(), context.Background(), c, func(string) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPromptGivenUp leaves the state as it was when a prompt is interrupted.
func TestPromptGivenUp(t *testing.T) {
	d, m := newConversation(t, chatML)
	exchange(t, d, "Hello", 10, 0)
	ran := d.ran
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if err := d.Say(cancelled, "never mind"); err == nil {
		t.Fatal("no error")
	}
	same(t, d, m, ran)
	if n := len(d.turns); n != 2 {
		t.Errorf("%d turns, expected 2", n)
	}
}

// TestSavedElsewhere refuses a state without a conversation if a template needs one.
func TestSavedElsewhere(t *testing.T) {
	d, m := newConversation(t, chatML)
	path := filepath.Join(t.TempDir(), "state.safetensors")
	if err := m.SaveCache(path, m.NewCache(1), nil); err != nil {
		t.Fatal(err)
	}
	if err := d.Load(m, path); err == nil || !strings.Contains(err.Error(), "holds no conversation") {
		t.Errorf("%v", err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := d.Load(m, path); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("%v", err)
	}
}
