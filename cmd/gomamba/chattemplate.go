package main

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gomamba/gomamba/text"
)

// maxTemplate bounds the files of a chat template and of its inputs.
const maxTemplate = 1 << 20

// templateFlags say which chat template is used, and what it sees beside the conversation.
type templateFlags struct {
	file, tools, documents string
	vars                   []string
}

func (f *templateFlags) define(flags *pflag.FlagSet) {
	fileVar(flags, &f.file, "chat-template", "", "file with the chat template, in Jinja (default: the model's)")
	fileVar(flags, &f.tools, "tools", "", "JSON file with the tools that the model may call: an array of schemas")
	fileVar(flags, &f.documents, "documents", "", "JSON file with documents that the model may cite: an array")
	flags.StringArrayVar(&f.vars, "chat-var", nil, "NAME=VALUE for the template, such as enable_thinking=false; can be repeated")
}

// templateHelp says what chat templates see, for help texts.
const templateHelp = `--tools, --documents and --chat-var are the arguments of transformers' apply_chat_template
(other programs call them chat_template_kwargs). A VALUE is parsed as JSON, or as True, False
or None; anything else is a string. Which names have an effect depends on the template.`

// given reports whether any flag says something.
func (f *templateFlags) given() bool { return f.file != "" || f.inputs() }

// inputs reports whether there is something beside the conversation.
func (f *templateFlags) inputs() bool { return f.tools != "" || f.documents != "" || len(f.vars) > 0 }

// open reads the template in the file, or else that of the tokenizer; nil if there is none.
func (f *templateFlags) open(cmd *cobra.Command, t *text.Tokenizer) (*text.ChatTemplate, error) {
	template, err := f.template(cmd, t)
	if err != nil || template == nil || !f.inputs() {
		return template, err
	}
	in := text.TemplateInputs{Vars: map[string]any{}}
	if in.Tools, err = inputArray(cmd, "--tools", f.tools); err != nil {
		return nil, err
	}
	if in.Documents, err = inputArray(cmd, "--documents", f.documents); err != nil {
		return nil, err
	}
	for _, v := range f.vars {
		name, value, ok := strings.Cut(v, "=")
		if !ok || !variable.MatchString(name) {
			return nil, usagef("--chat-var %s: expected NAME=VALUE, such as enable_thinking=false", v)
		}
		in.Vars[name] = variableValue(value)
	}
	return template.With(in)
}

func (f *templateFlags) template(cmd *cobra.Command, t *text.Tokenizer) (*text.ChatTemplate, error) {
	if f.file == "" {
		return t.ChatTemplate()
	}
	file, err := input(cmd, "--chat-template", f.file)
	if err != nil {
		return nil, err
	}
	source, err := readInput(cmd, file, maxTemplate)
	if err != nil || len(source) == 0 {
		return nil, err
	}
	return t.ParseChatTemplate(string(source), file)
}

// inputArray reads the elements of an array from a JSON file; nil without one.
func inputArray(cmd *cobra.Command, flag, file string) ([]any, error) {
	if file == "" {
		return nil, nil
	}
	path, err := input(cmd, flag, file)
	if err != nil {
		return nil, err
	}
	data, err := readInput(cmd, path, maxTemplate)
	if err != nil {
		return nil, err
	}
	var all []json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil || all == nil {
		return nil, usagef("%s %s: expected a file with a JSON array of objects", flag, file)
	}
	values := make([]any, len(all))
	for i := range all {
		values[i] = all[i]
	}
	return values, nil
}

// variable is what a template can name.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// variableValue is JSON, a constant of Python, or a text.
func variableValue(text string) any {
	switch text {
	case "True":
		return true
	case "False":
		return false
	case "None":
		return nil
	}
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return text
}
