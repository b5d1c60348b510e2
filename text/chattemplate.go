package text

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/jinja"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// ChatTemplate renders a conversation in the format that a model was trained on.
type ChatTemplate struct {
	template *jinja.Template
	t        *Tokenizer
	source   string     // for errors
	text     string     // the template itself
	forTools string     // the one to use with tools; empty: this one
	inputs   jinja.Dict // what it sees beside the conversation
}

// Message is one message of a conversation. Its JSON form is that of chat APIs.
type Message struct {
	Role    string `json:"role"` // system, user or assistant
	Content string `json:"content"`
}

// ChatTemplate returns the chat template that came with the tokenizer; nil if there is none.
func (t *Tokenizer) ChatTemplate() (*ChatTemplate, error) {
	source := t.t.Config().ChatTemplate
	if source == "" {
		return nil, nil
	}
	template, err := t.ParseChatTemplate(source, t.Path())
	if err == nil {
		template.forTools = t.t.Config().ToolTemplate
	}
	return template, err
}

// ParseChatTemplate reads a chat template in Jinja, as transformers' apply_chat_template understands it. from stands for
// its file in errors. A template can reach only the conversation, what With gives it, and the tokenizer's named tokens.
func (t *Tokenizer) ParseChatTemplate(source, from string) (*ChatTemplate, error) {
	template, err := jinja.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	return &ChatTemplate{template: template, t: t, source: from, text: source, inputs: noInputs}, nil
}

// Render returns the text of a conversation; with prompt, it ends where the assistant's answer begins.
func (c *ChatTemplate) Render(messages []Message, prompt bool) (string, error) {
	values := make([]any, len(messages))
	for i, m := range messages {
		values[i] = jinja.Dict{{Key: "role", Value: m.Role}, {Key: "content", Value: m.Content}}
	}
	return c.render(values, prompt)
}

// RenderJSON is Render for a conversation in JSON: an array of objects, which can have members beyond role and content for the
// template to use.
func (c *ChatTemplate) RenderJSON(conversation string, prompt bool) (string, error) {
	messages, err := parseConversation(conversation)
	if err != nil {
		return "", err
	}
	return c.render(messages, prompt)
}

func (c *ChatTemplate) render(messages []any, prompt bool) (string, error) {
	vars := jinja.Dict{{Key: "messages", Value: messages}, {Key: "add_generation_prompt", Value: prompt}}
	for _, n := range c.t.t.Config().Named {
		vars = append(vars, jinja.Item{Key: n.Name, Value: n.Token})
	}
	vars = append(vars, c.inputs...) // which may also replace a named token
	text, err := c.template.Render(vars)
	if err != nil {
		return "", fmt.Errorf("%s: %w", c.source, err)
	}
	return text, nil
}

// EndOfTurn returns what the template puts after an answer: a token of the tokenizer, or else a word. Models are trained to end
// their answers with it, whatever their end-of-sequence token is. id is -1 if it is not a token; word is empty if it is a token
// or if there is nothing.
func (c *ChatTemplate) EndOfTurn() (id int64, word string) {
	const answer = "kZr4mVq"
	text, err := c.Render([]Message{{"user", "Hello"}, {"assistant", answer}}, false)
	if err != nil {
		return -1, "" // a template that wants another conversation than that says nothing
	}
	_, after, _ := strings.Cut(text, answer)
	after = strings.TrimSpace(after)
	if ids := c.t.EncodeTemplate(after); len(ids) > 0 && c.t.Special(ids[0]) {
		return ids[0], ""
	}
	word, _, _ = strings.Cut(after, "\n")
	return -1, word
}

// errConversation says what a conversation looks like.
var errConversation = errors.New(`not a conversation such as [{"role": "user", "content": "Hello"}]`)

// parseConversation reads a JSON array of messages, objects with a role.
func parseConversation(text string) ([]any, error) {
	v, err := jsonobj.ParseValue(text)
	if err != nil || v.Kind() != jsonobj.Array {
		return nil, errConversation
	}
	messages := templateValue(v).([]any)
	for i, m := range messages {
		m, ok := m.(jinja.Dict)
		if !ok || len(m) == 0 {
			return nil, errConversation
		}
		messages[i] = normalized(m)
	}
	return messages, nil
}

// reasoningKeys are the members of a message that hold what the model thought before it answered, the first of them the usual one.
var reasoningKeys = []string{"reasoning_content", "thinking", "reasoning"}

// normalized returns a message as transformers hands it to a template (utils/chat_template_utils.py): without members that are
// null, and with what the model thought by both names that templates read.
func normalized(m jinja.Dict) jinja.Dict {
	m = slices.DeleteFunc(m, func(i jinja.Item) bool { return i.Value == nil })
	member := func(key string) int { return slices.IndexFunc(m, func(i jinja.Item) bool { return i.Key == key }) }
	for _, key := range reasoningKeys {
		at := member(key)
		if at < 0 {
			continue
		}
		thought := m[at].Value
		first := jinja.Item{Key: "thinking", Value: thought}
		if own := member("thinking"); own >= 0 {
			first = m[own]
			m = slices.Delete(m, own, own+1)
		}
		m = slices.Insert(m, 0, first)
		if at = member(reasoningKeys[0]); at >= 0 {
			m[at].Value = thought
			return m
		}
		return append(m, jinja.Item{Key: reasoningKeys[0], Value: thought})
	}
	return m
}

// templateValue makes JSON a value of a template, members in their order.
func templateValue(v jsonobj.Value) any {
	switch v.Kind() {
	case jsonobj.Array:
		elems, _ := v.Elems(1 << 20)
		list := make([]any, len(elems))
		for i, e := range elems {
			list[i] = templateValue(e)
		}
		return list
	case jsonobj.Object:
		members, _ := v.Members()
		dict := jinja.Dict{}
		for _, m := range members {
			dict = append(dict, jinja.Item{Key: m.Key, Value: templateValue(m.Value)})
		}
		return dict
	case jsonobj.String:
		s, _ := v.Text()
		return s
	case jsonobj.Bool:
		b, _ := v.Bool()
		return b
	case jsonobj.Integer:
		if n, ok := v.Int(); ok {
			return n
		}
		fallthrough
	case jsonobj.Float:
		f, _ := v.Float()
		return f
	}
	return nil
}
