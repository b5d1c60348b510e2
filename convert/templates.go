package convert

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// Keys of chat templates in a GGUF file: the default one, those of other names behind a dot, and the list of these names.
const (
	keyTemplate      = "tokenizer.chat_template"
	keyTemplateNames = "tokenizer.chat_templates"
)

const defaultTemplate = "default"

// namedTemplate is one of several chat templates.
type namedTemplate struct{ name, text string }

// templateFiles reads the chat templates that have files of their own, and the older file that holds one as JSON.
func templateFiles(dir string) (all []namedTemplate, err error) {
	text, err := jsonobj.ReadFile(filepath.Join(dir, filenames.Template), maxTokenizer)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = nil, nil
		data, e := jsonobj.ReadFile(filepath.Join(dir, filenames.TemplateJSON), maxTokenizer)
		if members, bad := jsonobj.Parse(data); e == nil && bad == nil {
			v, _ := members.Get("chat_template")
			text = []byte(contentOf(v))
		}
	}
	if err != nil {
		return nil, err
	}
	if len(text) > 0 {
		all = append(all, namedTemplate{defaultTemplate, string(text)})
	}
	for _, name := range templateNames(dir) {
		text, err := jsonobj.ReadFile(filepath.Join(dir, filenames.Templates, name+".jinja"), maxTokenizer)
		if err != nil {
			return nil, err
		}
		all = append(all, namedTemplate{name, string(text)})
	}
	return all, nil
}

// templateNames lists the templates in filenames.Templates.
func templateNames(dir string) (names []string) {
	entries, err := os.ReadDir(filepath.Join(dir, filenames.Templates))
	if err != nil {
		return nil // most folders have none
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".jinja"); ok {
			names = append(names, name)
		}
	}
	return names
}

// templateKeys renders templates as gguf-py does (gguf_writer.py, add_chat_template).
func templateKeys(all []namedTemplate) (kvs []gguf.KV) {
	var names []string
	text := ""
	for _, t := range all {
		name := strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
				return r
			}
			return '_'
		}, t.name)
		switch {
		case name == defaultTemplate:
			text = t.text
		case name != "":
			names = append(names, name)
			kvs = append(kvs, gguf.KV{Key: keyTemplate + "." + name, Value: gguf.Of(t.text)})
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		kvs = append(kvs, gguf.KV{Key: keyTemplateNames, Value: gguf.ArrayOf(slices.Compact(names))})
	}
	if text != "" {
		kvs = append(kvs, gguf.KV{Key: keyTemplate, Value: gguf.Of(text)})
	}
	return kvs
}

// templatesOf reads the templates in the keys of a GGUF file, the default one first.
func templatesOf(kvs []gguf.KV) (all []namedTemplate) {
	for _, kv := range kvs {
		name, ok := strings.CutPrefix(kv.Key, keyTemplate+".")
		if kv.Key == keyTemplate {
			name, ok = defaultTemplate, true
		}
		if text, err := kv.Value.Str(); ok && err == nil {
			all = append(all, namedTemplate{name, text})
		}
	}
	slices.SortStableFunc(all, func(a, b namedTemplate) int {
		switch {
		case a.name == defaultTemplate:
			return -1
		case b.name == defaultTemplate:
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	return all
}
