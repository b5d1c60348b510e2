package tokenizer

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/stream"
)

// ErrNone is what errors are that say that a checkpoint comes without a tokenizer.
var ErrNone = errors.New("no tokenizer")

// noTokenizer is an ErrNone.
type noTokenizer struct{ path, found string }

func (e *noTokenizer) Error() string {
	return fmt.Sprintf("%s: %s, so text cannot be turned into token ids: "+
		"give a tokenizer with --tokenizer PATH; state-spaces' models use that of EleutherAI/gpt-neox-20b", e.path, e.found)
}

func (e *noTokenizer) Is(target error) bool { return target == ErrNone }

// Files that a tokenizer is read from, in this order.
var fileNames = []string{"tokenizer.json", "tokenizer.model", "tokenizer.model.v3"}

// Open reads the tokenizer at path: a tokenizer.json, a SentencePiece model, a GGUF file, or a checkpoint's folder, or a file
// in it, that has one of these. Errors: ErrNone where a folder has none, *badfile.FormatError,
// *badfile.UnsupportedError, or a wrapped I/O error.
func Open(path string) (*Tokenizer, error) {
	info, err := files.Stat(path)
	if err != nil && path != stream.Stdin {
		return nil, err
	}
	if err == nil && info.IsDir() {
		return openFolder(path)
	}
	switch base := filepath.Base(path); {
	case strings.HasSuffix(base, ".gguf"):
		return openGGUF(path)
	case base == "config.json", base == "params.json", strings.HasSuffix(base, ".index.json"),
		slices.Contains([]string{".safetensors", ".bin", ".pth", ".pt"}, filepath.Ext(base)):
		return openFolder(filepath.Dir(path))
	}
	if stream.Is(path) {
		data, err := stream.ReadFile(path, maxFile)
		if err != nil {
			return nil, err
		}
		return parse(path, data)
	}
	return openFile(path)
}

func openFolder(dir string) (*Tokenizer, error) {
	for _, name := range fileNames {
		path := filepath.Join(dir, name)
		if _, err := files.Stat(path); err == nil {
			return openFile(path)
		}
	}
	if ggufs := filenames.In(dir, "*.gguf"); len(ggufs) > 0 {
		return openGGUF(ggufs[0])
	}
	return nil, &noTokenizer{dir, "found none of " + strings.Join(fileNames, ", ")}
}

func openGGUF(path string) (_ *Tokenizer, err error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return FromGGUF(path, f.KVs())
}

// openFile reads a tokenizer.json or a SentencePiece model, and what the files beside it say.
func openFile(path string) (*Tokenizer, error) {
	data, err := jsonobj.ReadFile(path, maxFile)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(data, []byte("GGUF")) {
		return openGGUF(path)
	}
	t, err := parse(path, data)
	if err != nil {
		return nil, err
	}
	return t, t.readConfig(filepath.Dir(path))
}

// parse reads a tokenizer.json or a SentencePiece model.
func parse(path string, data []byte) (*Tokenizer, error) {
	if filepath.Ext(path) != ".json" && !bytes.HasPrefix(bytes.TrimLeft(data, "\ufeff \t\r\n"), []byte("{")) {
		return ParseSentencePiece(path, data)
	}
	return Parse(path, data)
}

// readConfig reads tokenizer_config.json and chat_template.jinja, where they are.
func (t *Tokenizer) readConfig(dir string) error {
	path := filepath.Join(dir, "tokenizer_config.json")
	data, err := jsonobj.ReadFile(path, maxFile)
	if err == nil {
		err = t.applyConfig(path, data)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	template, err := jsonobj.ReadFile(filepath.Join(dir, "chat_template.jinja"), maxFile)
	if err == nil {
		t.config.ChatTemplate = string(template)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// applyConfig takes from tokenizer_config.json the names of the special tokens, the chat template, and whether a text is
// begun and ended with them. What the post-processor of a tokenizer.json says about that comes first, as in transformers 5.
func (t *Tokenizer) applyConfig(path string, data []byte) error {
	members, err := jsonobj.Parse(data)
	if err != nil {
		return &badfile.FormatError{File: path, Detail: err.Error()}
	}
	o := object{members: members, err: &err}
	decided := filepath.Ext(t.path) == ".json" && len(t.before)+len(t.after) > 0
	for _, end := range []struct {
		key   string
		token *string
		put   *[]int64
	}{{"bos_token", &t.config.BOS, &t.before}, {"eos_token", &t.config.EOS, &t.after}} {
		if name := tokenName(o, end.key); name != "" {
			*end.token = name
		}
		if _, said := o.get("add_" + end.key); !said || decided {
			continue
		}
		*end.put = nil
		id, ok := t.ID(*end.token)
		if add := o.flag("add_"+end.key, false); add && ok && *end.token != "" {
			*end.put = []int64{id}
		}
	}
	t.config.ChatTemplate = chatTemplate(o)
	if err != nil {
		return inFile(path, err)
	}
	return nil
}

// tokenName reads the name of a token, which may be wrapped as {"content": "<s>"}.
func tokenName(o object, key string) string {
	v, ok := o.get(key)
	if !ok {
		return ""
	}
	if v.Kind() == jsonobj.Object {
		return o.as(key, v).text("content", "")
	}
	return o.text(key, "")
}

// chatTemplate reads the template, of several the one named "default".
func chatTemplate(o object) string {
	v, ok := o.get("chat_template")
	if !ok || v.Kind() == jsonobj.String {
		return o.text("chat_template", "")
	}
	for _, one := range o.objects("chat_template") {
		if one.text("name", "") == "default" {
			return one.text("template", "")
		}
	}
	return ""
}
