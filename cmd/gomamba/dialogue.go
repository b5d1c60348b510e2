package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/tokenizer"
	"github.com/gomamba/gomamba/model"
)

// dialogue is a conversation and the state that the model is in after it. Each turn runs only the tokens that are new.
type dialogue struct {
	t        *tokenizer.Tokenizer
	g        *model.Generator
	template *chatTemplate // nil: the text goes on as it is typed
	system   string
	random   []model.RandomState // with which draws begin after a load; nil: as they were saved

	turns  []turn
	ran    string // the text that the generator has seen; not known to be that: empty
	begun  bool   // it has seen any
	before past   // what the next token goes on from
	// answering is where the last answer began: an answer that the template words otherwise is run again from there.
	answering checkpoint
}

// turn is one message. Its JSON form is kept in the files of /save.
type turn struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// checkpoint is a state and the text that led to it.
type checkpoint struct {
	text  string
	cache *model.Cache
}

// messages are the turns as a template gets them.
func (d *dialogue) messages() (all []any) {
	if d.system != "" {
		all = append(all, message("system", d.system))
	}
	for _, t := range d.turns {
		all = append(all, message(t.Role, t.Content))
	}
	return all
}

// say adds what the user said, and runs it. After an error, ctx cancelled too, it is as if the user had said nothing.
func (d *dialogue) say(ctx context.Context, text string) (err error) {
	d.turns = append(d.turns, turn{"user", text})
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
func (d *dialogue) goOn(ctx context.Context, text string) error {
	if d.begun {
		text = "\n" + text
	}
	ids, after, err := d.before.encode(ctx, d.t, text, true)
	if err != nil || len(ids) == 0 {
		return err
	}
	return d.feed(ctx, ids, func() { d.begun, d.before = true, after })
}

// prompt runs what the template has to say beyond the text that was run.
func (d *dialogue) prompt(ctx context.Context) error {
	text, ids, err := d.worded()
	if err != nil {
		return err
	}
	rest, ok := d.after(d.ran, text, ids)
	if !ok {
		if rest, ok = d.after(d.answering.text, text, ids); ok {
			err = d.g.Restart(d.answering.cache.Clone(), nil)
		} else {
			rest, err = ids, d.g.Restart(nil, nil)
		}
		if err != nil {
			return err
		}
	}
	return d.feed(ctx, rest, func() { d.ran, d.begun, d.before = text, true, past{All: true}.add(ids) })
}

// worded returns the text of the conversation and its ids. Models begin and end answers with white space that some
// templates write themselves, so the last answer goes without it where only then the text goes on from what was run.
func (d *dialogue) worded() (text string, ids []int64, err error) {
	for {
		if text, err = d.template.render(d.messages(), true); err != nil {
			return "", nil, err
		}
		ids = d.t.EncodeTemplate(text)
		if _, ok := d.after(d.ran, text, ids); ok || len(d.turns) < 2 {
			return text, ids, nil
		}
		answer := &d.turns[len(d.turns)-2]
		trimmed := strings.TrimSpace(answer.Content)
		if trimmed == answer.Content {
			return text, ids, nil
		}
		answer.Content = trimmed
	}
}

// after returns the ids of a text that follow those of its beginning; ok is false where there are none.
func (d *dialogue) after(beginning, text string, ids []int64) (rest []int64, ok bool) {
	if beginning == "" || !strings.HasPrefix(text, beginning) {
		return nil, false
	}
	before := d.t.EncodeTemplate(beginning)
	if len(before) >= len(ids) || !slices.Equal(before, ids[:len(before)]) {
		return nil, false
	}
	return ids[len(before):], true
}

// feed runs ids, and keeps the state where an answer begins.
func (d *dialogue) feed(ctx context.Context, ids []int64, done func()) error {
	if len(ids) == 0 {
		return fmt.Errorf("%s: the chat template makes no text of this", d.template.source)
	}
	// A prompt that is given up halfway leaves a state that belongs to no text.
	before, logits, err := d.g.State(context.WithoutCancel(ctx)) // the last token of an answer is run even so
	if err != nil {
		return err
	}
	before, logits = before.Clone(), slices.Clone(logits)
	if err := d.g.Feed(ctx, ids); err != nil {
		if e := d.g.Restart(before, logits); e != nil {
			return e
		}
		return err
	}
	done()
	cache, _, err := d.g.State(ctx)
	if err != nil {
		return err
	}
	d.answering = checkpoint{d.ran, cache.Clone()}
	return nil
}

// answer draws tokens until the answer ends or stop is cancelled, and hands text on as it comes. A token that was begun
// is run to its end even then.
func (d *dialogue) answer(ctx, stop context.Context, c *continuation, show func(text string) error) error {
	shown := 0
	update := func() error {
		text := c.text.String()
		if d.template != nil && shown == 0 { // what separates an answer from its prompt is no part of it
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
	for c.end == "" && stop.Err() == nil {
		id, err := d.g.Next(ctx)
		if err != nil {
			return err
		}
		c.add(id)
		if err := update(); err != nil {
			return err
		}
	}
	if c.end == "" {
		c.interrupt()
		if err := update(); err != nil {
			return err
		}
	}
	d.turns = append(d.turns, turn{"assistant", c.text.String()})
	d.ran, d.before = d.spelled(c.ids), d.before.add(c.ids)
	return nil
}

// spelled returns the text that was run, with an answer of these ids; empty where ids are no text of their own.
func (d *dialogue) spelled(ids []int64) string {
	if d.template == nil {
		return ""
	}
	prompt := d.t.EncodeTemplate(d.ran)
	before := d.t.Decode(prompt, false)
	all := d.t.Decode(append(prompt, ids...), false)
	answer, ok := strings.CutPrefix(all, before)
	if !ok || strings.Contains(answer, "\ufffd") {
		return ""
	}
	return d.ran + answer
}

// reset forgets everything but the system message.
func (d *dialogue) reset() error {
	d.turns, d.ran, d.begun, d.before, d.answering = nil, "", false, past{All: true}, checkpoint{}
	return d.g.Restart(nil, nil)
}

// Notes of a saved dialogue.
const (
	noteTurns = "turns" // JSON
	noteRan   = "ran"
)

// save writes the state and the conversation to a file, from which generate --cache-in goes on too.
func (d *dialogue) save(ctx context.Context, m *model.Model, path string) error {
	state, err := d.g.Snapshot(ctx)
	if err != nil {
		return err
	}
	turns, err := json.Marshal(d.turns)
	if err != nil {
		return err
	}
	if state.Notes, err = writePast([]past{d.before}); err != nil {
		return err
	}
	state.Notes[noteTurns], state.Notes[noteRan] = string(turns), d.ran
	return m.SaveSnapshot(path, state)
}

// load goes on from a file. One that save has not written is a state without a conversation.
func (d *dialogue) load(m *model.Model, path string) error {
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
	var turns []turn
	if text, ok := state.Notes[noteTurns]; ok {
		if err := json.Unmarshal([]byte(text), &turns); err != nil {
			return fmt.Errorf("%s: the conversation in it is damaged: %w", path, err)
		}
	} else if d.template != nil {
		return fmt.Errorf("%s holds no conversation: expected a file of /save", path)
	}
	if err := d.g.Restore(state); err != nil {
		return err
	}
	d.turns, d.ran, d.begun, d.before, d.answering = turns, state.Notes[noteRan], true, readPast(state.Notes, 1)[0], checkpoint{}
	return nil
}
