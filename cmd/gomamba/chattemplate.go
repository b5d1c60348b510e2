package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/internal/jinja"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/tokenizer"
)

// maxTemplate bounds the file of a chat template.
const maxTemplate = 1 << 20

// chatTemplate makes a conversation the text that a model was trained on.
type chatTemplate struct {
	template *jinja.Template
	t        *tokenizer.Tokenizer
	source   string // for errors
}

// openTemplate reads the template in a file, or else that of the tokenizer; nil where there is none.
func openTemplate(cmd *cobra.Command, t *tokenizer.Tokenizer, file string) (*chatTemplate, error) {
	source, from := t.Config().ChatTemplate, t.Path()
	if file != "" {
		file, err := input(cmd, "--chat-template", file)
		if err != nil {
			return nil, err
		}
		text, err := readInput(cmd, file, maxTemplate)
		if err != nil {
			return nil, err
		}
		source, from = string(text), file
	}
	if source == "" {
		return nil, nil
	}
	template, err := jinja.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	return &chatTemplate{template, t, from}, nil
}

// render returns the text of a conversation; with prompt, it ends where the assistant's answer begins.
func (c *chatTemplate) render(messages []any, prompt bool) (string, error) {
	vars := jinja.Dict{
		{Key: "messages", Value: messages}, {Key: "add_generation_prompt", Value: prompt},
		{Key: "tools", Value: nil}, {Key: "documents", Value: nil}, // as transformers has them when there are none
	}
	for _, n := range c.t.Config().Named {
		vars = append(vars, jinja.Item{Key: n.Name, Value: n.Token})
	}
	text, err := c.template.Render(vars)
	if err != nil {
		return "", fmt.Errorf("%s: %w", c.source, err)
	}
	return text, nil
}

// endOfTurn finds what the template puts after an answer: a token of the tokenizer, or else a word. Models are trained
// to end their answers with it, whatever their end-of-sequence token is.
func (c *chatTemplate) endOfTurn() (id int64, word string) {
	const answer = "kZr4mVq"
	text, err := c.render([]any{message("user", "Hello"), message("assistant", answer)}, false)
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

// message is one message of a conversation.
func message(role, content string) any {
	return jinja.Dict{{Key: "role", Value: role}, {Key: "content", Value: content}}
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
	for _, m := range messages {
		if m, ok := m.(jinja.Dict); !ok || len(m) == 0 {
			return nil, errConversation
		}
	}
	return messages, nil
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
