package write

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/gguf"
	streams "github.com/gomamba/gomamba/internal/stream"
	"github.com/gomamba/gomamba/internal/tokenizer"
)

// Texts are the sources of a plan's tokenizer and chat templates.
type Texts struct {
	Dir   string    // folder of their files; "": none
	Main  string    // the tokenizer, if it was given as a file of its own and not by its folder
	Keys  []gguf.KV // of a GGUF file, in place of files
	path  string    // of that file, for errors
	Given string    // where they are from, if not the source; else ""

	// Where the vocabulary is resized: how many ids stood for something before, the highest and one, and what says so; 0: unknown.
	Used   int
	UsedBy string

	Generation []byte // generation_config.json of the target, if it is a folder
	tokenizer  []byte // tokenizer.json from the keys of a GGUF file; nil: none
	pieces     []byte // tokenizer.model from these; nil: none
	settings   []byte // tokenizer_config.json from these; nil: none

	t      *tokenizer.Tokenizer // see Open
	bad    error                // why it is nil
	opened bool
}

// ReadTexts gathers what a source says about text, for a folder or for a GGUF file. given is a tokenizer in place of the
// source's own: a file, a folder or a GGUF file; "": none.
func (p *Plan) ReadTexts(given string, folder bool) (err error) {
	rows := p.Config.Shared().VocabSize
	if p.Texts, err = textsOf(&p.From, given, rows); err != nil {
		return err
	}
	if was := p.From.Config.Shared().VocabSize; rows != was {
		p.Texts.Used, p.Texts.UsedBy = p.Texts.inUse(was)
		if err = p.Texts.resize(was, rows); err != nil {
			return err
		}
	}
	p.Texts.Given = given
	if folder {
		if err = p.renderTokenizer(); err != nil {
			return err
		}
	}
	if p.Texts.settings, err = p.Texts.config(p.Texts.tokenizer != nil); err != nil {
		return err
	}
	p.Texts.Generation, err = p.generationOf()
	return err
}

// textsOf are those of a plan's source, or of a tokenizer that is given, for that many rows of the embedding.
func textsOf(from *Origin, given string, rows int) (Texts, error) {
	if given == "" {
		if from.Keys != nil {
			return Texts{Keys: gguf.Vocabulary(from.Keys), path: from.Path}, nil
		}
		return Texts{Dir: from.Path}, nil
	}
	if streams.Is(given) {
		return Texts{}, fmt.Errorf("%s is read as a stream: expected a file or a folder with a tokenizer, which are copied", given)
	}
	t, err := tokenizer.Open(given)
	if err != nil {
		return Texts{}, err
	}
	if t.Size() > rows {
		return Texts{}, &badfile.UnsupportedError{File: t.Path(), Detail: fmt.Sprintf("found %d tokens, the model's vocabulary has %d: "+
			"this tokenizer belongs to another model", t.Size(), rows)}
	}
	if f, err := gguf.Open(t.Path()); err == nil {
		x := Texts{Keys: gguf.Vocabulary(f.KVs()), path: t.Path()}
		for i := range x.Keys {
			x.Keys[i].Value = x.Keys[i].Value.Clone()
		}
		return x, f.Close()
	}
	x := Texts{Dir: filepath.Dir(t.Path()), Main: t.Path()}
	if info, err := files.Stat(given); err == nil && info.IsDir() {
		x.Main = ""
	}
	return x, nil
}

// Open reads the tokenizer. It is nil where there is none, or none that gomamba can use.
func (x *Texts) Open() *tokenizer.Tokenizer {
	if !x.opened && x.Dir != "" {
		x.t, x.bad = tokenizer.Open(cmp.Or(x.Main, x.Dir))
	}
	x.opened = true
	return x.t
}

// Bad says why Open returned nil, if not for want of a tokenizer.
func (x *Texts) Bad() error { return x.bad }

// copy writes the files of a folder, a tokenizer that is a file of its own under the name that programs look for.
func (x *Texts) copy(dir *atomicfile.Dir) error {
	if x.Dir == "" {
		return nil
	}
	names := carriedTokenizer
	if x.Main != "" {
		name := filenames.TokenizerJSON
		if base := filepath.Base(x.Main); slices.Contains(names, base) {
			name = base
		} else if filepath.Ext(x.Main) != ".json" {
			name = filenames.SentencePiece
		}
		info, err := files.Stat(x.Main)
		if err == nil {
			err = copyFile(dir, name, x.Main, info.Size())
		}
		if err != nil {
			return err
		}
		names = []string{filenames.TokenizerConfig, filenames.SpecialTokens, filenames.AddedTokens, filenames.Template, filenames.TemplateJSON}
	}
	if _, err := carry(dir, x.Dir, names); err != nil {
		return err
	}
	for _, name := range TemplateNames(x.Dir) {
		if _, err := carry(dir, x.Dir, []string{filepath.Join(filenames.Templates, name+".jinja")}); err != nil {
			return err
		}
	}
	return nil
}

