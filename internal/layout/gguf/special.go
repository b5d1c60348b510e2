package gguf

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/internal/tokenizer"
)

// special gathers which tokens are special, whether texts begin and end with them, and chat templates, as llama.cpp's
// converter does (gguf-py/gguf/vocab.py, SpecialVocab, as llama-cpp-python 0.3.36 has it).
type special struct {
	settings jsonobj.Members // of tokenizer_config.json
	tokens   tokenizerJSON
	names    map[string]string // of special tokens, as tokenizer_config.json has them or the post-processor wants them
	wrapped  map[string]bool   // of these the ones that are objects, which the converter never finds in a post-processor
	types    []string          // whose tokens are looked for
	vocab    int

	ids   []gguf.KV // in order
	known map[string]bool
	adds  []gguf.KV
}

// specialKeys returns the keys of a tokenizer, whose tokenizer.json is parsed if it has one, and those of its chat
// templates.
func specialKeys(x *write.Texts, parsed *tokenizerJSON, cfg *config.Common) ([]gguf.KV, []string, error) {
	dir, t := x.Dir, x.Open()
	s := &special{types: []string{"bos", "eos", "unk", "sep", "pad", "cls", "mask"}, names: map[string]string{}, wrapped: map[string]bool{}, known: map[string]bool{}, vocab: cfg.VocabSize}
	var err error
	if s.settings, err = readMembers(filepath.Join(dir, filenames.TokenizerConfig)); err != nil {
		return nil, nil, err
	}
	for _, m := range s.settings {
		if name, ok := strings.CutSuffix(m.Key, "_token"); ok {
			s.names[name], s.wrapped[name] = contentOf(m.Value), m.Value.Kind() == jsonobj.Object
		}
	}
	if parsed != nil {
		s.tokens = *parsed
		s.process()
	}
	s.find()
	s.configured(cfg)
	used := ""
	if t != nil {
		used = t.Config().ChatTemplate
		for _, n := range t.Config().Named { // what only other files name
			name, _ := strings.CutSuffix(n.Name, "_token")
			if id, ok := t.ID(n.Token); ok {
				s.set(name, int(id))
			}
		}
	}
	if parsed != nil && t != nil {
		if pre, _ := parsed.pre(""); pre.Begins { // unless a key says otherwise
			s.add("bos", len(t.Begin()) > 0, false)
		}
	}
	templates, notes, err := s.templates(dir, used)
	if t != nil && parsed != nil {
		notes = append(notes, s.noteAround(t)...)
	}
	return slices.Concat(s.ids, s.adds, templates), notes, err
}

// noteAround says where a text has other tokens around it than in the source, as the converter's reading of a
// post-processor has it.
func (s *special) noteAround(t *tokenizer.Tokenizer) (notes []string) {
	for _, end := range []struct {
		name, verb string
		want       []int64
	}{{"bos", "begins", t.Begin()}, {"eos", "ends", t.End()}} {
		var got []int64
		if add, ok := keyOf(s.adds, "add_"+end.name+"_token"); ok {
			yes, _ := add.Bool()
			if id, ok := keyOf(s.ids, gguf.SpecialTokens[end.name]); ok && yes {
				n, _ := id.Uint()
				got = []int64{int64(n)}
			}
		}
		if !slices.Equal(got, end.want) {
			notes = append(notes, fmt.Sprintf("a text %s with the tokens %v in the source, and with %v in the GGUF file, as llama.cpp's converter writes it",
				end.verb, end.want, got))
		}
	}
	return notes
}

// keyOf returns the value of a key of the tokenizer.
func keyOf(kvs []gguf.KV, key string) (v gguf.Value, ok bool) {
	return gguf.Find(kvs, gguf.KeyTokenizer+key)
}

// contentOf reads the text of a token, which may be wrapped as {"content": "<s>"}.
func contentOf(v jsonobj.Value) string {
	if members, ok := v.Members(); ok {
		v, _ = members.Get("content")
	}
	text, _ := v.Text()
	return text
}

// process reads from the post-processor which tokens are put around a text.
func (s *special) process() {
	if len(s.settings) > 0 {
		if s.names["bos"] == "" && s.names["cls"] != "" {
			s.rename("bos", "cls")
		}
		if s.names["eos"] == "" && s.names["sep"] != "" {
			s.rename("eos", "sep")
		}
	}
	post := s.tokens.PostProcessor
	if post == nil {
		return
	}
	processors := post.Processors
	if processors == nil {
		processors = []postProcessor{*post}
	}
	for _, p := range processors {
		if p.Type == "ByteLevel" { // puts nothing around a text
			s.add("bos", false, false)
			s.add("eos", false, false)
		}
		if p.Type != "TemplateProcessing" {
			continue
		}
		var first, last string
		if len(p.Single) > 1 {
			first, last = p.Single[0].SpecialToken.ID, p.Single[len(p.Single)-1].SpecialToken.ID
			s.template(first, last)
		}
		s.pair(p.Pair, first, last)
	}
}

// rename gives a token the name of another.
func (s *special) rename(name, other string) {
	s.names[name], s.wrapped[name] = s.names[other], s.wrapped[other]
}

// is reports whether a token of the post-processor is one of those named.
func (s *special) is(token string, names ...string) bool {
	return token != "" && slices.ContainsFunc(names, func(name string) bool { return s.names[name] == token && !s.wrapped[name] })
}

