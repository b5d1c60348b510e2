package text

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/jinja"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/tokenizer"
)

// TemplateInputs are what a chat template sees in addition to the conversation: the arguments tools, documents and all others
// of transformers' apply_chat_template. Values must be marshallable by encoding/json. The members of a json.RawMessage keep
// their order.
type TemplateInputs struct {
	Tools     []any          // what the model may call, such as the JSON schemas of functions; nil: none
	Documents []any          // what it may cite, such as {"title": ..., "text": ...}; nil: none
	Vars      map[string]any // further variables, such as enable_thinking
}

// noInputs are what transformers gives a template if there are none.
var noInputs = jinja.Dict{{Key: "tools", Value: nil}, {Key: "documents", Value: nil}}

// With returns the template with further inputs. If the model has a separate template for tools, With returns that one if there
// are tools. Errors name the input that is invalid.
func (c *ChatTemplate) With(in TemplateInputs) (*ChatTemplate, error) {
	with := *c
	with.inputs = slices.Clone(noInputs)
	for i, list := range [][]any{in.Tools, in.Documents} {
		if list == nil {
			continue
		}
		name, values := noInputs[i].Key, make([]any, len(list))
		for j, v := range list {
			value, err := jsonValue(v)
			if _, object := value.(jinja.Dict); err != nil || !object {
				return nil, fmt.Errorf("%s[%d]: expected a JSON object", name, j)
			}
			values[j] = value
		}
		with.inputs[i].Value = values
	}
	for name, v := range in.Vars {
		if slices.Contains([]string{"messages", "add_generation_prompt", "tools", "documents"}, name) {
			return nil, fmt.Errorf("the variable %s of a chat template cannot be set: it is made of the conversation and its inputs", name)
		}
		value, err := jsonValue(v)
		if err != nil {
			return nil, fmt.Errorf("the variable %s of a chat template: %w", name, err)
		}
		with.inputs = append(with.inputs, jinja.Item{Key: name, Value: value})
	}
	if in.Tools == nil || c.forTools == "" {
		return &with, nil
	}
	other, err := c.t.ParseChatTemplate(c.forTools, c.source)
	if err != nil {
		return nil, err
	}
	other.inputs = with.inputs
	return other, nil
}

// jsonValue makes what can be marshalled a value of a template.
func jsonValue(v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	parsed, err := jsonobj.ParseValue(string(text))
	if err != nil {
		return nil, err
	}
	return templateValue(parsed), nil
}

// shown returns the special tokens that belong to the text of an answer: those that the template spells, such as <think> and
// <tool_call>, unless they have a name, end the answer or mark the turn of a user.
func (c *ChatTemplate) shown(ends []int64) (ids []int64) {
	turn, _ := c.Render([]Message{{"user", "Hello"}}, false) // of a template that wants another conversation: nothing
	for _, id := range c.t.t.SpecialTokens() {
		token, _ := c.t.Token(id)
		named := slices.ContainsFunc(c.t.t.Config().Named, func(n tokenizer.Named) bool { return n.Token == token })
		if !named && !slices.Contains(ends, id) && strings.Contains(c.text, token) && !strings.Contains(turn, token) {
			ids = append(ids, id)
		}
	}
	return ids
}

// openTag is a tag at the end of a prompt.
var openTag = regexp.MustCompile(`(?:<([A-Za-z_]+)>|\[([A-Z_]+)\])\s*$`)

// begun returns the tag, such as <think>, with which a prompt begins the answer, and the white space behind it; empty if there
// is none. The template also spells the tag that closes it.
func (c *ChatTemplate) begun(prompt string) string {
	tag := openTag.FindStringSubmatch(prompt)
	if tag == nil || !(tag[1] != "" && strings.Contains(c.text, "</"+tag[1]+">") || tag[2] != "" && strings.Contains(c.text, "[/"+tag[2]+"]")) {
		return ""
	}
	return tag[0]
}
