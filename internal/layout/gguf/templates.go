package gguf

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/layout/write"
)

// templateFiles reads the chat templates that have files of their own, and the older file that holds one as JSON.
func templateFiles(dir string) (all []gguf.Template, err error) {
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
		all = append(all, gguf.Template{Name: gguf.DefaultTemplate, Text: string(text)})
	}
	for _, name := range write.TemplateNames(dir) {
		text, err := jsonobj.ReadFile(filepath.Join(dir, filenames.Templates, name+".jinja"), maxTokenizer)
		if err != nil {
			return nil, err
		}
		all = append(all, gguf.Template{Name: name, Text: string(text)})
	}
	return all, nil
}

// templateKeys renders templates as gguf-py does (gguf_writer.py, add_chat_template).
func templateKeys(all []gguf.Template) (kvs []gguf.KV) {
	var names []string
	text := ""
	for _, t := range all {
		name := strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
				return r
			}
			return '_'
		}, t.Name)
		switch {
		case name == gguf.DefaultTemplate:
			text = t.Text
		case name != "":
			names = append(names, name)
			kvs = append(kvs, gguf.KV{Key: gguf.KeyTemplate + "." + name, Value: gguf.Of(t.Text)})
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		kvs = append(kvs, gguf.KV{Key: gguf.KeyTemplateNames, Value: gguf.ArrayOf(slices.Compact(names))})
	}
	if text != "" {
		kvs = append(kvs, gguf.KV{Key: gguf.KeyTemplate, Value: gguf.Of(text)})
	}
	return kvs
}