// pair looks for a separator between the two texts of a template, within the tokens around both.
func (s *special) pair(items []templateItem, first, last string) {
	if n := len(items); n > 0 && first != "" && items[0].SpecialToken.ID == first {
		items = items[1:]
	}
	if n := len(items); n > 0 && last != "" && items[n-1].SpecialToken.ID == last {
		items = items[:n-1]
	}
	n := len(items)
	if n < 3 || items[0].Sequence.ID != "A" || items[n-1].Sequence.ID != "B" {
		return
	}
	separates := func(i int) bool { return s.is(items[i].SpecialToken.ID, "sep", "eos") }
	yes := separates(1) && last == "" || n == 4 && separates(2)
	s.add("sep", yes, true)
	if yes && s.names["sep"] == "" {
		s.rename("sep", "eos")
	}
}

// template takes the first and the last token of a template; empty for the text itself. If the last one is not the end
// that tokenizer_config.json names, it becomes the end, and that one the end of a turn.
func (s *special) template(first, last string) {
	if first != "" {
		for _, name := range []string{"bos", "cls"} {
			if s.names[name] == "" && !s.is(first, "bos") && (name == "bos" || len(s.settings) > 0) {
				s.names[name] = first
			}
		}
		s.add("bos", s.is(first, "bos", "cls"), true)
	}
	if last == "" {
		return
	}
	switch {
	case len(s.settings) == 0:
		s.names["eos"] = last
	case !s.is(last, "eos"):
		for _, other := range []string{"eot", "eom"} {
			if !slices.Contains(s.types, other) {
				s.types = append(s.types, other)
				s.rename(other, "eos")
				break
			}
		}
		s.names["eos"], s.wrapped["eos"] = last, false
	}
	s.add("eos", true, true)
}

// add says whether a token is put around every text; if that was said before, it counts only with over.
func (s *special) add(name string, yes, over bool) {
	key := gguf.KeyTokenizer + "add_" + name + "_token"
	i := slices.IndexFunc(s.adds, func(kv gguf.KV) bool { return kv.Key == key })
	if i < 0 {
		i = len(s.adds)
		s.adds, over = append(s.adds, gguf.KV{Key: key}), true
	}
	if over {
		s.adds[i].Value = gguf.Of(yes)
	}
}

// find looks for the named tokens among the added ones.
func (s *special) find() {
	for _, name := range s.types {
		if v, ok := s.settings.Get("add_" + name + "_token"); ok && slices.Contains([]string{"bos", "eos", "sep"}, name) {
			if yes, ok := v.Bool(); ok {
				s.add(name, yes, false)
			}
		}
		if len(s.settings) == 0 || s.names[name] == "" {
			continue
		}
		for _, added := range s.tokens.AddedTokens {
			if added.Content == s.names[name] {
				s.set(name, added.ID)
				break
			}
		}
	}
}

// configured takes the ids of the configuration, of several ends the first.
func (s *special) configured(cfg *config.Common) {
	ids := map[string]*int{"bos": cfg.BosTokenID, "pad": cfg.PadTokenID}
	if len(cfg.EosTokenID.IDs) > 0 {
		ids["eos"] = &cfg.EosTokenID.IDs[0]
	}
	for _, e := range cfg.Extra {
		if name, ok := strings.CutSuffix(e.Key, "_token_id"); ok {
			if v, err := jsonobj.ParseValue(e.Value); err == nil {
				if id, ok := v.Int(); ok {
					ids[name] = &id
				}
			}
		}
	}
	for _, name := range s.types {
		if id := ids[name]; id != nil {
			s.set(name, *id)
		}
	}
}

// set states the id of a special token, the first of its type.
func (s *special) set(name string, id int) {
	key := gguf.SpecialTokens[name]
	if key == "" || s.known[name] || id < 0 || id >= s.vocab {
		return
	}
	s.known[name] = true
	s.ids = append(s.ids, gguf.KV{Key: gguf.KeyTokenizer + key, Value: gguf.Of(uint32(id))})
}

// templates returns the chat templates: those of tokenizer_config.json, or else of files of their own. used is the one
// that transformers uses.
func (s *special) templates(dir, used string) (kvs []gguf.KV, notes []string, err error) {
	v, stated := s.settings.Get("chat_template")
	if text, ok := v.Text(); ok {
		if text != used && used != "" {
			notes = append(notes, "chat_template.jinja and tokenizer_config.json have different chat templates: as llama.cpp's converter does, "+
				"the latter is written; transformers uses the former")
		}
		return []gguf.KV{{Key: gguf.KeyTemplate, Value: gguf.Of(text)}}, notes, nil
	}
	list, _ := v.Elems(1 << 10)
	var all []gguf.Template
	for _, e := range list {
		members, _ := e.Members()
		name, _ := members.Get("name")
		text, _ := members.Get("template")
		all = append(all, gguf.Template{Name: contentOf(name), Text: contentOf(text)})
	}
	if !stated {
		if all, err = templateFiles(dir); err != nil {
			return nil, nil, err
		}
	}
	if len(all) == 0 && used != "" {
		all = []gguf.Template{{Name: gguf.DefaultTemplate, Text: used}}
	}
	return templateKeys(all), notes, nil
}

// postProcessor is what puts tokens around a text, or one of several.
type postProcessor struct {
	Type       string          `json:"type"`
	Single     []templateItem  `json:"single"`
	Pair       []templateItem  `json:"pair"`
	Processors []postProcessor `json:"processors"`
}

// templateItem is a text, "A" or "B", or a token beside it.
type templateItem struct {
	SpecialToken, Sequence struct {
		ID string `json:"id"`
	}
}

// parseTokenizer reads the parts of a tokenizer.json that a GGUF file takes.
func parseTokenizer(data []byte) (t tokenizerJSON, err error) { return t, json.Unmarshal(data, &t) }