// config renders what the keys of a GGUF file say beside its tokens as a tokenizer_config.json; nil if nothing. With a
// tokenizer.json beside it, it says that this one is used as it is, and not rebuilt by a class for this kind of model; and it
// names no token of ordinary text, such as "!", which transformers would then cut out of texts.
func (x *Texts) config(whole bool) ([]byte, error) {
	says := map[string]any{}
	if whole {
		says["tokenizer_class"], says["clean_up_tokenization_spaces"] = "PreTrainedTokenizerFast", false
	}
	tokens, types := []string{}, []int64{}
	for _, kv := range x.Keys {
		switch kv.Key {
		case gguf.KeyTokenizer + "tokens":
			tokens, _ = kv.Value.Strings()
		case gguf.KeyTokenizer + "token_type":
			types, _ = kv.Value.Ints()
		}
	}
	ordinary := func(id uint64) bool { return whole && id < uint64(len(types)) && types[id] == gguf.TokenNormal }
	names := map[string]string{}
	for name, key := range gguf.SpecialTokens {
		if name != "eot" && name != "eom" { // which transformers does not name
			names[gguf.KeyTokenizer+key] = name + "_token"
		}
	}
	for _, kv := range x.Keys {
		if name, ok := names[kv.Key]; ok {
			if id, err := kv.Value.Uint(); err == nil && id < uint64(len(tokens)) && !ordinary(id) {
				says[name] = tokens[id]
			}
		}
		if name, ok := strings.CutPrefix(kv.Key, gguf.KeyTokenizer+"add_"); ok && strings.HasSuffix(name, "_token") {
			if add, err := kv.Value.Bool(); err == nil {
				says["add_"+name] = add
			}
		}
	}
	switch all := gguf.Templates(x.Keys); {
	case len(all) == 1 && all[0].Name == gguf.DefaultTemplate:
		says["chat_template"] = all[0].Text
	case len(all) > 0:
		var list []map[string]string
		for _, t := range all {
			list = append(list, map[string]string{"name": t.Name, "template": t.Text})
		}
		says["chat_template"] = list
	}
	if len(says) == 0 {
		return nil, nil
	}
	return JSON(says)
}

// renderTokenizer makes the tokenizer.json of a folder from the keys of a GGUF file, and a SentencePiece model if it was
// one: that keeps the scores. A vocabulary that cannot be had so is noted, or is an error if it was given; one of ids alone
// has nothing to write.
func (p *Plan) renderTokenizer() error {
	x := &p.Texts
	if x.Keys == nil {
		return nil
	}
	var err error
	if x.pieces, err = tokenizer.RenderPieces(x.path, x.Keys); err != nil {
		x.pieces = nil // the tokenizer.json will do
	}
	x.tokenizer, err = tokenizer.RenderGGUF(x.path, x.Keys)
	switch {
	case err == nil:
	case x.Given != "":
		return err
	case !errors.Is(err, tokenizer.ErrNone):
		p.Note(fmt.Sprintf("no %s is written: %v", filenames.TokenizerJSON, err))
	}
	return nil
}

// Beside writes what a folder holds beside configuration and weights: tokenizer, chat templates, and how to generate, if
// that does not follow from the configuration or the layout always says it.
func (p *Plan) Beside(dir *atomicfile.Dir, always bool) error {
	if err := p.Texts.copy(dir); err != nil {
		return err
	}
	for _, file := range []struct {
		name string
		text []byte
	}{{filenames.TokenizerJSON, p.Texts.tokenizer}, {filenames.SentencePiece, p.Texts.pieces}, {filenames.TokenizerConfig, p.Texts.settings}} {
		if file.text == nil {
			continue
		}
		if err := Small(dir, file.name, file.text); err != nil {
			return err
		}
	}
	derived, err := Generation(p.Config)
	if err != nil || !always && bytes.Equal(p.Texts.Generation, derived) {
		return err
	}
	return Small(dir, filenames.Generation, p.Texts.Generation)
}

// TemplateNames lists the templates in filenames.Templates.
func TemplateNames(dir string) (names []string) {
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
