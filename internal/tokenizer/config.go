package tokenizer

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// Config is what is said about a tokenizer beside its tables: by the files beside it or the keys of a GGUF file.
type Config struct {
	BOS, EOS     string  // the tokens that begin and end a text; may be empty
	Named        []Named // these and others, such as pad_token: what a chat template may use
	ChatTemplate string  // in Jinja; may be empty
	ToolTemplate string  // the one for conversations with tools, named tool_use; empty: the same
}

// Named is a token that has a name, such as "bos_token".
type Named struct{ Name, Token string }

// Names of tokens, as in tokenizer_config.json.
const (
	nameBOS = "bos_token"
	nameEOS = "eos_token"
)

// name gives a token its name; an empty token has none.
func (c *Config) name(name, token string) {
	switch name {
	case nameBOS:
		c.BOS = token
	case nameEOS:
		c.EOS = token
	}
	c.Named = slices.DeleteFunc(c.Named, func(n Named) bool { return n.Name == name })
	if token != "" {
		c.Named = append(c.Named, Named{name, token})
	}
}

// standardNames are the names that transformers has for tokens, in its order; those of a model's own follow.
var standardNames = []string{nameBOS, nameEOS, "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}

// beside is what the files beside a tokenizer say, as transformers 5.24 reads them (tokenization_utils_base.py,
// _from_pretrained, and the constructor in tokenization_utils_tokenizers.py).
type beside struct {
	named   []namedToken // by name; without content: said to be none
	decoder []added      // added_tokens_decoder, by id
	listed  bool         // that was there
	extra   []added      // extra_special_tokens
	begin   *bool        // add_bos_token
	end     *bool        // add_eos_token

	template, toolTemplate string
}

type namedToken struct {
	name string
	added
}

// readConfig reads the files in dir. What tokenizer_config.json says of the beginning and the end of a text counts only
// without a tokenizer.json, whose post-processor has the last word.
func (t *Tokenizer) readConfig(dir string, isJSON bool) error {
	var b beside
	var legacy []added
	for _, file := range []struct {
		name string
		read func(o object)
	}{
		{filenames.TokenizerConfig, b.readConfig},
		{filenames.SpecialTokens, b.readMap},
		{filenames.AddedTokens, func(o object) { legacy = b.readAdded(o) }},
	} {
		if b.listed && file.name != filenames.TokenizerConfig {
			continue // the tokens are all in added_tokens_decoder
		}
		path := filepath.Join(dir, file.name)
		data, err := jsonobj.ReadFile(path, maxFile)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		members, err := jsonobj.Parse(data)
		if err != nil {
			return &badfile.FormatError{File: path, Detail: err.Error()}
		}
		if file.read(object{members: members, err: &err}); err != nil {
			return inFile(path, err)
		}
	}
	b.order()
	t.apply(&b, legacy, isJSON)
	t.config.ChatTemplate, t.config.ToolTemplate = b.template, b.toolTemplate
	return t.readTemplates(dir)
}

// readConfig reads tokenizer_config.json.
func (b *beside) readConfig(o object) {
	b.readMap(o)
	decoder, listed := o.object("added_tokens_decoder")
	b.listed = listed
	ids := map[string]int{}
	for _, m := range decoder.members {
		id, err := strconv.Atoi(m.Key)
		if err != nil || id < 0 {
			decoder.fail(badfile.Quote(m.Key), "found this key, expected the id of a token")
		}
		token := readToken(decoder.as(m.Key, m.Value))
		ids[token.content] = id
		b.decoder = append(b.decoder, token)
	}
	slices.SortStableFunc(b.decoder, func(x, y added) int { return ids[x.content] - ids[y.content] })
	for key, p := range map[string]**bool{"add_bos_token": &b.begin, "add_eos_token": &b.end} {
		if _, said := o.get(key); said {
			add := o.flag(key, false)
			*p = &add
		}
	}
	b.template, b.toolTemplate = chatTemplates(o)
}

// readMap reads special_tokens_map.json, which has the last word on names.
func (b *beside) readMap(o object) {
	extra := o.list("additional_special_tokens")
	if v, ok := o.get("extra_special_tokens"); ok && v.Kind() == jsonobj.Object {
		b.readMap(o.as("extra_special_tokens", v))
	} else if ok {
		extra = o.list("extra_special_tokens")
	}
	if len(b.extra) == 0 {
		for _, v := range extra {
			b.extra = append(b.extra, tokenOf(o, "extra_special_tokens", v))
		}
	}
	for _, m := range o.members {
		standard := slices.Contains(standardNames, m.Key)
		if kind := m.Value.Kind(); !standard && (!strings.HasSuffix(m.Key, "_token") || kind != jsonobj.String && kind != jsonobj.Object) {
			continue
		}
		b.named = slices.DeleteFunc(b.named, func(n namedToken) bool { return n.name == m.Key })
		b.named = append(b.named, namedToken{m.Key, tokenOf(o, m.Key, m.Value)})
	}
}

// tokenOf reads a special token: its text, wrapped as {"content": "<s>"} or not, or null.
func tokenOf(o object, key string, v jsonobj.Value) added {
	if v.Kind() == jsonobj.Object {
		token := readToken(o.as(key, v))
		token.special = true
		return token
	}
	text, ok := v.Text()
	if !ok && v.Kind() != jsonobj.Null {
		o.fail(key, "found %s, expected a string", v)
	}
	return added{addedToken: addedToken{content: text}, special: true}
}

// readAdded reads added_tokens.json, an object of tokens and ids.
func (b *beside) readAdded(o object) (tokens []added) {
	ids := map[string]int{}
	for _, m := range o.members {
		id, ok := m.Value.Int()
		if !ok {
			o.fail(badfile.Quote(m.Key), "found %s, expected an id", m.Value)
		}
		ids[m.Key] = id
		token := added{addedToken: addedToken{content: m.Key}, normalized: true}
		if slices.ContainsFunc(b.named, func(n namedToken) bool { return n.content == m.Key }) {
			token.special, token.normalized = true, false
		}
		tokens = append(tokens, token)
	}
	slices.SortStableFunc(tokens, func(x, y added) int { return ids[x.content] - ids[y.content] })
	return tokens
}

// order sorts the names as transformers does.
func (b *beside) order() {
	rank := func(n namedToken) int {
		if i := slices.Index(standardNames, n.name); i >= 0 {
			return i
		}
		return len(standardNames)
	}
	slices.SortStableFunc(b.named, func(x, y namedToken) int { return rank(x) - rank(y) })
}

// apply gives tokens their names. A tokenizer.json gets the tokens that it lacks: those become its next ids.
func (t *Tokenizer) apply(b *beside, legacy []added, isJSON bool) {
	for _, n := range b.named {
		t.config.name(n.name, n.content)
	}
	if !isJSON {
		for _, end := range []struct {
			add   *bool
			token string
			put   *[]int64
		}{{b.begin, t.config.BOS, &t.before}, {b.end, t.config.EOS, &t.after}} {
			if end.add == nil {
				continue
			}
			*end.put = nil
			if id, ok := t.ID(end.token); ok && *end.add && end.token != "" {
				*end.put = []int64{id}
			}
		}
		return
	}
	all := t.added
	add := func(token added, change func(have *added)) {
		i := slices.IndexFunc(all, func(a added) bool { return a.content == token.content })
		switch {
		case token.content == "":
		case i < 0:
			all = append(all, token)
		default:
			all = slices.Clone(all)
			change(&all[i])
		}
	}
	special := func(have *added) { have.special = true }
	for _, token := range b.decoder {
		add(token, func(have *added) { *have = token })
	}
	for _, token := range legacy {
		add(token, func(*added) {})
	}
	for _, n := range b.named {
		add(n.added, special)
	}
	for _, token := range b.extra {
		add(token, special)
	}
	if !slices.Equal(all, t.added) {
		t.addTokens(all)
		t.finish()
	}
}

// toolUse is the name of the chat template that transformers uses if there are tools.
const toolUse = "tool_use"

// readTemplates takes the chat templates from their files, with which those of tokenizer_config.json do not count.
func (t *Tokenizer) readTemplates(dir string) error {
	others := filepath.Join(dir, filenames.Templates)
	if entries, err := os.ReadDir(others); err == nil &&
		slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return filepath.Ext(e.Name()) == ".jinja" }) {
		t.config.ChatTemplate, t.config.ToolTemplate = "", ""
	}
	template, err := jsonobj.ReadFile(filepath.Join(dir, filenames.Template), maxFile)
	if err == nil {
		t.config.ChatTemplate, t.config.ToolTemplate = string(template), ""
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	template, err = jsonobj.ReadFile(filepath.Join(others, toolUse+".jinja"), maxFile)
	if err == nil {
		t.config.ToolTemplate = string(template)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// chatTemplates reads the template, of several those named "default" and "tool_use".
func chatTemplates(o object) (template, tools string) {
	v, ok := o.get("chat_template")
	if !ok || v.Kind() == jsonobj.String {
		return o.text("chat_template", ""), ""
	}
	for _, one := range o.objects("chat_template") {
		switch one.text("name", "") {
		case "default":
			template = one.text("template", "")
		case toolUse:
			tools = one.text("template", "")
		}
	}
	return template, tools
}
