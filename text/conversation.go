package text

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/model"
)

// Conversation is a conversation and the state of the model after it. Each turn runs only the new tokens. It is for one
// goroutine at a time.
type Conversation struct {
	t        *Tokenizer
	g        *model.Generator
	template *ChatTemplate // nil: the text goes on as it is typed
	system   string
	random   []model.RandomState // with which draws begin after a load; nil: as they were saved

	turns  []Message
	ran    string // the text that the generator has seen; not known to be that: empty
	begun  bool   // it has seen any
	before Past   // what the next token continues
	// answering is a state from before the last answer: one that the template renders differently is run again from there.
	answering checkpoint
}

// ConversationOptions configure a conversation.
type ConversationOptions struct {
	Template *ChatTemplate       // nil: the model continues the text as it is typed
	System   string              // the system message; empty: none
	Random   []model.RandomState // with which draws begin after Load; nil: as they were saved
}

// NewConversation starts a conversation on a new generator, which it owns from now on.
func NewConversation(t *Tokenizer, g *model.Generator, opts ConversationOptions) *Conversation {
	return &Conversation{t: t, g: g, template: opts.Template, system: opts.System, random: opts.Random, before: Past{All: true}}
}

// Template returns the chat template; nil if there is none.
func (d *Conversation) Template() *ChatTemplate { return d.template }

// Past returns the past for the next answer.
func (d *Conversation) Past() Past { return d.before }

// checkpoint is a state and the text that led to it.
type checkpoint struct {
	text  string
	cache *model.Cache
}

// Messages returns the conversation so far, the system message included.
func (d *Conversation) Messages() (all []Message) {
	if d.system != "" {
		all = append(all, Message{"system", d.system})
	}
	return append(all, d.turns...)
}

// Say adds a message of the user and runs it. After an error, including a cancelled ctx, the conversation is as before.
func (d *Conversation) Say(ctx context.Context, text string) error { return d.SayAs(ctx, "user", text) }

// SayAs is Say for another role, such as "tool" for the result of a function that the model called. Without a template, roles
// make no difference.
func (d *Conversation) SayAs(ctx context.Context, role, text string) (err error) {
	d.turns = append(d.turns, Message{role, text})
	if d.template == nil {
		err = d.goOn(ctx, text)
	} else {
		err = d.prompt(ctx)
	}
	if err != nil {
		d.turns = d.turns[:len(d.turns)-1]
	}
	return err
}

// goOn runs a text as it is typed: a line after what came before.
func (d *Conversation) goOn(ctx context.Context, text string) error {
	if d.begun {
		text = "\n" + text
	}
	ids, after, err := d.before.Encode(ctx, d.t, text, true)
	if err != nil || len(ids) == 0 {
		return err
	}
	return d.feed(ctx, ids, len(ids), "", func() { d.begun, d.before = true, after })
}

// prompt runs what the template has to say beyond the text that was run.
func (d *Conversation) prompt(ctx context.Context) error {
	text, ids, err := d.render(ctx)
	if err != nil {
		return err
	}
	rest, ok, err := d.after(ctx, d.ran, text, ids)
	if err != nil {
		return err
	}
	if !ok {
		if rest, ok, err = d.after(ctx, d.answering.text, text, ids); err != nil {
			return err
		}
		if ok {
			err = d.g.Restart(d.answering.cache.Clone(), nil)
		} else {
			rest, err = ids, d.g.Restart(nil, nil)
		}
		if err != nil {
			return err
		}
	}
	keep, n := d.beforeAnswer(ctx, text, ids)
	n -= len(ids) - len(rest)
	if n <= 0 {
		keep, n = text, len(rest)
	}
	return d.feed(ctx, rest, n, keep, func() { d.ran, d.begun, d.before = text, true, Past{All: true}.Add(ids) })
}

// beforeAnswer returns what of a prompt comes before the words with which the answer begins, and how many of its ids that are,
// 0 if it is not known. A template may render those words differently once there is an answer: that of a model that thinks
// leaves out what it thought.
func (d *Conversation) beforeAnswer(ctx context.Context, prompt string, ids []int64) (text string, n int) {
	text, err := d.template.Render(d.Messages(), false)
	if err != nil {
		return "", 0
	}
	tail, ok, err := d.after(ctx, text, prompt, ids)
	if err != nil || !ok {
		return "", 0
	}
	return text, len(ids) - len(tail)
}

// render returns the text of the conversation and its ids. Models begin and end answers with white space that some
// templates write themselves, so the last answer leaves it out if only then the text continues what was run.
func (d *Conversation) render(ctx context.Context) (text string, ids []int64, err error) {
	for {
		if text, err = d.template.Render(d.Messages(), true); err != nil {
			return "", nil, err
		}
		if ids, err = d.t.EncodeTemplateContext(ctx, text); err != nil {
			return "", nil, err
		}
		if _, ok, err := d.after(ctx, d.ran, text, ids); ok || err != nil || len(d.turns) < 2 {
			return text, ids, err
		}
		answer := &d.turns[len(d.turns)-2]
		trimmed := strings.TrimSpace(answer.Content)
		if trimmed == answer.Content {
			return text, ids, nil
		}
		answer.Content = trimmed
	}
}

// after returns the ids of a text that follow those of its beginning; ok is false if there are none.
func (d *Conversation) after(ctx context.Context, beginning, text string, ids []int64) (rest []int64, ok bool, err error) {
	if beginning == "" || !strings.HasPrefix(text, beginning) {
		return nil, false, nil
	}
	before, err := d.t.EncodeTemplateContext(ctx, beginning)
	if err != nil || len(before) >= len(ids) || !slices.Equal(before, ids[:len(before)]) {
		return nil, false, err
	}
	return ids[len(before):], true, nil
}

// feed runs ids, and keeps the state after n of them, which is that of text.
func (d *Conversation) feed(ctx context.Context, ids []int64, n int, text string, done func()) error {
	if len(ids) == 0 {
		return fmt.Errorf("%s: the chat template rendered nothing new", d.template.source)
	}
	// A prompt that is given up halfway leaves a state that belongs to no text.
	before, logits, err := d.g.State(context.WithoutCancel(ctx)) // the last token of an answer is run even so
	if err != nil {
		return err
	}
	before, logits = before.Clone(), slices.Clone(logits)
	kept, err := d.run(ctx, ids[:n], ids[n:])
	if err != nil {
		if e := d.g.Restart(before, logits); e != nil {
			return e
		}
		return err
	}
	done()
	d.answering = checkpoint{text, kept}
	return nil
}

// run runs ids in two parts, the second of which may be empty, and returns the state between them.
func (d *Conversation) run(ctx context.Context, first, then []int64) (*model.Cache, error) {
	if err := d.g.Feed(ctx, first); err != nil {
		return nil, err
	}
	cache, _, err := d.g.State(ctx)
	if err != nil {
		return nil, err
	}
	kept := cache.Clone()
	if len(then) > 0 {
		err = d.g.Feed(ctx, then)
	}
	return kept, err
}

// Answer draws tokens until the answer ends or stop is cancelled, and passes text to show as it comes. If stop is cancelled,
// the current token is still completed. Tags that the template writes out, such as <think> and <tool_call>, are part of the
// text, even one that already began in the prompt.
func (d *Conversation) Answer(ctx, stop context.Context, c *Continuation, show func(text string) error) error {
	begun, shown := "", 0
	if d.template != nil {
		begun = d.template.begun(d.ran)
		c.show(d.template.shown(c.limits.StopTokens))
	}
	if begun != "" {
		if err := show(begun); err != nil {
			return err
		}
	}
	update := func() error {
		text := c.text.String()
		if d.template != nil && shown == 0 { // what separates an answer from its prompt does not belong to it
			shown = len(text) - len(strings.TrimLeft(text, " \n"))
			if shown == len(text) {
				shown = 0
				return nil
			}
		}
		err := show(text[shown:])
		shown = len(text)
		return err
	}
	for c.finish == "" && stop.Err() == nil {
		id, err := d.g.Next(ctx)
		if err != nil {
			return err
		}
		c.Add(id)
		if err := update(); err != nil {
			return err
		}
	}
	if c.finish == "" {
		c.Interrupt()
		if err := update(); err != nil {
			return err
		}
	}
	d.turns = append(d.turns, Message{"assistant", begun + c.text.String()})
	d.ran, d.before = d.spelled(ctx, c.ids), d.before.Add(c.ids)
	return nil
}

// spelled returns the text that was run, with an answer of these ids; empty if the ids are not a text of their own, or ctx has
// ended before that is known.
func (d *Conversation) spelled(ctx context.Context, ids []int64) string {
	if d.template == nil {
		return ""
	}
	prompt, err := d.t.EncodeTemplateContext(ctx, d.ran)
	if err != nil {
		return ""
	}
	before := d.t.Decode(prompt, false)
	all := d.t.Decode(append(prompt, ids...), false)
	answer, ok := strings.CutPrefix(all, before)
	if !ok || strings.Contains(answer, "\ufffd") {
		return ""
	}
	return d.ran + answer
}

// Reset forgets everything but the system message.
func (d *Conversation) Reset() error {
	d.turns, d.ran, d.begun, d.before, d.answering = nil, "", false, Past{All: true}, checkpoint{}
	return d.g.Restart(nil, nil)
}

// Notes of a saved conversation.
const (
	noteTurns = "turns" // JSON
	noteRan   = "ran"
)

// Save writes the state and the conversation to a file, which model.LoadSnapshot can read too.
func (d *Conversation) Save(ctx context.Context, m *model.Model, path string) error {
	state, err := d.g.Snapshot(ctx)
	if err != nil {
		return err
	}
	turns, err := json.Marshal(d.turns)
	if err != nil {
		return err
	}
	if state.Notes, err = WritePasts([]Past{d.before}); err != nil {
		return err
	}
	state.Notes[noteTurns], state.Notes[noteRan] = string(turns), d.ran
	return m.SaveSnapshot(path, state)
}

// Load continues from a file. If the file was not written by Save, it is treated as a state without a conversation.
func (d *Conversation) Load(m *model.Model, path string) error {
	state, err := m.LoadSnapshot(path)
	if err != nil {
		return err
	}
	if n := state.Cache.Sequences; n != 1 {
		return fmt.Errorf("%s holds %d sequences: expected one", path, n)
	}
	if d.random != nil {
		state.Random = d.random
	}
	var turns []Message
	if text, ok := state.Notes[noteTurns]; ok {
		if err := json.Unmarshal([]byte(text), &turns); err != nil {
			return fmt.Errorf("%s: the conversation in it is damaged: %w", path, err)
		}
	} else if d.template != nil {
		return fmt.Errorf("%s holds no conversation: expected a file that a conversation was saved to", path)
	}
	if err := d.g.Restore(state); err != nil {
		return err
	}
	d.turns, d.ran, d.begun, d.before, d.answering = turns, state.Notes[noteRan], true, ReadPasts(state.Notes, 1)[0], checkpoint{}
	return nil
}
